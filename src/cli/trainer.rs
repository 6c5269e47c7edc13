//! Which device trains, and in which processes.

use super::console::Console;
use super::exit::Failure;
use super::serve;
use crate::backends::{DeviceInfo, DeviceKind};
use crate::device;
use crate::machine::{cores, threads_per_job};
use crate::provenance::{Revision, Setting};
use crate::train::BurnTrainer;
use crate::trainer::{StopFlag, Trainer};
use crate::worker::{Reply, Request, WorkerError, WorkerTrainer, Workers};
use std::path::Path;

/// What answers to `device`; a GPU that is none is said to be so.
pub(crate) fn find_device(device: &str, console: &Console) -> Result<DeviceInfo, Failure> {
    let info = query_device(device)?;
    if info.is_software() {
        console.warn(&format!(
            "`{device}` is the software adapter `{}`, which runs on the CPU",
            info.adapter
        ));
    }
    Ok(info)
}

/// What answers to `device`. Drivers crash and chatter, so a worker looks for what they reach.
pub(crate) fn query_device(device: &str) -> Result<DeviceInfo, Failure> {
    device::check_name(device)?;
    if device::is_cpu(device) {
        return Ok(device::info(device)?);
    }
    let name = device.to_owned();
    match ask(&Request::Device { name })? {
        Reply::Device(info) => Ok(info),
        _ => Err(unavailable(&WorkerError::Unexpected)),
    }
}

/// What is built in and there.
pub(crate) fn list_devices() -> Result<Vec<DeviceInfo>, Failure> {
    if device::built_in() == device::built_in_cpu() {
        return Ok(device::present());
    }
    match ask(&Request::Devices)? {
        Reply::Devices(found) => Ok(found),
        _ => Err(unavailable(&WorkerError::Unexpected)),
    }
}

fn ask(request: &Request) -> Result<Reply, Failure> {
    let reply = workers()?.call(request, |_| (), &StopFlag::default());
    let reply = reply.map_err(|error| unavailable(&error))?;
    reply.ok_or_else(|| Failure::internal("nobody asked the worker to stop"))
}

fn unavailable(error: &WorkerError) -> Failure {
    Failure::unavailable(error.to_string())
}

/// What provenance says of `info`; the CPU is named there already.
pub(crate) fn adapter(info: &DeviceInfo) -> Option<String> {
    (info.kind != DeviceKind::Cpu).then(|| info.to_string())
}

/// What provenance says of a run on `info` in this work tree.
pub(crate) fn setting(info: &DeviceInfo) -> Setting {
    Setting {
        revision: Revision::of(Path::new(".")),
        device: info.name.clone(),
        adapter: adapter(info),
        threads: cores(),
    }
}

/// Jobs at the same time where nobody says: a GPU takes one after the other.
pub(crate) fn default_jobs(device: &str) -> usize {
    match device::is_cpu(device) {
        true => cores(),
        false => 1,
    }
}

/// Trains `jobs` jobs at a time on `device`, each in a process of its own where that is asked for. A
/// GPU that is lost takes its process along, so its jobs always are.
pub(crate) fn trainer(
    device: &str,
    isolate: bool,
    jobs: usize,
) -> Result<Box<dyn Trainer>, Failure> {
    let threads = threads_per_job(jobs);
    Ok(match isolate || !device::is_cpu(device) {
        true => Box::new(WorkerTrainer::new(workers()?, threads)),
        false => Box::new(BurnTrainer::new(threads)),
    })
}

/// Workers that are this very program.
pub(crate) fn workers() -> Result<Workers, Failure> {
    // The path of a program that was built anew while it ran leads elsewhere.
    let program = match cfg!(target_os = "linux") {
        true => "/proc/self/exe".into(),
        false => std::env::current_exe()
            .map_err(|e| Failure::internal(format!("cannot find this program: {e}")))?,
    };
    Ok(Workers::new(vec![program.into(), serve::VERB.into()]))
}
