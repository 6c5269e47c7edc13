//! Processes of an earlier run of a cell, which was killed and could not end them.

use std::path::Path;

/// Kills the processes that were started for the cell with the folder `out` by an earlier run. They are
/// found by their environment.
#[cfg(target_os = "linux")]
pub(super) fn end(out: &Path) {
    use nix::sys::signal::{Signal, kill};
    use std::os::unix::ffi::OsStrExt;
    let marker = [
        super::launch::OUT.as_bytes(),
        b"=",
        out.as_os_str().as_bytes(),
    ]
    .concat();
    let own = std::process::id();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        let Some(id) = id.filter(|id| u32::try_from(*id).is_ok_and(|id| id != own)) else {
            continue;
        };
        // Processes of other users cannot be read.
        let Ok(variables) = std::fs::read(entry.path().join("environ")) else {
            continue;
        };
        if variables
            .split(|&byte| byte == 0)
            .any(|variable| variable == marker)
        {
            let _ = kill(nix::unistd::Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

/// Elsewhere the environment of other processes cannot be read.
#[cfg(not(target_os = "linux"))]
pub(super) fn end(_: &Path) {}
