//! The device and the trainer of a run, in this process or in worker processes.

use super::console::Console;
use super::exit::Failure;
use super::serve;
use crate::device::{self, DeviceInfo, DeviceKind};
use crate::files::FileError;
use crate::machine::{cores, threads_per_job};
use crate::plan::contents;
use crate::program::ProgramTrainer;
use crate::provenance::{Provenance, Revision, Setting};
use crate::spec::Spec;
use crate::train::BurnTrainer;
use crate::trainer::{StopFlag, Trainer};
use crate::worker::{Reply, Request, WorkerError, WorkerTrainer, Workers};
use std::path::Path;

/// The variable with the numbers of the GPUs that CUDA shows to a process. Queues set it for every task.
const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// Finds `device`, with a warning if it is a software adapter.
pub(crate) fn find_device(device: &str, console: &Console) -> Result<DeviceInfo, Failure> {
    let info = query_device(device)?;
    if info.is_software() {
        console.warn(&format!(
            "`{device}` is not a GPU but the software adapter `{}`, which runs on the CPU",
            info.adapter
        ));
    }
    Ok(info)
}

/// Finds `device`. GPU drivers may crash or print, so they are queried in a worker process.
pub(crate) fn query_device(device: &str) -> Result<DeviceInfo, Failure> {
    device::check_name(device).map_err(|error| match (Failure::from(error), device) {
        (_, "cpu") => Failure::usage(
            "unknown device `cpu`; nets train on a CPU with `flex`, the default, or with `ndarray`",
        ),
        (_, "gpu") => Failure::usage(
            "unknown device `gpu`; nets train on a GPU with `cuda` or `wgpu`; `ablate devices` lists what is \
             available",
        ),
        (failure, _) => failure,
    })?;
    if device::is_cpu(device) {
        return Ok(device::info(device)?);
    }
    let name = device.to_owned();
    match send(&Request::Device { name })? {
        Reply::Device(info) => Ok(info),
        _ => Err(unavailable(&WorkerError::Unexpected)),
    }
}

/// Lists the available devices.
pub(crate) fn list_devices() -> Result<Vec<DeviceInfo>, Failure> {
    if device::built_in() == device::built_in_cpu() {
        return Ok(device::present());
    }
    match send(&Request::Devices)? {
        Reply::Devices(found) => Ok(found),
        _ => Err(unavailable(&WorkerError::Unexpected)),
    }
}

fn send(request: &Request) -> Result<Reply, Failure> {
    let reply = workers()?.call(request, |_| (), &StopFlag::default());
    let reply = reply.map_err(|error| unavailable(&error))?;
    reply.ok_or_else(|| Failure::internal("the worker stopped without being asked to"))
}

fn unavailable(error: &WorkerError) -> Failure {
    Failure::unavailable(error.to_string())
}

/// The device that this process trains on, and why it is this one of several GPUs.
pub(crate) fn used(info: &DeviceInfo) -> String {
    let visible = std::env::var(VISIBLE).ok();
    let visible = visible.filter(|gpus| info.backend == "cuda" && !gpus.is_empty());
    let visible = visible.map_or(String::new(), |gpus| format!(" (`{VISIBLE}` is `{gpus}`)"));
    format!("device `{}`: {info}{visible}", info.name)
}

/// Text about the adapter for provenance; `None` for CPUs, which provenance names elsewhere.
pub(crate) fn adapter(info: &DeviceInfo) -> Option<String> {
    (info.kind != DeviceKind::Cpu).then(|| info.to_string())
}

/// Provenance of a run of `spec` on `device` in this work tree; `info` describes the device of nets.
pub(crate) fn setting(device: &str, info: Option<&DeviceInfo>, spec: &Spec) -> Setting {
    let info = info.filter(|_| spec.program.is_none());
    Setting {
        revision: Revision::of(Path::new(".")),
        device: device.to_owned(),
        adapter: info.and_then(adapter),
        threads: cores(),
        data: contents(spec),
    }
}

/// Number of jobs to train at the same time by default: one per core, one on GPUs.
pub(crate) fn default_jobs(device: &str) -> usize {
    match device::is_cpu(device) {
        true => cores(),
        false => 1,
    }
}

/// Creates a trainer for `jobs` jobs at a time on `device`, in worker processes if `isolate` is set.
/// GPU jobs always use worker processes, because a lost GPU can end its process.
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

/// Creates a trainer for `jobs` jobs at a time of `spec`, whose results folder is `folder`.
pub(crate) fn trainer_of(
    spec: &Spec,
    device: &str,
    isolate: bool,
    jobs: usize,
    folder: &Path,
) -> Result<Box<dyn Trainer>, Failure> {
    if spec.program.is_none() {
        return trainer(device, isolate, jobs);
    }
    let trainer = ProgramTrainer::new(folder, threads_per_job(jobs), seconds_per_cell(folder));
    Ok(Box::new(
        trainer.map_err(FileError::of("find the path of", folder))?,
    ))
}

/// Seconds of a cell in the last run, in the mean over the arms.
fn seconds_per_cell(folder: &Path) -> Option<f64> {
    let run = Provenance::read(folder)?.run;
    let seconds: f64 = run.arm_seconds.values().sum();
    (run.trained > 0).then(|| seconds / run.trained as f64)
}

/// Worker processes that run this program.
pub(crate) fn workers() -> Result<Workers, Failure> {
    // `current_exe` would start another program if this one was rebuilt while it runs.
    let program = match cfg!(target_os = "linux") {
        true => "/proc/self/exe".into(),
        false => std::env::current_exe()
            .map_err(|e| Failure::internal(format!("cannot find the path of this program: {e}")))?,
    };
    Ok(Workers::new(vec![program.into(), serve::VERB.into()]))
}
