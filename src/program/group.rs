//! Process groups: a program together with the processes that it started, also those that left its group.

use super::leftovers;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

/// The groups that are running, with the folders of their cells, so that [`end_all`] can end them.
static RUNNING: Mutex<BTreeMap<u32, PathBuf>> = Mutex::new(BTreeMap::new());

/// How urgently a group is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// It may clean up.
    Terminate,
    /// At once.
    Kill,
}

/// The group of a running program. Dropping it kills what is left of the group, and the processes that left
/// it.
#[derive(Debug)]
pub(super) struct Group {
    id: u32,
    /// Folder of the cell.
    out: PathBuf,
}

/// Makes `command` start in a group of its own. It then does not get the Ctrl-C of the terminal.
pub(super) fn separate(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

impl Group {
    /// The group that `child` leads, which runs the cell with the folder `out`.
    pub(super) fn of(child: &Child, out: &Path) -> Self {
        running(|groups| groups.insert(child.id(), out.to_owned()));
        Self {
            id: child.id(),
            out: out.to_owned(),
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        send(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        end(self.id, &self.out);
        running(|groups| groups.remove(&self.id));
    }
}

/// Kills every program that is running. Their cells have no record then.
pub fn end_all() {
    running(|groups| groups.iter().for_each(|(&group, out)| end(group, out)));
}

fn end(group: u32, out: &Path) {
    send(group, Signal::Kill);
    leftovers::end(out, Some(group));
}

fn running<T>(use_them: impl FnOnce(&mut BTreeMap<u32, PathBuf>) -> T) -> T {
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
