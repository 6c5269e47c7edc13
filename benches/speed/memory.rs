//! Peak resident memory of a training step, each library variant in its own process.

use super::ours::{self, Ours};
use super::peer::{PEERS, PeerVariant, Process};
use super::record::Memory;
use super::rounds::Failure;
use super::workload::Workload;
use ablate::compare::measure::timing::stopwatch::Stepper;
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

/// Steps during which the peak is measured.
const STEPS: usize = 10;

/// The workload whose memory is compared.
pub(crate) fn workload() -> Workload {
    Workload::cnn(28, 128, 1)
}

/// Whether the system reports peak memory.
pub(crate) const fn is_measured() -> bool {
    cfg!(target_os = "linux")
}

/// Peak memory of this project on `devices` and of every variant of the peers.
pub(crate) fn measure(
    devices: &[String],
    python: Option<&Path>,
    mut log: impl FnMut(&str),
) -> Result<Vec<Memory>, Failure> {
    let workload = workload();
    let dataset = workload.dataset().map_err(|e| Failure(e.to_string()))?;
    let examples = (workload.examples(&dataset)).map_err(|e| Failure(e.to_string()))?;
    let mut found = Vec::new();
    for device in devices {
        log(&ours::name(device));
        found.push(memory(ours::name(device), in_child_process(device)));
    }
    for (peer, python) in PEERS
        .into_iter()
        .flat_map(|p| python.map(|python| (p, python)))
    {
        for variant in peer.variants(&workload) {
            let process = Rc::new(RefCell::new(Process::start(peer, python)?));
            let task = workload.task(&dataset, examples.path());
            let variant = PeerVariant::new(&process, variant, task, workload.parameters());
            let name = variant.name().to_owned();
            log(&name);
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

/// Peak memory of this project on `device`, measured in a child process.
fn in_child_process(device: &str) -> Result<i64, Failure> {
    let program = std::env::current_exe().map_err(|e| Failure(e.to_string()))?;
    let output = (Command::new(program).args(["--memory-of", device]).output())
        .map_err(|e| Failure(e.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = || Failure(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    said.trim().parse().map_err(|_| failed())
}

/// Peak memory of the steps in bytes, beyond what was resident before the model was built.
pub(crate) fn here(device: &str) -> Result<i64, Failure> {
    let workload = workload();
    let dataset = workload.dataset().map_err(|e| Failure(e.to_string()))?;
    let jobs = workload.jobs(device, ablate::machine::cores());
    // A small step first, so that all code is loaded. The peers do the same.
    let small = Workload {
        batch: 2,
        ..workload.clone()
    };
    steps(&mut Ours::new(&small.jobs(device, 1), &dataset)?, 1)?;
    let before = status("VmRSS")?;
    let mut ours = Ours::new(&jobs, &dataset)?;
    steps(&mut ours, 5)?;
    fs::write("/proc/self/clear_refs", "5")
        .map_err(|e| Failure(format!("cannot reset the peak: {e}")))?;
    steps(&mut ours, STEPS)?;
    Ok(status("VmHWM")? - before)
}

/// Takes `n` steps.
fn steps(ours: &mut Ours<'_>, n: usize) -> Result<f64, Failure> {
    ours.steps(n).map_err(Failure)
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
