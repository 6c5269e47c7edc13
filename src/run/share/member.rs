//! Processes that share a folder: their names, their signs of life, and whether they are alive.

use crate::files::{self, FileError, append_unsynced, remove_unsynced, write_atomic};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// Ending of the file with the sign of life.
const ALIVE: &str = ".alive";
/// Signs of life per lease.
const SIGNS: u32 = 10;

/// Names of the members of this process.
static OWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// First line of a sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    /// Name of the machine.
    host: String,
    /// What tells apart machines of one name, and containers on one machine: processes see each other where it
    /// is equal. Empty if the system does not say.
    system: String,
    /// Number of the process.
    pid: u32,
    /// Start of the process in ticks of the system; it tells apart processes that have one number in turn.
    start: u64,
}

impl Identity {
    fn own() -> Self {
        let pid = std::process::id();
        Self {
            host: host(),
            system: system(),
            pid,
            start: start_of(pid).unwrap_or(0),
        }
    }
}

/// Name of this machine.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.ok().or_else(|| std::env::var("HOSTNAME").ok());
    let name = name.map(|name| name.trim().to_owned());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "machine".to_owned())
}

/// The boot of this machine and the set of processes that this one sees.
fn system() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let visible = fs::read_link("/proc/self/ns/pid");
    let visible = visible.map(|link| link.display().to_string());
    match (boot.trim(), visible) {
        ("", _) | (_, Err(_)) => String::new(),
        (boot, Ok(visible)) => format!("{boot} {visible}"),
    }
}

/// Start of the process `pid` in ticks after the boot; `None` if there is none, or the system does not say.
fn start_of(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain spaces.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    // A process that ended but was not waited for does nothing any more.
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

/// A process as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it joined.
    pub since: SystemTime,
    /// Its last sign of life.
    last: SystemTime,
    identity: Identity,
}

impl Seen {
    /// Name of its machine.
    pub fn host(&self) -> &str {
        &self.identity.host
    }

    /// Number of the process.
    pub const fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// Whether it is alive, as far as can be told at once.
    pub(super) fn is_there(&self, lease: Duration) -> bool {
        let age = SystemTime::now().duration_since(self.last);
        exists(&self.identity) != Some(false) && age.map_or(true, |age| age < lease)
    }
}

/// Whether the process exists; `None` if that cannot be seen from here.
fn exists(identity: &Identity) -> Option<bool> {
    let here = system();
    (!here.is_empty() && identity.system == here)
        .then(|| start_of(identity.pid) == Some(identity.start))
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{ALIVE}"))
}

fn identity(folder: &Path, name: &str) -> Option<(Identity, fs::Metadata)> {
    let path = path(folder, name);
    let bytes = files::read(&path).ok()?;
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    let found = serde_json::from_slice(line).ok()?;
    Some((found, fs::metadata(&path).ok()?))
}

/// The process with the sign of life `name`, if there is one.
pub(super) fn seen(folder: &Path, name: &str) -> Option<Seen> {
    let (identity, found) = identity(folder, name)?;
    let last = found.modified().ok()?;
    Some(Seen {
        since: found.created().unwrap_or(last),
        last,
        identity,
    })
}

/// Names of all processes with a sign of life in `folder`.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| Some(name.strip_suffix(ALIVE)?.to_owned()))
        .collect()
}

/// Removes the sign of life of a process that ended without doing so.
pub(super) fn forget(folder: &Path, name: &str) {
    let _ = remove_unsynced(&path(folder, name));
}

/// This process in a shared folder, with a thread that gives signs of life.
#[derive(Debug)]
pub(super) struct Member {
    folder: PathBuf,
    name: String,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Member {
    pub(super) fn new(folder: &Path, lease: Duration) -> Result<Self, FileError> {
        let identity = Identity::own();
        let host = identity.host.chars();
        let host: String = host
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(60)
            .collect();
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("{host}-{}-{}-{number}", identity.pid, identity.start);
        let path = path(folder, &name);
        let mut line = serde_json::to_vec(&identity).expect("plain data has a JSON form");
        line.push(b'\n');
        write_atomic(&path, &line)?;
        own().insert(name.clone());
        let (end, ended) = mpsc::channel();
        let beat = thread::spawn(move || {
            while ended.recv_timeout(lease / SIGNS) == Err(RecvTimeoutError::Timeout) {
                // Without it, others take this process for dead after a while; it still trains.
                let _ = append_unsynced(&path, b".");
            }
        });
        Ok(Self {
            folder: folder.to_owned(),
            name,
            beat: Some((end, beat)),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Ends without removing the sign of life.
    #[cfg(test)]
    pub(super) fn vanish(&mut self) {
        self.stop();
    }

    /// Ends the signs of life. The claims are released before.
    pub(super) fn end(&mut self) {
        if self.stop() {
            forget(&self.folder, &self.name);
        }
    }

    /// Stops the thread. Returns whether it was running.
    fn stop(&mut self) -> bool {
        let Some((end, beat)) = self.beat.take() else {
            return false;
        };
        drop(end);
        let _ = beat.join();
        own().remove(&self.name)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

fn own() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches whether other processes are alive.
///
/// Clocks of machines differ, so the age of a file is not taken by the clock here. A sign of life is old if it is older
/// than the own one by a lease, both by the clock of the file system, or if it has not grown while this process watched
/// it.
#[derive(Debug)]
pub(super) struct Watcher {
    folder: PathBuf,
    /// The own sign of life.
    own: PathBuf,
    lease: Duration,
    /// Length of each sign of life, and when it was first seen with this length.
    signs: BTreeMap<String, (u64, Instant)>,
}

impl Watcher {
    pub(super) fn new(folder: &Path, own: &str, lease: Duration) -> Self {
        Self {
            folder: folder.to_owned(),
            own: path(folder, own),
            lease,
            signs: BTreeMap::new(),
        }
    }

    /// Whether the process `name` is alive.
    pub(super) fn is_alive(&mut self, name: &str) -> bool {
        if own().contains(name) {
            return true;
        }
        // Opening a file makes a network file system look again.
        let Ok(found) = files::open(&path(&self.folder, name)).and_then(|file| file.metadata())
        else {
            return false;
        };
        let gone = || {
            let identity = identity(&self.folder, name);
            identity.is_some_and(|(identity, _)| {
                exists(&identity) == Some(false)
                    || identity.pid == std::process::id() && exists(&identity).is_some()
            })
        };
        let changed = |found: &fs::Metadata| found.modified().ok();
        let own = fs::metadata(&self.own).ok().as_ref().and_then(changed);
        let old = matches!((own, changed(&found)), (Some(own), Some(theirs))
            if own.duration_since(theirs).is_ok_and(|age| age > self.lease));
        !old && !gone() && self.is_fresh(name, found.len())
    }

    /// Whether something with a name and a size has changed within the lease.
    pub(super) fn is_fresh(&mut self, name: &str, size: u64) -> bool {
        let now = Instant::now();
        match self.signs.get_mut(name) {
            Some((known, since)) if *known == size => now.duration_since(*since) < self.lease,
            _ => {
                self.signs.insert(name.to_owned(), (size, now));
                true
            }
        }
    }
}
