//! What the user sees: data on standard output, everything else on standard error.

use super::exit::{Code, Failure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the bar is drawn anew, so that its clock goes on.
const TICK: Duration = Duration::from_millis(500);

/// The two streams, and the progress bar that shares a terminal with them.
#[derive(Debug)]
pub(crate) struct Console {
    quiet: bool,
    verbose: u8,
    bar: ProgressBar,
    /// Whether nobody reads standard output any more.
    closed: AtomicBool,
}

impl Console {
    pub(crate) fn new(quiet: bool, verbose: u8) -> Self {
        Self {
            quiet,
            verbose,
            bar: ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()),
            closed: AtomicBool::new(false),
        }
    }

    /// Writes `text` to standard output. A reader that has gone away (`| head`) is no error.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let write = || {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        };
        match self.bar.suspend(write) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::SeqCst);
                Ok(())
            }
            Err(e) => Err(Failure::new(
                Code::Unavailable,
                format!("cannot write to standard output: {e}"),
            )),
            Ok(()) => Ok(()),
        }
    }

    /// Writes `value` as JSON to standard output.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::internal(format!("cannot write JSON: {e}")))?;
        self.data(&(text + "\n"))
    }

    /// A remark, unless quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// A remark for those who asked for more.
    pub(crate) fn say_more(&self, text: &str) {
        if self.verbose > 0 {
            self.line(text);
        }
    }

    /// Something that should be looked at.
    pub(crate) fn warn(&self, text: &str) {
        self.line(&format!("warning: {text}"));
    }

    /// Why the program ends; see [`super::exit`].
    pub(super) fn error(&self, text: &str) {
        self.line(&format!("error: {text}"));
    }

    fn line(&self, text: &str) {
        // Where nobody reads standard error there is nobody to tell.
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    /// Shows a bar of `length` units where standard error is a terminal.
    pub(crate) fn start_bar(&self, length: u64) {
        if self.quiet || length == 0 || !io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("[{bar:30}] {percent:>3} %  {eta} left  {msg}")
            .expect("the template is a constant")
            .progress_chars("=> ");
        self.bar.set_style(style);
        self.bar.set_length(length);
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(TICK);
    }

    /// The bar; it draws nothing before [`Self::start_bar`] or without a terminal.
    pub(crate) const fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Takes the bar away.
    pub(super) fn end_bar(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }
}
