//! Ctrl-C and SIGTERM: the first stops the run, the second ends the program at once.

use super::console::Console;
use super::exit::{Code, Failure};
use crate::program;
use crate::trainer::StopFlag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The failure of a run of `experiment` that was stopped.
pub(crate) fn stopped(experiment: &str) -> Failure {
    let message = format!(
        "stopped in `{experiment}`; finished cells are saved: run the same command again to \
         continue"
    );
    Failure::new(Code::Stopped, message)
}

/// Installs a handler that sets the returned flag at the first signal and exits at the second.
pub(crate) fn catch(console: &Arc<Console>) -> Result<Arc<StopFlag>, Failure> {
    let stop = Arc::new(StopFlag::default());
    let (flag, console) = (Arc::clone(&stop), Arc::clone(console));
    let before = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if before.swap(true, Ordering::SeqCst) {
            program::end_all();
            // The journal is valid at every moment, so an abrupt exit loses no finished cell.
            std::process::exit(Code::Stopped as i32);
        }
        flag.stop();
        console.warn("stopping after the current steps; press Ctrl-C again to stop at once");
    })
    .map_err(|e| Failure::internal(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}
