//! `ablate plan`.

use super::arguments::{Format, FormatArg, RunSettings};
use super::console::Console;
use super::exit::{Code, Failure};
use super::folder::summary_of;
use super::run;
use super::trainer;
use super::work::Work;
use crate::analysis::{PowerForecast, SdSource, Summary, power_forecast};
use crate::plan::warnings;
use crate::spec::{Contrast, Expect};
use crate::text::counted;
use crate::text::number::{decimals, fixed};
use crate::text::wrap::paragraph;
use crate::trainer::Job;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: run::Args,
    /// Skip the time estimate, which trains a few steps
    #[arg(long)]
    no_time: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// The preview of one experiment.
#[derive(Debug, Serialize)]
struct Planned {
    name: String,
    title: String,
    arms: usize,
    seeds: usize,
    /// Distinct cells.
    cells: usize,
    /// Cells with a record in the journal.
    recorded: usize,
    /// Cells with a record in the committed `runs.jsonl` only.
    committed: usize,
    /// Cells that a run trains.
    to_train: usize,
    /// Jobs that contain these cells.
    jobs: usize,
    /// Estimated seconds of the run; absent if not estimated.
    seconds: Option<f64>,
    contrasts: Vec<PowerForecast>,
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
struct Warning {
    what: String,
    advice: String,
}

pub(super) fn plan(args: &Args, console: &Console) -> Result<Code, Failure> {
    let (works, results) = args.run.work()?;
    run::find_device(&works, &args.run.settings, console)?;
    for text in works.iter().flat_map(|work| &work.damaged) {
        console.warn(&format!("{text}; its cell counts as missing"));
    }
    let mut planned = Vec::new();
    for work in &works {
        let seconds = match args.no_time {
            true => None,
            false => estimate_seconds(work, &args.run.settings, &results.folder, console)?,
        };
        let summary = summary_of(&work.plan.spec.name, &results.folder);
        planned.push(describe(work, summary.as_ref(), seconds));
    }
    match args.format.format {
        Format::Json => console.print_json(&planned)?,
        Format::Text => console.print(&text(&works, &planned, &results.to_string()))?,
    }
    Ok(Code::Done)
}

fn describe(work: &Work, summary: Option<&Summary>, seconds: Option<f64>) -> Planned {
    let spec = &work.plan.spec;
    let found = warnings(spec).into_iter().map(|warning| Warning {
        what: warning.to_string(),
        advice: warning.advice(),
    });
    Planned {
        name: spec.name.clone(),
        title: spec.title.clone(),
        arms: spec.arms.len(),
        seeds: spec.seeds.len(),
        cells: work.plan.ids().len(),
        recorded: work.recorded,
        committed: work.committed,
        to_train: work.to_train(),
        jobs: work.jobs.len(),
        seconds,
        contrasts: power_forecast(spec, summary),
        warnings: found.collect(),
    }
}

/// Estimates the seconds of all jobs. One job per arm is timed and scaled to the number of cells of
/// the others. As many jobs are timed in parallel as a run trains, because parallel jobs slow each
/// other down.
fn estimate_seconds(
    work: &Work,
    settings: &RunSettings,
    results: &Path,
    console: &Console,
) -> Result<Option<f64>, Failure> {
    let spec = &work.plan.spec;
    let workers = settings.jobs(spec).min(work.jobs.len()).max(1);
    let (device, folder) = (&work.plan.device, results.join(&spec.name));
    let trainer = trainer::trainer_of(spec, device, settings.isolate, workers, &folder)?;
    let mut firsts: Vec<&Job> = Vec::new();
    for job in &work.jobs {
        if !firsts.iter().any(|first| first.arm == job.arm) {
            firsts.push(job);
        }
    }
    let name = &work.plan.spec.name;
    console.detail(&format!("{name}: timing {}", counted(firsts.len(), "arm")));
    let next = AtomicUsize::new(0);
    let timed: Mutex<BTreeMap<&str, Option<f64>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = firsts.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let seconds = trainer.estimate(job);
                    let per_cell = seconds.map(|seconds| seconds / job.cells.len() as f64);
                    let mut timed = timed.lock().unwrap_or_else(PoisonError::into_inner);
                    timed.insert(&job.arm, per_cell);
                }
            });
        }
    });
    let timed = timed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if spec.program.is_some() && timed.values().any(Option::is_none) {
        console.info(&format!(
            "{name}: no time estimate before the first run of the program"
        ));
        return Ok(None);
    }
    if let Some((arm, _)) = timed.iter().find(|(_, seconds)| seconds.is_none()) {
        console.info(&format!(
            "{name}: no time estimate, because arm `{arm}` cannot be trained here; see `ablate data list` \
             for missing data"
        ));
        return Ok(None);
    }
    let jobs = work.jobs.iter().map(|job| {
        let per_cell = timed.get(job.arm.as_str()).copied().flatten();
        per_cell.unwrap_or(0.0) * job.cells.len() as f64
    });
    Ok(Some(makespan(jobs, workers)))
}

