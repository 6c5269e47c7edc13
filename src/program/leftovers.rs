//! Processes of a cell that are outside its process group: they left it, or the run that started them was
//! killed. They are found by their environment, which names the folder of the cell.

use std::path::Path;

/// Kills the processes that were started for the cell with the folder `out`. With `after`, only those with
/// a larger id are looked at, which a process has that was started later unless ids began anew.
#[cfg(target_os = "linux")]
pub(super) fn end(out: &Path, after: Option<u32>) {
    use nix::sys::signal::{Signal, kill};
    use std::collections::BTreeSet;
    let mut ended = BTreeSet::new();
    loop {
        // A process may start another one while it is looked for.
        let found: BTreeSet<i32> = processes(out, after.unwrap_or(0)).collect();
        let new: Vec<i32> = found.difference(&ended).copied().collect();
        if new.is_empty() {
            break;
        }
        for id in new {
            let _ = kill(nix::unistd::Pid::from_raw(id), Signal::SIGKILL);
            ended.insert(id);
        }
    }
}

/// The ids above `after` of the processes whose environment names `out`.
#[cfg(target_os = "linux")]
fn processes(out: &Path, after: u32) -> impl Iterator<Item = i32> {
    use std::os::unix::ffi::OsStrExt;
    let marker = [
        super::launch::OUT.as_bytes(),
        b"=",
        out.as_os_str().as_bytes(),
    ]
    .concat();
    let own = std::process::id();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        if id == own || id <= after {
            return None;
        }
        // Processes of other users cannot be read.
        let variables = std::fs::read(entry.path().join("environ")).ok()?;
        let mut variables = variables.split(|&byte| byte == 0);
        variables.any(|variable| variable == marker).then_some(id)?;
        i32::try_from(id).ok()
    })
}

/// Elsewhere the environment of other processes cannot be read.
#[cfg(not(target_os = "linux"))]
pub(super) fn end(_: &Path, _: Option<u32>) {}
