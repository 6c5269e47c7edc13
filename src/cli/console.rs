//! Terminal output: data on standard output, everything else on standard error. Escape sequences in it become
//! text, wherever they come from.

use super::exit::{Code, Failure};
use super::live::Table;
use crate::text::visible::visible;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the bar is redrawn, so that its time left counts down between events.
const REDRAW_EVERY: Duration = Duration::from_millis(500);

/// Most redraws per second.
const REDRAWS: u8 = 10;

/// A bar alone.
const BAR: &str = "[{bar:30}] {percent:>3} %  {eta} left  {msg}";

/// A bar below a table.
const BAR_BELOW: &str = "{msg}\n[{bar:30}] {percent:>3} %  {eta} left  {prefix}";

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Standard output and standard error, and the progress bar that shares a terminal with them.
#[derive(Debug)]
pub(crate) struct Console {
    quiet: bool,
    verbose: u8,
    bar: ProgressBar,
    /// Whether the reader of standard output has closed it (`| head`).
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

    /// Writes `text` to standard output. A closed pipe (`| head`) is not an error.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let write = || {
            let mut out = io::stdout().lock();
            let text = visible(text);
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
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::internal(format!("cannot write JSON: {e}")))?;
        self.print(&(text + "\n"))
    }

    /// Prints progress to standard error, unless `--quiet`.
    pub(crate) fn info(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Prints to standard error with `--verbose` only.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.line(text);
        }
    }

    /// Prints a warning to standard error.
    pub(crate) fn warn(&self, text: &str) {
        self.line(&format!("warning: {text}"));
    }

    /// Prints an error to standard error; only [`super::exit`] does.
    pub(super) fn error(&self, text: &str) {
        self.line(&format!("error: {text}"));
    }

    fn line(&self, text: &str) {
        // If standard error is closed, there is no other stream to report it on.
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{}", visible(text));
        });
    }

    /// Shows a bar of `length` units if standard error is a terminal.
    pub(crate) fn start_bar(&self, length: u64) {
        if self.quiet || length == 0 || !io::stderr().is_terminal() {
            return;
        }
        // An earlier table is erased first.
        self.bar.set_message("");
        self.bar.set_prefix("");
        self.bar.set_style(style(BAR));
        self.bar.reset();
        self.bar.set_length(length);
        if self.bar.is_hidden() {
            (self.bar).set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
            self.bar.enable_steady_tick(REDRAW_EVERY);
        }
    }

    /// Draws `table` above the bar, with `text` beside it, if the terminal can show it.
    pub(crate) fn show(&self, table: &Table, text: &str) {
        let Some(size) = self.table_size() else {
            return self.bar.set_message(text.to_owned());
        };
        self.bar.set_style(style(BAR_BELOW));
        self.bar.set_prefix(text.to_owned());
        self.bar.set_message(table.lines(size).join("\n"));
    }

    /// The size of the terminal, if there is a bar and the terminal can show a table.
    pub(crate) fn table_size(&self) -> Option<Size> {
        let dumb = env::var_os("TERM").is_some_and(|name| name == "dumb");
        if self.bar.is_hidden() || dumb || env::var_os("CI").is_some() {
            return None;
        }
        let (height, width) = Term::stderr().size_checked()?;
        Some(Size {
            width: width.into(),
            height: height.into(),
        })
    }

    /// The bar; hidden before [`Self::start_bar`] and without a terminal.
    pub(crate) const fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Removes the bar from the terminal.
    pub(super) fn end_bar(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is a constant")
        .progress_chars("=> ")
}
