//! The time that a run takes, estimated from a few steps of each arm.

use super::arguments::RunSettings;
use super::console::Console;
use super::exit::Failure;
use super::trainer;
use super::work::Survey;
use crate::recipe::Probe;
use crate::text::counted;
use crate::trainer::{Job, Trainer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Estimates the seconds of all jobs; `None`, with a notice, if that is not possible. One job per arm is
/// timed and scaled to the number of cells of the others. As many jobs are timed in parallel as a run
/// trains, because parallel jobs slow each other down.
pub(super) fn seconds(
    survey: &Survey,
    settings: &RunSettings,
    results: &Path,
    console: &Console,
) -> Result<Option<f64>, Failure> {
    let spec = &survey.spec;
    let workers = settings.jobs(spec).min(survey.sizes().count()).max(1);
    let (device, folder) = (&survey.device, results.join(&spec.name));
    let trainer = trainer::trainer_of(spec, device, settings.isolate, workers, &folder)?;
    let firsts: Vec<&Job> = survey
        .arms
        .iter()
        .filter_map(|arm| arm.first.as_ref())
        .collect();
    let name = &spec.name;
    console.detail(&format!("{name}: timing {}", counted(firsts.len(), "arm")));
    let next = AtomicUsize::new(0);
    let timed: Mutex<BTreeMap<&str, Option<f64>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = firsts.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let seconds = of_job(trainer.as_ref(), job);
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
    let jobs = survey.sizes().map(|(arm, cells)| {
        let per_cell = timed.get(arm).copied().flatten();
        per_cell.unwrap_or(0.0) * cells as f64
    });
    Ok(Some(makespan(jobs, workers)))
}

/// Seconds of `job` alone. A trainer times the first steps, which are not typical in two cases.
///
/// After a planted fault every step costs more, because a copy of the net without the fault takes it, too,
/// and the losses of both are measured. So a job with a fault is timed a second time, with the fault before
/// the first step. The probe of running averages measures after steps 1, 2, 5, 10, ..., mostly the timed
/// ones. It is left out: its dozen measurements are few beside the evaluations.
fn of_job(trainer: &dyn Trainer, job: &Job) -> Option<f64> {
    let mut job = job.clone();
    if let Some(net) = job.recipe.net_mut() {
        net.probes.retain(|probe| *probe != Probe::RunningAverages);
    }
    let before = trainer.estimate(&job)?;
    let Some((planted, share)) = planted_at_once(&job) else {
        return Some(before);
    };
    let after = trainer.estimate(&planted)?;
    Some((1.0 - share) * before + share * after)
}

/// `job` with its fault planted before the first step, and the share of the training that follows the fault;
/// `None` without a fault. A fault that waits for a loss is taken to come at half of its latest time.
fn planted_at_once(job: &Job) -> Option<(Job, f64)> {
    let mut planted = job.clone();
    let train = &mut planted.recipe.net_mut()?.train;
    let length = train.length.count() as f64;
    let fault = train.fault.as_mut()?;
    let latest = std::mem::take(&mut fault.after) as f64;
    let expected = match fault.at_nll.take() {
        Some(_) => latest / 2.0,
        None => latest,
    };
    Some((planted, 1.0 - expected / length))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::recipe::{PlantedFault, Repair};
    use crate::record::CellRecord;
    use crate::run::fake;
    use crate::trainer::{Progress, StopFlag};

    #[test]
    fn makespan_is_the_end_of_the_last_job() {
        assert_eq!(makespan([3.0, 1.0, 1.0, 1.0].into_iter(), 2), 3.0);
        assert_eq!(makespan([1.0, 1.0, 5.0].into_iter(), 2), 6.0);
        assert_eq!(makespan([1.0, 2.0].into_iter(), 1), 3.0);
        assert_eq!(makespan([].into_iter(), 2), 0.0);
    }

    /// Takes 10 seconds, or 50 with a fault before the first step.
    struct TimesFaults;

    impl Trainer for TimesFaults {
        fn train(&self, _: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
            None
        }

        fn estimate(&self, job: &Job) -> Option<f64> {
            let fault = job.net()?.train.fault.as_ref();
            let at_once = fault.is_some_and(|f| f.after == 0 && f.at_nll.is_none());
            Some(if at_once { 50.0 } else { 10.0 })
        }
    }

    #[test]
    fn probe_of_the_first_steps_is_not_timed() {
        /// Takes a second per probe.
        struct TimesProbes;
        impl Trainer for TimesProbes {
            fn train(&self, _: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
                None
            }

            fn estimate(&self, job: &Job) -> Option<f64> {
                Some(job.net()?.probes.len() as f64)
            }
        }
        let mut spec = fake::spec(&["a"], 1);
        let net = spec.arms[0].recipe.net_mut().expect("a net");
        net.probes = vec![Probe::RunningAverages, Probe::Saturation];
        let job = Plan::new(&spec, "flex", 1, "f").jobs(|_| true).remove(0);
        assert_eq!(of_job(&TimesProbes, &job), Some(1.0));
    }

    #[test]
    fn steps_after_a_fault_count_with_their_own_time() {
        let estimate = |after: Option<usize>, at_nll| {
            let mut spec = fake::spec(&["a"], 1);
            let train = &mut spec.arms[0].recipe.net_mut().expect("a net").train;
            train.length = crate::recipe::Length::Steps(100);
            train.fault = after.map(|after| PlantedFault {
                after,
                at_nll,
                layer: 0,
                units: 1,
                repair: Repair::All,
            });
            let job = Plan::new(&spec, "flex", 1, "f").jobs(|_| true).remove(0);
            of_job(&TimesFaults, &job).expect("an estimate")
        };
        assert_eq!(estimate(None, None), 10.0);
        assert_eq!(estimate(Some(50), None), 30.0);
        assert_eq!(estimate(Some(75), None), 20.0);
        // At equal loss: expected after 30 of 100 steps.
        assert_eq!(estimate(Some(60), Some(0.25)), 38.0);
    }
}
