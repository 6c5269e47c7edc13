//! Process groups: a program together with the processes that it started.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

/// The groups that are running, so that [`end_all`] can end them.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// How urgently a group is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// It may clean up.
    Terminate,
    /// At once.
    Kill,
}

/// The group of a running program. Dropping it kills what is left of the group.
#[derive(Debug)]
pub(super) struct Group(u32);

/// Makes `command` start in a group of its own. It then does not get the Ctrl-C of the terminal.
pub(super) fn separate(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

impl Group {
    /// The group that `child` leads.
    pub(super) fn of(child: &Child) -> Self {
        running(|groups| groups.insert(child.id()));
        Self(child.id())
    }

    pub(super) fn signal(&self, signal: Signal) {
        send(self.0, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        send(self.0, Signal::Kill);
        running(|groups| groups.remove(&self.0));
    }
}

/// Kills every program that is running. Their cells have no record then.
pub fn end_all() {
    running(|groups| groups.iter().for_each(|&group| send(group, Signal::Kill)));
}

fn running<T>(use_them: impl FnOnce(&mut BTreeSet<u32>) -> T) -> T {
    use_them(&mut RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A group without processes is no error: it has ended.
#[cfg(unix)]
fn send(group: u32, signal: Signal) {
    use nix::sys::signal::{Signal as Unix, killpg};
    let signal = match signal {
        Signal::Terminate => Unix::SIGTERM,
        Signal::Kill => Unix::SIGKILL,
    };
    if let Ok(group) = i32::try_from(group) {
        let _ = killpg(nix::unistd::Pid::from_raw(group), signal);
    }
}

/// Ends the program and the processes that it started.
#[cfg(not(unix))]
fn send(group: u32, _: Signal) {
    let mut kill = Command::new("taskkill");
    let _ = kill.args(["/F", "/T", "/PID", &group.to_string()]).output();
}
