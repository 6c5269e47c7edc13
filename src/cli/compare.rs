//! `ablate compare`.

use super::arguments::{Format, FormatArg, ResultsArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::manifest::{self, published};
use super::measure::Bench;
use super::select::Selection;
use super::{folder, preflight, signals, trainer, variant};
use crate::compare;
use crate::compare::analysis::bound::first_violation;
use crate::compare::report::{brief, forward};
use crate::compare::results::{
    ArmComparison, COMPARISON_FILE, DeviceComparison, Measured, OnDevice, Parity, TimingConfig,
    TimingOutcome, text,
};
use crate::device::DeviceInfo;
use crate::files::{check_writable, write_atomic};
use crate::plan::contents;
use crate::provenance::{Compared, Provenance};
use crate::run::RunError;
use crate::run::lock::Lock;
use crate::spec::Spec;
use crate::trainer::StopFlag;
use clap::ValueEnum;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Default experiment.
const SMOKE: &str = "smoke";

/// Time for an arm on a device, in longest steps; a size with the longest steps needs 13.
const STEPS_OF_LONGEST: f64 = 20.0;

/// Upper limit of `--longest-step`, in seconds.
const LONGEST: f64 = 3600.0;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Devices to compare; the first is the reference
    /// for accuracy [default: all available devices]
    #[arg(verbatim_doc_comment, long, value_name = "LIST", value_delimiter = ',')]
    devices: Vec<String>,
    /// Steps to compare with double precision
    #[arg(long, value_name = "N", default_value = "100")]
    steps: NonZeroUsize,
    /// Margin of the equivalence test of test
    /// accuracy, in points [default: smallest margin
    /// of the experiment for test accuracy, else 0.5]
    #[arg(verbatim_doc_comment, long, value_name = "POINTS", value_parser = points)]
    margin: Option<f64>,
    /// Measure only these parts: `parity` (first steps
    /// against double precision), `accuracy` (complete
    /// trainings), `speed` (step times); keep the
    /// others from an earlier comparison of the same
    /// devices
    #[arg(
        verbatim_doc_comment,
        long,
        value_name = "PARTS",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    only: Vec<Part>,
    /// Longest step to time, in seconds; sizes with
    /// longer steps are skipped [default: 0.5]
    #[arg(verbatim_doc_comment, long, value_name = "SECONDS", value_parser = seconds)]
    longest_step: Option<f64>,
    #[command(flatten)]
    results: ResultsArg,
    #[command(flatten)]
    format: FormatArg,
}

/// A part of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    // Plain comments: with help for each value, clap prints every option of `--help` in its long form.
    // The first steps, compared with double precision.
    Parity,
    // Complete trainings.
    Accuracy,
    // Step times.
    Speed,
}

