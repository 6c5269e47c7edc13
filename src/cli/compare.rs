//! `ablate compare`.

use super::arguments::{Format, FormatArg, ResultsArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::measure::Bench;
use super::select::Selection;
use super::{folder, preflight, signals, trainer};
use crate::backends::bound::first_break;
use crate::backends::{
    ArmComparison, COMPARISON_FILE, Comparison, DeviceInfo, Measured, OnDevice, Parity, Timed, text,
};
use crate::compare;
use crate::files::{check_writable, write_atomic};
use crate::provenance::{Compared, Provenance};
use crate::report::backends::{brief, forward};
use crate::report::format::counted;
use crate::run::RunError;
use crate::run::lock::Lock;
use crate::spec::Spec;
use clap::ValueEnum;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The experiment that is compared where none is named.
const SMOKE: &str = "smoke";

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Devices, the first of which the others are compared with [default: all that are there].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    devices: Vec<String>,
    /// Steps that are followed one by one, or all where the training has fewer.
    #[arg(long, value_name = "N", default_value = "100")]
    steps: NonZeroUsize,
    /// Difference of test accuracy, in points, within which two devices learn the same [default: the
    /// smallest margin that the experiment has for test accuracy, else 0.5].
    #[arg(long, value_name = "POINTS", value_parser = points)]
    margin: Option<f64>,
    /// Measure only this, and keep what an earlier comparison of the same devices says of the rest.
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    results: ResultsArg,
    #[command(flatten)]
    format: FormatArg,
}

/// A part of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The first steps against double precision.
    Parity,
    /// Whole trainings.
    Accuracy,
    /// The time of a step.
    Speed,
}

fn points(text: &str) -> Result<f64, String> {
    let margin: f64 = text.parse().map_err(|e| format!("{e}"))?;
    match margin > 0.0 && margin <= 100.0 {
        true => Ok(margin),
        false => Err("must be above 0 and at most 100".to_owned()),
    }
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn spec(&self) -> Result<Spec, Failure> {
        let mut specs = self.selection.specs(SMOKE)?;
        match specs.len() {
            1 => Ok(specs.remove(0)),
            n => Err(Failure::usage(format!(
                "{} are named; compare devices on one at a time",
                counted(n, "experiment")
            ))),
        }
    }

    /// What answers to the names of the devices.
    fn devices(&self, console: &Console) -> Result<Vec<DeviceInfo>, Failure> {
        let mut found: Vec<DeviceInfo> = Vec::new();
        if self.devices.is_empty() {
            found = trainer::present()?;
        }
        for name in &self.devices {
            match found.iter().any(|device| device.name == *name) {
                true => return Err(Failure::usage(format!("device `{name}` is named twice"))),
                false => found.push(trainer::find(name, console)?),
            }
        }
        Ok(found)
    }
}

pub(super) fn compare(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let spec = args.spec()?;
    preflight::check_arms(&spec)?;
    let devices = args.devices(console)?;
    let results = args
        .results
        .folder(&args.selection, std::slice::from_ref(&spec), None);
    let home = folder::comparison(&results.folder, &spec.name);
    check_writable(&home)?;
    let _lock = Lock::acquire(&home).map_err(RunError::from)?;
    if let Some(why) = results.why {
        let shown = home.display();
        console.say(&format!("results go to `{shown}`, because {why}"));
    }
    let margin = args.margin.unwrap_or_else(|| compare::margin(&spec));
    let mut comparison = compare::begin(&spec, devices, margin)?;
    keep(&mut comparison, &home, args);

    let stop = signals::catch(console)?;
    let (started, clock) = (SystemTime::now(), Instant::now());
    let bench = Bench::new(&spec, &home, console, &stop)?;
    if args.wants(Part::Parity) {
        bench.parity(&mut comparison, args.steps.get())?;
    }
    if args.wants(Part::Accuracy) {
        bench.accuracy(&mut comparison)?;
    }
    if args.wants(Part::Speed) {
        bench.speed(&mut comparison)?;
    }
    let made = Compared {
        revision: crate::provenance::Revision::of(Path::new(".")),
        started,
        seconds: clock.elapsed().as_secs_f64(),
        trained: bench.trained(),
    };
    write(&comparison, &home, &made)?;
    match args.format.format {
        Format::Json => console.data(&text::text(&comparison))?,
        Format::Text => console.data(&brief(&comparison))?,
    }
    console.say(&format!("the report is in `{}`", home.display()));
    ended(&comparison)
}

