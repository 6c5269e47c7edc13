//! Ctrl-C and SIGTERM: the first asks the run to end, the second ends the program.

use super::console::Console;
use super::exit::{Code, Failure};
use crate::run::trainer::StopFlag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run goes on after it was stopped.
pub(crate) const GO_ON: &str = "what was finished is kept; run the same command again to go on";

/// From now on the first Ctrl-C or SIGTERM raises the flag that is returned.
pub(crate) fn catch(console: &Arc<Console>) -> Result<Arc<StopFlag>, Failure> {
    let stop = Arc::new(StopFlag::default());
    let (raised, console) = (Arc::clone(&stop), Arc::clone(console));
    let before = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if before.swap(true, Ordering::SeqCst) {
            // Journals are whole at every moment, so there is nothing to wait for.
            std::process::exit(Code::Stopped as i32);
        }
        raised.stop();
        console.warn("stopping after the steps that have begun; once more stops at once");
    })
    .map_err(|e| Failure::internal(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}