/// Time at which the last of `jobs` ends if each free worker takes the next job.
fn makespan(jobs: impl Iterator<Item = f64>, workers: usize) -> f64 {
    let mut ends = vec![0.0f64; workers.max(1)];
    for seconds in jobs {
        let first = ends.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let free = first.map_or(0, |(worker, _)| worker);
        ends[free] += seconds;
    }
    ends.into_iter().fold(0.0, f64::max)
}

fn text(works: &[Work], planned: &[Planned], results: &str) -> String {
    let mut out = String::new();
    for (work, plan) in works.iter().zip(planned) {
        out.push_str(&format!("{}: {}\n", plan.name, plan.title));
        out.push_str(&paragraph(1, &cells(plan, results)));
        out.push_str(&committed(plan));
        for (contrast, forecast) in work.plan.spec.contrasts.iter().zip(&plan.contrasts) {
            out.push_str(&paragraph(1, &power(contrast, forecast)));
        }
        for warning in &plan.warnings {
            out.push_str(&paragraph(1, &format!("warning: {}", warning.what)));
            out.push_str(&paragraph(2, &format!("advice: {}", warning.advice)));
        }
        out.push('\n');
    }
    let to_train: usize = planned.iter().map(|plan| plan.to_train).sum();
    let seconds: Option<f64> = planned.iter().map(|plan| plan.seconds).sum();
    let time = seconds.map_or(String::new(), |s| format!(", about {}", duration(s)));
    out + &format!("total: {} to train{time}\n", counted(to_train, "cell"))
}

fn cells(plan: &Planned, results: &str) -> String {
    let mut text = format!(
        "  {} ({}, {}): {} recorded in `{results}`, {} to train in {}",
        counted(plan.cells, "cell"),
        counted(plan.arms, "arm"),
        counted(plan.seeds, "seed"),
        plan.recorded,
        plan.to_train,
        counted(plan.jobs, "job"),
    );
    if let Some(seconds) = plan.seconds.filter(|_| plan.to_train > 0) {
        text.push_str(&format!(", about {}", duration(seconds)));
    }
    text
}

/// A paragraph about cells that are trained again although `runs.jsonl` has them.
fn committed(plan: &Planned) -> String {
    if plan.committed == 0 || plan.to_train == 0 {
        return String::new();
    }
    let cells = counted(plan.committed.min(plan.to_train), "cell");
    paragraph(
        1,
        &format!("{cells} from `runs.jsonl` will be trained again; `--adopt` reuses them instead"),
    )
}

/// The smallest difference or margin that a contrast can show.
fn power(contrast: &Contrast, forecast: &PowerForecast) -> String {
    let unit = contrast.metric.unit();
    let start = format!("`{}` ({})", contrast.name, contrast.metric.label());
    let Some(sd) = forecast.sd else {
        return format!("{start}: its power is unknown before the first results");
    };
    if sd == 0.0 {
        return format!("{start}: all recorded differences are equal");
    }
    let d = decimals(Some(sd), 2);
    let shown = match contrast.expect {
        Expect::Equivalent => forecast
            .equivalence_margin
            .map(|m| format!("equivalence within {} {unit}", fixed(m, d))),
        Expect::Better | Expect::Worse | Expect::Differs => forecast
            .difference
            .map(|x| format!("a difference of {} {unit}", fixed(x, d))),
    };
    let Some(shown) = shown else {
        return format!("{start}: cannot show a difference of any size");
    };
    let known = match forecast.source {
        SdSource::Recorded => "recorded",
        SdSource::Assumed | SdSource::Unknown => "assumed",
    };
    format!(
        "{start}: can show {shown} with 80 % power (margin {}, {known} SD of differences {})",
        contrast.margin,
        fixed(sd, d)
    )
}

/// A time in seconds, minutes or hours.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makespan_is_the_end_of_the_last_job() {
        assert_eq!(makespan([3.0, 1.0, 1.0, 1.0].into_iter(), 2), 3.0);
        assert_eq!(makespan([1.0, 1.0, 5.0].into_iter(), 2), 6.0);
        assert_eq!(makespan([1.0, 2.0].into_iter(), 1), 3.0);
        assert_eq!(makespan([].into_iter(), 2), 0.0);
    }

    #[test]
    fn durations_use_the_largest_fitting_unit() {
        assert_eq!(duration(1.4), "1 s");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(7_200.0), "2.0 h");
    }
}