fn points(text: &str) -> Result<f64, String> {
    let margin: f64 = text.parse().map_err(|e| format!("{e}"))?;
    match margin > 0.0 && margin <= 100.0 {
        true => Ok(margin),
        false => Err("must be above 0 and at most 100".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("{e}"))?;
    match seconds > 0.0 && seconds <= LONGEST {
        true => Ok(seconds),
        false => Err(format!("must be above 0 and at most {LONGEST}")),
    }
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn timing(&self) -> TimingConfig {
        let usual = TimingConfig::default();
        let longest_step = self.longest_step.unwrap_or(usual.longest_step);
        TimingConfig {
            longest_step,
            most: usual.most.max(STEPS_OF_LONGEST * longest_step),
            ..usual
        }
    }

    /// Looks up the devices.
    fn devices(&self, console: &Console) -> Result<Vec<DeviceInfo>, Failure> {
        let mut found: Vec<DeviceInfo> = Vec::new();
        if self.devices.is_empty() {
            found = trainer::list_devices()?;
        }
        for name in &self.devices {
            match found.iter().any(|device| device.name == *name) {
                true => return Err(Failure::usage(format!("device `{name}` is named twice"))),
                false => found.push(trainer::find_device(name, console)?),
            }
        }
        Ok(found)
    }
}

/// A comparison to make.
struct Task {
    spec: Spec,
    /// Its results folder, locked until it is done.
    home: PathBuf,
    _lock: Lock,
    comparison: DeviceComparison,
}

pub(super) fn compare(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let specs = args.selection.specs(SMOKE)?;
    let specs: Vec<Spec> = specs.into_iter().map(variant::unnamed).collect();
    for spec in &specs {
        if spec.program.is_some() {
            let message = "`ablate compare` compares devices with nets, but this is a program";
            return Err(Failure::usage(format!(
                "{}: {message}",
                spec.path.display()
            )));
        }
        preflight::check_arms(spec)?;
    }
    let devices = args.devices(console)?;
    let results = args.results.folder(&args.selection, &specs, None);
    let begin = |spec| begin(spec, devices.clone(), &results.folder, args, console);
    let tasks: Vec<Task> = specs.into_iter().map(begin).collect::<Result<_, _>>()?;
    if let Some(why) = results.reason {
        for task in &tasks {
            let shown = task.home.display();
            console.info(&format!("results go to `{shown}`, because {why}"));
        }
    }
    let stop = signals::catch(console)?;
    let mut found = Problems::default();
    for mut task in tasks {
        measure(&mut task, args, console, &stop)?;
        found.add(&task.comparison);
    }
    found.ended()
}

/// Prepares the results folder and takes over earlier measurements.
fn begin(
    spec: Spec,
    devices: Vec<DeviceInfo>,
    results: &Path,
    args: &Args,
    console: &Console,
) -> Result<Task, Failure> {
    let home = folder::comparison_folder(results, &spec.name);
    check_writable(&home)?;
    let lock = Lock::acquire(&home).map_err(RunError::from)?;
    let margin = args.margin.unwrap_or_else(|| compare::margin(&spec));
    let mut comparison = compare::begin(&spec, devices, margin)?;
    keep(&mut comparison, &home, args, console);
    Ok(Task {
        spec,
        home,
        _lock: lock,
        comparison,
    })
}

/// Measures the requested parts, then writes and prints the comparison. A comparison can take hours, so
/// measurements before a stop are written as well.
fn measure(
    task: &mut Task,
    args: &Args,
    console: &Console,
    stop: &StopFlag,
) -> Result<(), Failure> {
    let (started, clock) = (SystemTime::now(), Instant::now());
    let revision = crate::provenance::Revision::of(Path::new("."));
    let bench = Bench::new(&task.spec, &task.home, console, stop)?;
    let comparison = &mut task.comparison;
    let before = comparison.clone();
    let ended = parts(&bench, comparison, args);
    if ended.is_ok() || *comparison != before {
        let made = Compared {
            revision,
            started,
            seconds: clock.elapsed().as_secs_f64(),
            trained: bench.trained(),
            data: contents(&task.spec),
        };
        write(comparison, &task.home, &made)?;
    }
    ended?;
    match args.format.format {
        Format::Json => console.print(&text(comparison))?,
        Format::Text => console.print(&brief(comparison))?,
    }
    console.info(&format!("the report is in `{}`", task.home.display()));
    Ok(())
}

/// Measures the requested parts, one after the other.
fn parts(bench: &Bench<'_>, comparison: &mut DeviceComparison, args: &Args) -> Result<(), Failure> {
    if args.wants(Part::Parity) {
        bench.parity(comparison, args.steps.get())?;
    }
    if args.wants(Part::Accuracy) {
        bench.accuracy(comparison)?;
    }
    if args.wants(Part::Speed) {
        bench.speed(comparison, args.timing())?;
    }
    Ok(())
}

/// Takes over an earlier comparison of the same arms, devices and code; new measurements replace its
/// parts.
fn keep(comparison: &mut DeviceComparison, home: &Path, args: &Args, console: &Console) {
    let Ok(earlier) = folder::read_comparison(&home.join(COMPARISON_FILE)) else {
        return;
    };
    let arms = |c: &DeviceComparison| -> Vec<(String, Option<String>)> {
        let arms = c.arms.iter();
        arms.map(|arm| (arm.arm.clone(), arm.recipe.clone()))
            .collect()
    };
    if earlier.devices != comparison.devices || arms(&earlier) != arms(comparison) {
        let wanted = [Part::Parity, Part::Accuracy, Part::Speed].map(|part| args.wants(part));
        if wanted != [true; 3] {
            console.warn(&format!(
                "`{}` has other arms, devices or code; its measurements are not reused",
                home.join(COMPARISON_FILE).display()
            ));
        }
        return;
    }
    for (arm, earlier) in comparison.arms.iter_mut().zip(earlier.arms) {
        (arm.baseline, arm.parity) = (earlier.baseline, earlier.parity);
        arm.accuracy = earlier.accuracy;
        arm.speed = earlier.speed;
    }
    comparison.timing = earlier.timing;
}

fn write(comparison: &DeviceComparison, home: &Path, made: &Compared) -> Result<(), Failure> {
    write_atomic(&home.join(COMPARISON_FILE), text(comparison).as_bytes())?;
    let cells = comparison.trained_cells();
    Provenance::of_comparison(&comparison.devices, cells, made).write(home)?;
    manifest::write(&published(folder::comparison_files(home)?, home)?)?;
    Ok(())
}

/// Problems of the comparisons, which end the program with an error.
#[derive(Default)]
struct Problems {
    violations: Vec<String>,
    failed: Vec<String>,
}

impl Problems {
    fn add(&mut self, comparison: &DeviceComparison) {
        let named = |text: String| format!("{}: {text}", comparison.spec);
        let broken = comparison.arms.iter().flat_map(violations);
        self.violations.extend(broken.map(named));
        let failed = comparison.arms.iter().flat_map(failures);
        self.failed.extend(failed.map(named));
    }

    fn ended(mut self) -> Result<Code, Failure> {
        let code = match (self.violations.is_empty(), self.failed.is_empty()) {
            (true, true) => return Ok(Code::Done),
            (false, _) => Code::Differs,
            (true, false) => Code::CellsFailed,
        };
        self.violations.extend(self.failed);
        Err(Failure::several(code, self.violations))
    }
}

/// The first violation of an arm on each device.
fn violations(arm: &ArmComparison) -> Vec<String> {
    let tell = |on: &OnDevice<Parity>| {
        let Measured::Done(parity) = &on.outcome else {
            return None;
        };
        let broken = first_violation(parity, arm.baseline.as_ref()?)?;
        Some(format!(
            "`{}` on `{}` deviates from double precision at step {}: the {} differs by {:.1e}, bound \
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

/// Failed measurements of an arm.
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
        if let TimingOutcome::Failed { error } = &timed.outcome {
            failed.push(tell("times", &timed.device, error));
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit;
    use crate::compare::measure::parity::broken;
    use std::process::ExitCode;

    #[test]
    fn broken_kernel_ends_with_code_4() {
        let comparison = broken::comparison();
        let mut found = Problems::default();
        found.add(&comparison);
        assert!(found.failed.is_empty(), "{:?}", found.failed);
        assert_eq!(found.violations.len(), comparison.devices.len());
        for (said, device) in found.violations.iter().zip(&comparison.devices) {
            let expected = format!(
                "smoke: `{}` on `{}` deviates from double precision at step 3: the gradient of \
                 head.weight differs by",
                comparison.arms[0].arm, device.name
            );
            assert!(said.starts_with(&expected), "{said}");
        }
        let console = Console::new(true, 0);
        assert_eq!(exit::code(found.ended(), &console), ExitCode::from(4));
    }

    #[test]
    fn failed_measurement_ends_with_code_3() {
        let mut comparison = crate::compare::results::fixture::comparison(3, 0.0);
        let ended = |comparison: &DeviceComparison| {
            let mut found = Problems::default();
            found.add(comparison);
            exit::code(found.ended(), &Console::new(true, 0))
        };
        assert_eq!(ended(&comparison), ExitCode::SUCCESS);
        comparison.arms[0].parity[1].outcome = Measured::Failed {
            error: "lost".into(),
        };
        assert_eq!(ended(&comparison), ExitCode::from(3));
    }
}