/// Takes over what is not measured anew from the comparison that is there, if it is one of the same
/// arms on the same devices.
fn keep(comparison: &mut Comparison, home: &Path, args: &Args) {
    let Ok(earlier) = folder::read_comparison(&home.join(COMPARISON_FILE)) else {
        return;
    };
    let names = |c: &Comparison| c.arms.iter().map(|arm| arm.arm.clone()).collect::<Vec<_>>();
    if earlier.devices != comparison.devices || names(&earlier) != names(comparison) {
        return;
    }
    for (arm, earlier) in comparison.arms.iter_mut().zip(earlier.arms) {
        if !args.wants(Part::Parity) {
            (arm.yardstick, arm.parity) = (earlier.yardstick, earlier.parity);
        }
        if !args.wants(Part::Accuracy) {
            arm.accuracy = earlier.accuracy;
        }
        if !args.wants(Part::Speed) {
            arm.speed = earlier.speed;
        }
    }
    if !args.wants(Part::Speed) {
        comparison.timing = earlier.timing;
    }
}

fn write(comparison: &Comparison, home: &Path, made: &Compared) -> Result<(), Failure> {
    write_atomic(
        &home.join(COMPARISON_FILE),
        text::text(comparison).as_bytes(),
    )?;
    Provenance::of_comparison(comparison, made).write(home)?;
    for target in folder::comparison_targets(home)? {
        target.write()?;
    }
    Ok(())
}

/// How a comparison ends: what is broken and what failed are errors.
fn ended(comparison: &Comparison) -> Result<Code, Failure> {
    let mut broken: Vec<String> = comparison.arms.iter().flat_map(breaks).collect();
    let failed: Vec<String> = comparison.arms.iter().flat_map(failures).collect();
    let code = match (broken.is_empty(), failed.is_empty()) {
        (true, true) => return Ok(Code::Done),
        (false, _) => Code::Differs,
        (true, false) => Code::CellsFailed,
    };
    broken.extend(failed);
    Err(Failure::several(code, broken))
}

/// What of an arm is beyond its bound, device by device.
fn breaks(arm: &ArmComparison) -> Vec<String> {
    let tell = |on: &OnDevice<Parity>| {
        let Measured::Done(parity) = &on.outcome else {
            return None;
        };
        let broken = first_break(parity, arm.yardstick.as_ref()?)?;
        Some(format!(
            "`{}` on `{}` parts ways with double precision at step {}: the {} is off by {:.1e}, bound \
             {:.1e}{}",
            arm.arm,
            on.device,
            broken.step,
            parity.distances.name(broken.quantity),
            broken.distance,
            broken.bound,
            forward(parity)
        ))
    };
    arm.parity.iter().filter_map(tell).collect()
}

/// What of an arm could not be measured.
fn failures(arm: &ArmComparison) -> Vec<String> {
    let tell = |what: &str, device: &str, error: &str| {
        format!("{what} of `{}` on `{device}`: {error}", arm.arm)
    };
    let mut failed = Vec::new();
    for on in &arm.parity {
        if let Measured::Failed { error } = &on.outcome {
            failed.push(tell("steps", &on.device, error));
        }
    }
    for on in &arm.accuracy {
        match &on.outcome {
            Measured::Failed { error } => failed.push(tell("trainings", &on.device, error)),
            Measured::Done(accuracy) => failed.extend(accuracy.cells.iter().filter_map(|cell| {
                let what = format!("training with seed {}", cell.seed);
                Some(tell(&what, &on.device, cell.error.as_ref()?))
            })),
        }
    }
    for timed in &arm.speed {
        if let Timed::Failed { error } = &timed.outcome {
            failed.push(tell("times", &timed.device, error));
        }
    }
    failed
}
