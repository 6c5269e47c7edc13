//! Faults for tests: a call on files below a folder fails, or the program dies there.
//!
//! A test counts the calls of a run, and then repeats the run once per call and fault. Performed calls are
//! kept, so that a test can also work out what a power cut would leave.

use super::disk::Call;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The program dies before it.
    Kill,
    /// A write writes half of its bytes, and the program dies.
    Torn,
    /// A write writes half of its bytes and says so.
    Short,
    /// The disk is full, from here on. A write still writes half of its bytes.
    Full,
    /// The call fails once with an error of the hardware.
    Hardware,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::Kill,
        Self::Torn,
        Self::Short,
        Self::Full,
        Self::Hardware,
    ];
}

/// A call that was performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Open,
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    Cut(PathBuf, u64),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    CreateFolder(PathBuf),
    SyncFolder(PathBuf),
}

#[derive(Debug)]
struct Script {
    folder: PathBuf,
    /// Number of the call with the fault, from 0.
    fault: Option<(usize, Fault)>,
    calls: usize,
    dead: bool,
    full: bool,
    done: Vec<Done>,
}

static SCRIPTS: Mutex<Vec<Arc<Mutex<Script>>>> = Mutex::new(Vec::new());

/// Watches the calls on files below a folder until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Mutex<Script>>);

impl Watch {
    /// Watches `folder`. With a fault, it happens at the call of that number, from 0.
    pub(crate) fn on(folder: &Path, fault: Option<(usize, Fault)>) -> Self {
        let script = Arc::new(Mutex::new(Script {
            folder: folder.to_owned(),
            fault,
            calls: 0,
            dead: false,
            full: false,
            done: Vec::new(),
        }));
        lock(&SCRIPTS).push(Arc::clone(&script));
        Self(script)
    }

    /// The calls that were performed.
    pub(crate) fn done(&self) -> Vec<Done> {
        lock(&self.0).done.clone()
    }

    /// Number of calls, performed or not.
    pub(crate) fn calls(&self) -> usize {
        lock(&self.0).calls
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&SCRIPTS).retain(|script| !Arc::ptr_eq(script, &self.0));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a call may be performed, and the number of bytes that it may write.
pub(super) fn permit(call: Call<'_>, most: usize) -> io::Result<usize> {
    let scripts = lock(&SCRIPTS).clone();
    let found = scripts
        .iter()
        .find(|script| path(call).starts_with(&lock(script).folder));
    match found {
        Some(script) => lock(script).permit(call, most),
        None => Ok(most),
    }
}

fn path(call: Call<'_>) -> &Path {
    match call {
        Call::Open(path)
        | Call::Create(path)
        | Call::Write(path, _)
        | Call::Cut(path, _)
        | Call::Sync(path)
        | Call::Rename(path, _)
        | Call::Remove(path)
        | Call::CreateFolder(path)
        | Call::SyncFolder(path) => path,
    }
}

impl Script {
    fn permit(&mut self, call: Call<'_>, most: usize) -> io::Result<usize> {
        let killed = || io::Error::other("the program was killed");
        if self.dead {
            return Err(killed());
        }
        let number = self.calls;
        self.calls += 1;
        let fault = self.fault.filter(|(at, _)| *at == number);
        let takes_space = matches!(
            call,
            Call::Write(..) | Call::Create(_) | Call::CreateFolder(_)
        );
        if self.full && takes_space {
            return Err(ErrorKind::StorageFull.into());
        }
        let allowed = match (fault.map(|(_, fault)| fault), call) {
            (None, _) => most,
            (Some(Fault::Torn), Call::Write(..)) => {
                self.dead = true;
                most / 2
            }
            (Some(Fault::Kill | Fault::Torn), _) => {
                self.dead = true;
                return Err(killed());
            }
            (Some(Fault::Short), Call::Write(..)) => (most / 2).max(1),
            (Some(Fault::Short), _) => most,
            (Some(Fault::Full), Call::Write(..)) => {
                self.full = true;
                most / 2
            }
            (Some(Fault::Full), _) if takes_space => {
                self.full = true;
                return Err(ErrorKind::StorageFull.into());
            }
            (Some(Fault::Full), _) => {
                self.full = true;
                most
            }
            (Some(Fault::Hardware), _) => return Err(io::Error::from_raw_os_error(5)),
        };
        self.done.push(match call {
            Call::Open(_) => Done::Open,
            Call::Create(path) => Done::Create(path.to_owned()),
            Call::Write(path, bytes) => Done::Write(path.to_owned(), bytes[..allowed].to_vec()),
            Call::Cut(path, len) => Done::Cut(path.to_owned(), len),
            Call::Sync(path) => Done::Sync(path.to_owned()),
            Call::Rename(from, to) => Done::Rename(from.to_owned(), to.to_owned()),
            Call::Remove(path) => Done::Remove(path.to_owned()),
            Call::CreateFolder(path) => Done::CreateFolder(path.to_owned()),
            Call::SyncFolder(path) => Done::SyncFolder(path.to_owned()),
        });
        Ok(allowed)
    }
}
