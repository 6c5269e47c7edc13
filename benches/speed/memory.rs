//! Peak resident memory of a training step, each contestant in a process of its own.

use super::contest::Failure;
use super::ours::{self, Ours};
use super::peer::{PEERS, Process, Variant};
use super::record::Memory;
use super::work::Work;
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

/// Steps taken while looking at the peak.
const STEPS: usize = 10;

/// The work whose memory is compared.
pub(crate) fn work() -> Work {
    Work::cnn(28, 128, 1)
}

/// Whether the system tells.
pub(crate) const fn is_measured() -> bool {
    cfg!(target_os = "linux")
}

/// The peaks of ours and of every variant of the peers.
pub(crate) fn measure(
    devices: &[String],
    python: Option<&Path>,
    mut tell: impl FnMut(&str),
) -> Result<Vec<Memory>, Failure> {
    let work = work();
    let dataset = work.dataset().map_err(|e| Failure(e.to_string()))?;
    let examples = (work.examples(&dataset)).map_err(|e| Failure(e.to_string()))?;
    let mut found = Vec::new();
    for device in devices {
        tell(&ours::name(device));
        found.push(memory(ours::name(device), apart(device)));
    }
    for (peer, python) in PEERS
        .into_iter()
        .flat_map(|p| python.map(|python| (p, python)))
    {
        for variant in peer.variants(&work) {
            let process = Rc::new(RefCell::new(Process::start(peer, python)?));
            let task = work.task(&dataset, examples.path());
            let variant = Variant::new(&process, variant, task, work.parameters());
            let name = super::contest::Contestant::name(&variant).to_owned();
            tell(&name);
            found.push(memory(name, variant.memory(STEPS)));
        }
    }
    Ok(found)
}

fn memory(name: String, bytes: Result<i64, Failure>) -> Memory {
    let (bytes, error) = match bytes {
        Ok(bytes) => (Some(bytes), None),
        Err(Failure(error)) => (None, Some(error)),
    };
    Memory { name, bytes, error }
}

/// Our peak on `device`, from another process of this program.
fn apart(device: &str) -> Result<i64, Failure> {
    let program = std::env::current_exe().map_err(|e| Failure(e.to_string()))?;
    let output = (Command::new(program).args(["--memory-of", device]).output())
        .map_err(|e| Failure(e.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = || Failure(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    said.trim().parse().map_err(|_| failed())
}

/// Bytes that the steps take at their peak beyond what was resident before the model was built.
pub(crate) fn here(device: &str) -> Result<i64, Failure> {
    let work = work();
    let dataset = work.dataset().map_err(|e| Failure(e.to_string()))?;
    let jobs = work.jobs(device, ablate::machine::cores());
    // A step of another size first, as the peers take one, so that all code is there already.
    let small = Work {
        batch: 2,
        ..work.clone()
    };
    Ours::new(device, &small.jobs(device, 1), &dataset)?.steps(1)?;
    let before = status("VmRSS")?;
    let mut ours = Ours::new(device, &jobs, &dataset)?;
    ours.steps(5)?;
    fs::write("/proc/self/clear_refs", "5")
        .map_err(|e| Failure(format!("cannot reset the peak: {e}")))?;
    ours.steps(STEPS)?;
    Ok(status("VmHWM")? - before)
}

/// A field of Linux's `/proc/self/status`, in bytes.
fn status(field: &str) -> Result<i64, Failure> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let number = value.split_whitespace().next()?.parse::<i64>().ok()?;
        (name == field).then_some(1024 * number)
    });
    value.ok_or_else(|| Failure(format!("`/proc/self/status` has no `{field}`")))
}
