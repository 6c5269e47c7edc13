//! Measurements of a comparison, each device in a process of its own, so that a crash affects only one.

use super::console::Console;
use super::exit::Failure;
use super::live::Table;
use super::progress::{RunProgress, units};
use super::{preflight, signals, trainer};
use crate::compare;
use crate::compare::measure::accuracy;
use crate::compare::measure::timing::{SizeGrid, TimingRequest, time_arm};
use crate::compare::results::{
    DeviceComparison, Measured, OnDevice, Parity, RoundingBaseline, SizeTiming, TimingConfig,
    TimingOutcome,
};
use crate::device;
use crate::spec::{Arm, Spec};
use crate::trainer::Job;
use crate::trainer::StopFlag;
use crate::worker::{Reply, Request, WorkerError, Workers};
use std::cell::Cell;
use std::path::Path;

/// Largest number of stacked seeds.
const REPLICAS: usize = 10;

/// The measurements of one comparison.
pub(crate) struct Bench<'a> {
    spec: &'a Spec,
    /// Its results folder.
    home: &'a Path,
    console: &'a Console,
    stop: &'a StopFlag,
    workers: Workers,
    trained: Cell<usize>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        spec: &'a Spec,
        home: &'a Path,
        console: &'a Console,
        stop: &'a StopFlag,
    ) -> Result<Self, Failure> {
        let jobs: Vec<Job> = spec
            .arms
            .iter()
            .map(|arm| compare::cell(spec, arm, ""))
            .collect();
        preflight::load_data(jobs.iter())?;
        Ok(Self {
            spec,
            home,
            console,
            stop,
            workers: trainer::workers()?,
            trained: Cell::new(0),
        })
    }

    /// Number of trained cells.
    pub(crate) fn trained(&self) -> usize {
        self.trained.get()
    }

    fn stopped(&self) -> Failure {
        signals::stopped(&self.spec.name)
    }

    /// Compares the first `steps` steps of every arm on every device with double precision. After a
    /// stop, the finished arms keep their results.
    pub(crate) fn parity(
        &self,
        comparison: &mut DeviceComparison,
        steps: usize,
    ) -> Result<(), Failure> {
        let Some(reference) = device::built_in_cpu().first().copied() else {
            return Err(Failure::unavailable(
                "no built-in device computes in double precision; build with `--features flex`",
            ));
        };
        let devices = comparison.devices.iter();
        let names: Vec<String> = devices.map(|device| device.name.clone()).collect();
        let mut watch = Watch::new(self.console, &names, steps * self.spec.arms.len(), "steps");
        for (arm, found) in self.spec.arms.iter().zip(&mut comparison.arms) {
            let text = format!("{}: comparing steps of `{}`", self.spec.name, arm.name);
            self.console.info(&text);
            let job = compare::cell(self.spec, arm, reference);
            let baseline = compare::measure::parity::baseline(&job, steps, self.stop)
                .map_err(|e| Failure::internal(e.to_string()))?
                .ok_or_else(|| self.stopped())?;
            let mut parity = Vec::with_capacity(comparison.devices.len());
            for info in &comparison.devices {
                let job = compare::cell(self.spec, arm, &info.name);
                watch.begin(&info.name, steps, &text);
                parity.push(OnDevice {
                    device: info.name.clone(),
                    outcome: self.steps(job, &baseline)?,
                });
                watch.end(&info.name, steps, &text);
            }
            (found.baseline, found.parity) = (Some(baseline), parity);
        }
        Ok(())
    }

    fn steps(&self, job: Job, baseline: &RoundingBaseline) -> Result<Measured<Parity>, Failure> {
        let request = Request::Parity {
            job,
            baseline: baseline.clone(),
        };
        match self.workers.call(&request, |_| (), self.stop) {
            Ok(Some(Reply::Parity(parity))) => Ok(Measured::Done(parity)),
            Ok(None) => Err(self.stopped()),
            Ok(Some(_)) => Ok(failed(&WorkerError::Unexpected)),
            Err(error) => Ok(failed(&error)),
        }
    }

    /// Times the steps of every arm on every device. After a stop, the finished arms keep their times;
    /// times with other settings are removed.
    pub(crate) fn speed(
        &self,
        comparison: &mut DeviceComparison,
        timing: TimingConfig,
    ) -> Result<(), Failure> {
        let names: Vec<String> = comparison.devices.iter().map(|d| d.name.clone()).collect();
        let grid = SizeGrid::default();
        if comparison.timing.is_some_and(|earlier| earlier != timing) {
            comparison.timing = None;
            comparison.arms.iter_mut().for_each(|arm| arm.speed.clear());
        }
        let sizes = |arm: &Arm| {
            arm.net()
                .map_or(0, |net| grid.sizes(net.train.batch_size).len())
        };
        let all = self.spec.arms.iter().map(sizes).sum();
        let mut watch = Watch::new(self.console, &names, all, "sizes");
        for (arm, found) in self.spec.arms.iter().zip(&mut comparison.arms) {
            let text = format!("{}: timing steps of `{}`", self.spec.name, arm.name);
            self.console.info(&text);
            // Sizes that would take too long are skipped.
            let mut skipped = vec![sizes(arm); names.len()];
            let measure = |request: &TimingRequest| {
                for device in &request.devices {
                    watch.begin(device, 1, &text);
                }
                let times = self.times(request);
                for device in &request.devices {
                    watch.end(device, 1, &text);
                    if let Some(i) = names.iter().position(|name| name == device) {
                        skipped[i] -= 1;
                    }
                }
                times
            };
            let times = time_arm(arm, &names, &grid, &timing, measure);
            for (name, skipped) in names.iter().zip(skipped) {
                watch.end(name, skipped, &text);
            }
            if self.stop.stopped() {
                return Err(self.stopped());
            }
            found.speed = times;
            comparison.timing = Some(timing);
        }
        Ok(())
    }

    /// Times the CPU devices of `request` together in one process, interleaved, and each other device
    /// in its own process.
    fn times(&self, request: &TimingRequest) -> Vec<SizeTiming> {
        let (cpus, others): (Vec<String>, Vec<String>) =
            (request.devices.iter().cloned()).partition(|name| device::is_cpu(name));
        let alone = others.into_iter().map(|name| vec![name]);
        let groups = std::iter::once(cpus)
            .chain(alone)
            .filter(|group| !group.is_empty());
        groups
            .flat_map(|devices| self.times_together(request, devices))
            .collect()
    }

    fn times_together(&self, request: &TimingRequest, devices: Vec<String>) -> Vec<SizeTiming> {
        let request = TimingRequest {
            devices,
            ..request.clone()
        };
        let asked = Request::Times(request.clone());
        let error = match self.workers.call(&asked, |_| (), self.stop) {
            Ok(Some(Reply::Times(times))) => return times,
            Ok(Some(_)) => WorkerError::Unexpected.to_string(),
            Ok(None) => "stopped".to_owned(),
            Err(error) => error.to_string(),
        };
        let failed = |device: &String| SizeTiming {
            device: device.clone(),
            size: request.size,
            outcome: TimingOutcome::Failed {
                error: error.clone(),
            },
        };
        request.devices.iter().map(failed).collect()
    }

    /// Trains every arm with every seed on every device.
    pub(crate) fn accuracy(&self, comparison: &mut DeviceComparison) -> Result<(), Failure> {
        let plans = comparison.devices.iter().map(|info| {
            let plan = accuracy::plan(self.spec, &info.name, REPLICAS);
            let jobs = accuracy::missing(&plan, self.home)?;
            Ok((info, plan, jobs))
        });
        let plans = plans.collect::<Result<Vec<_>, Failure>>()?;
        let all = plans.iter().flat_map(|(_, _, jobs)| jobs);
        self.console.start_bar(all.map(units).sum());
        let cells = plans.iter().map(|(info, plan, jobs)| {
            let missing: usize = jobs.iter().map(|job| job.cells.len()).sum();
            let all = plan.cells.len();
            (info.name.as_str(), all.saturating_sub(missing), all)
        });
        let mut table = (self.console.table_size()).map(|_| Table::of_devices(cells, "cells"));
        let mut found = vec![Vec::new(); comparison.arms.len()];
        for (info, plan, jobs) in &plans {
            let workers = trainer::default_jobs(&info.name).min(jobs.len()).max(1);
            let trainer = trainer::trainer(&info.name, false, workers)?;
            let name = format!("{} on {}", self.spec.name, info.name);
            let mut watch = RunProgress::new(self.console, &name, jobs.len());
            if let Some(table) = table.take() {
                watch = watch.with_table(table, Some(&info.name));
            }
            let setting = trainer::setting(&info.name, Some(info), self.spec);
            let (home, stop) = (self.home, self.stop);
            let report = accuracy::train(plan, home, workers, &*trainer, &watch, stop, &setting)?;
            table = watch.into_table();
            if report.stopped {
                return Err(self.stopped());
            }
            self.trained.set(self.trained.get() + report.trained);
            let trained = accuracy::trained(plan, self.home)?;
            for (arm, trained) in found.iter_mut().zip(trained) {
                arm.push(OnDevice {
                    device: info.name.clone(),
                    outcome: Measured::Done(trained),
                });
            }
        }
        for (arm, accuracy) in comparison.arms.iter_mut().zip(found) {
            arm.accuracy = accuracy;
        }
        Ok(())
    }
}

/// A table of what is done on each device.
struct Watch<'a> {
    console: &'a Console,
    table: Table,
}

impl<'a> Watch<'a> {
    /// A table of `devices` with `all` units to do on each.
    fn new(console: &'a Console, devices: &[String], all: usize, unit: &'static str) -> Self {
        console.start_bar((devices.len() * all) as u64);
        let rows = devices.iter().map(|name| (name.as_str(), 0, all));
        let table = Table::of_devices(rows, unit);
        Self { console, table }
    }

    fn begin(&mut self, device: &str, units: usize, text: &str) {
        self.table.begin(device, units);
        self.console.show(&self.table, text);
    }

    fn end(&mut self, device: &str, units: usize, text: &str) {
        self.table.end(device, units, 0.0);
        self.console.bar().inc(units as u64);
        self.console.show(&self.table, text);
    }
}

fn failed(error: &WorkerError) -> Measured<Parity> {
    Measured::Failed {
        error: error.to_string(),
    }
}
