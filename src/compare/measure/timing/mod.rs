//! Step times of an arm on several devices, by number of replicas, width and batch size.

pub mod concurrent;
pub mod stopwatch;

use crate::compare::results::{SizeTiming, StepTimes, TimingConfig, TimingOutcome, TrainingSize};
use crate::data::{self, DataError, Dataset, SplitSizes};
use crate::device;
use crate::machine::cores;
use crate::recipe::{DataConfig, Length, NetRecipe, Recipe, TrainConfig};
use crate::run::message;
use crate::spec::Arm;
use crate::train::TrainError;
use crate::trainer::{Job, JobCell};
use ablate_models::zoo::{Cost, ModelConfig};
use concurrent::{ConcurrentJobs, kernel_threads, split_jobs};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use stopwatch::{Stepper, StopwatchError, StopwatchTimes, time_interleaved};

/// The sizes at which an arm is timed: one net as in the spec, and one axis at a time from there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeGrid {
    /// Numbers of nets that train at the same time.
    pub replicas: Vec<usize>,
    /// Widths, relative to the spec.
    pub widths: Vec<f64>,
    /// Batch sizes, relative to the spec.
    pub batches: Vec<f64>,
}

impl Default for SizeGrid {
    fn default() -> Self {
        Self {
            replicas: vec![1, 4, 16, 64],
            widths: vec![0.5, 1.0, 2.0, 4.0],
            batches: vec![0.5, 1.0, 2.0, 4.0],
        }
    }
}

impl SizeGrid {
    /// Every size once, for an arm with batches of `batch` examples: the net of the spec first, then
    /// all others by increasing work.
    pub fn sizes(&self, batch: usize) -> Vec<TrainingSize> {
        let one = TrainingSize {
            replicas: 1,
            width: 1.0,
            batch,
        };
        let replicas = self
            .replicas
            .iter()
            .map(|&replicas| TrainingSize { replicas, ..one });
        let widths = self
            .widths
            .iter()
            .map(|&width| TrainingSize { width, ..one });
        let batches = self.batches.iter().map(|&share| TrainingSize {
            batch: ((batch as f64 * share).round() as usize).max(1),
            ..one
        });
        let mut others: Vec<TrainingSize> = Vec::new();
        for size in replicas.chain(widths).chain(batches) {
            if size != one && !others.contains(&size) {
                others.push(size);
            }
        }
        let work = |size: &TrainingSize| (size.replicas * size.batch) as f64 * size.width.powi(2);
        others.sort_by(|a, b| work(a).total_cmp(&work(b)));
        std::iter::once(one).chain(others).collect()
    }
}

/// A size of an arm to time, on devices that share this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimingRequest {
    /// Names of the devices, which are timed in interleaved windows.
    pub devices: Vec<String>,
    /// Name of the arm.
    pub arm: String,
    /// The data.
    pub data: DataConfig,
    /// The model, with the width of the spec.
    pub model: ModelConfig,
    /// The training; its batch size is replaced.
    pub train: TrainConfig,
    /// Learning rate.
    pub learning_rate: f64,
    /// The size.
    pub size: TrainingSize,
    /// Settings of the stopwatch.
    pub timing: TimingConfig,
}

impl TimingRequest {
    /// `arm`, which trains `net`, at `size`, at its lowest learning rate: a step takes the same time at any rate, as long as
    /// the loss is finite. A planted fault is removed, because it changes the training.
    pub fn new(
        arm: &Arm,
        net: &NetRecipe,
        devices: Vec<String>,
        size: TrainingSize,
        timing: &TimingConfig,
    ) -> Self {
        let rates = arm.learning_rates.iter().copied();
        Self {
            devices,
            arm: arm.name.clone(),
            data: net.data.clone(),
            model: net.model.clone(),
            train: TrainConfig {
                fault: None,
                ..net.train.clone()
            },
            learning_rate: rates.fold(f64::INFINITY, f64::min),
            size,
            timing: *timing,
        }
    }

    /// The jobs on `device`, of nets that cost `cost` each. Replicas on a CPU are divided among its
    /// cores; on another device they form one stack.
    fn jobs(&self, device: &str, cost: Cost) -> Vec<Job> {
        let cell = |seed: usize| JobCell {
            id: String::new(),
            seed: seed as u64,
            learning_rate: Some(self.learning_rate),
        };
        let job = Job {
            arm: self.arm.clone(),
            device: device.to_owned(),
            recipe: Recipe::Net(NetRecipe {
                data: self.data.clone(),
                model: widened(&self.model, self.size.width),
                train: TrainConfig {
                    batch_size: self.size.batch,
                    ..self.train.clone()
                },
                probes: Vec::new(),
            }),
            cells: (0..self.size.replicas).map(cell).collect(),
            until: None,
        };
        match device::is_cpu(device) {
            true => split_jobs(&job, cost, cores()),
            false => vec![job],
        }
    }

    /// The cost of one net; zero if it cannot be built, which [`measure`] reports.
    fn cost(&self, dataset: &Dataset) -> Cost {
        let input = [dataset.height, dataset.width, dataset.channels];
        let model = widened(&self.model, self.size.width);
        model.cost(input, dataset.classes).unwrap_or_default()
    }

    fn outcome(&self, device: &str, outcome: TimingOutcome) -> SizeTiming {
        SizeTiming {
            device: device.to_owned(),
            size: self.size,
            outcome,
        }
    }
}

/// `model` with the units and channels of its hidden layers multiplied by `width`, at least 1 each. A
/// model that is not of the zoo keeps its size.
fn widened(model: &ModelConfig, width: f64) -> ModelConfig {
    let mut model = model.clone();
    let widen = |units: &mut usize| *units = ((*units as f64 * width).round() as usize).max(1);
    model.widths_mut().into_iter().for_each(widen);
    model
}

/// Steps of `net` per unit of its training length: those of an epoch, or 1 if the length is given in
/// steps.
///
/// # Errors
/// If the data cannot be split as the recipe requires.
pub fn steps_per_unit(net: &NetRecipe, dataset: &Dataset) -> Result<usize, DataError> {
    let test = dataset.test.as_ref().map(data::Examples::len);
    Ok(match net.train.length {
        Length::Steps(_) => 1,
        Length::Epochs(_) => {
            let sizes = SplitSizes::new(&net.data, dataset.train.len(), test)?;
            sizes.train / net.train.batch_size
        }
    })
}

/// Times every size of `grid` on every device. `measure` gets the devices that still take part at a
/// size.
pub fn time_arm(
    arm: &Arm,
    devices: &[String],
    grid: &SizeGrid,
    timing: &TimingConfig,
    mut measure: impl FnMut(&TimingRequest) -> Vec<SizeTiming>,
) -> Vec<SizeTiming> {
    let mut all: Vec<SizeTiming> = Vec::new();
    let Some(net) = arm.net() else {
        return all;
    };
    for size in grid.sizes(net.train.batch_size) {
        let mut request = TimingRequest::new(arm, net, Vec::new(), size, timing);
        for device in devices {
            match skip_outcome(&all, device, size, timing) {
                Some(outcome) => all.push(request.outcome(device, outcome)),
                None => request.devices.push(device.clone()),
            }
        }
        if !request.devices.is_empty() {
            all.extend(measure(&request));
        }
    }
    all
}

/// The outcome of `size` on `device` if the earlier outcomes `all` decide it: too slow if a size that
/// is nowhere larger was, out of time if the other sizes took all of it.
fn skip_outcome(
    all: &[SizeTiming],
    device: &str,
    size: TrainingSize,
    timing: &TimingConfig,
) -> Option<TimingOutcome> {
    let before = || all.iter().filter(|timed| timed.device == device);
    for timed in before() {
        if let TimingOutcome::TooSlow {
            size: seen, step, ..
        } = timed.outcome
            && is_within(seen, size)
        {
            return Some(TimingOutcome::TooSlow {
                size: seen,
                step,
                spent: 0.0,
            });
        }
    }
    let spent: f64 = before().map(|timed| timed.outcome.spent()).sum();
    (spent >= timing.most).then_some(TimingOutcome::OutOfTime { spent })
}

/// Whether `small` is at most as large as `large` in every dimension.
fn is_within(small: TrainingSize, large: TrainingSize) -> bool {
    small.replicas <= large.replicas && small.width <= large.width && small.batch <= large.batch
}

/// Times the devices of `request`, one entry per device.
pub fn measure(request: &TimingRequest) -> Vec<SizeTiming> {
    let failed = |error: &dyn ToString| TimingOutcome::Failed {
        error: error.to_string(),
    };
    let dataset = match data::load(&request.data) {
        Ok(dataset) => dataset,
        Err(error) => {
            let outcome = |device: &String| request.outcome(device, failed(&error));
            return request.devices.iter().map(outcome).collect();
        }
    };
    let cost = request.cost(&dataset);
    let jobs: Vec<Vec<Job>> = (request.devices.iter())
        .map(|device| request.jobs(device, cost))
        .collect();
    let mut steppers: Vec<Box<dyn Stepper + '_>> = Vec::new();
    let refused: Vec<Option<TimingOutcome>> = (jobs.iter())
        .map(|jobs| match TimedJobs::new(&dataset, jobs) {
            Ok(running) => {
                steppers.push(Box::new(running));
                None
            }
            Err(refused) => Some(refused),
        })
        .collect();
    let mut times = time_interleaved(&mut steppers, &request.timing).into_iter();
    (request.devices.iter().zip(&jobs).zip(refused))
        .map(|((device, jobs), refused)| {
            let outcome = refused.or_else(|| match times.next()? {
                Ok(times) => Some(done(times, jobs.len(), cost)),
                Err(StopwatchError::TooSlow { step, spent }) => Some(TimingOutcome::TooSlow {
                    size: request.size,
                    step,
                    spent,
                }),
                Err(StopwatchError::Failed(error)) => Some(failed(&error)),
            });
            request.outcome(device, outcome.expect("a time for everyone who began"))
        })
        .collect()
}

fn done(times: StopwatchTimes, jobs: usize, cost: Cost) -> TimingOutcome {
    TimingOutcome::Done(StepTimes {
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
        jobs,
        first_step: times.first_step,
        warm_up: times.warm_up,
        warm_up_steps: times.warm_up_steps,
        settled: times.settled,
        steps: times.steps,
        step: times.step,
    })
}

/// Jobs in training, with panics of the device as errors.
struct TimedJobs<'a>(ConcurrentJobs<'a>);

impl<'a> TimedJobs<'a> {
    fn new(dataset: &Arc<Dataset>, jobs: &'a [Job]) -> Result<Self, TimingOutcome> {
        // A GPU keeps one queue per thread, so its work stays on one.
        let threads = match device::is_cpu(&jobs[0].device) {
            true => kernel_threads(jobs.len()),
            false => 1,
        };
        match catch_panic(|| ConcurrentJobs::new(dataset, jobs, threads)) {
            Ok(Ok(jobs)) => Ok(Self(jobs)),
            Ok(Err(error @ (TrainError::Model(_) | TrainError::Batch { .. }))) => {
                let reason = error.to_string();
                Err(TimingOutcome::Unfit { reason })
            }
            Ok(Err(error)) => Err(TimingOutcome::Failed {
                error: error.to_string(),
            }),
            Err(error) => Err(TimingOutcome::Failed { error }),
        }
    }
}

impl Stepper for TimedJobs<'_> {
    fn steps(&mut self, n: usize) -> Result<f64, String> {
        catch_panic(|| self.0.steps(n))?.map_err(|error| error.to_string())
    }
}

/// The result of `f`, or the message of its panic.
fn catch_panic<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f))
        .map_err(|panic| format!("the device panicked: {}", message(&*panic)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake;

    fn arm() -> Arm {
        fake::spec(&["a"], 1).arms.remove(0)
    }

    fn size(replicas: usize, width: f64, batch: usize) -> TrainingSize {
        TrainingSize {
            replicas,
            width,
            batch,
        }
    }

    /// So short that all numbers exist but mean nothing.
    fn hasty() -> TimingConfig {
        TimingConfig {
            window: 1e-3,
            repeats: 3,
            warm_up_least: 0.0,
            warm_up_most: 0.0,
            agreement: 1.0,
            longest_step: 1e9,
            most: 1e9,
        }
    }

    fn hidden(model: &ModelConfig) -> Vec<usize> {
        [model.conv_widths(), model.dense_widths()].concat()
    }

    #[test]
    fn grid_has_each_size_once_in_order() {
        let sizes = SizeGrid::default().sizes(32);
        assert_eq!(sizes.len(), 1 + 3 + 3 + 3);
        assert_eq!((sizes[0], sizes[9]), (size(1, 1.0, 32), size(64, 1.0, 32)));
        for wanted in [size(64, 1.0, 32), size(1, 0.5, 32), size(1, 1.0, 128)] {
            assert!(sizes.contains(&wanted), "{wanted:?}");
        }
        let least = SizeGrid::default().sizes(1);
        assert_eq!(least.len(), 1 + 3 + 3 + 2, "half of a batch of 1 is none");
    }

    #[test]
    fn width_scales_hidden_layers_only() {
        let cnn: ModelConfig = serde_json::from_value(serde_json::json!({
            "kind": "cnn", "channels": [3, 8], "dense": [10]
        }))
        .unwrap();
        assert_eq!(hidden(&widened(&cnn, 0.5)), [2, 4, 5]);
        assert_eq!(hidden(&widened(&cnn, 0.01)), [1, 1, 1]);
        assert_eq!(widened(&cnn, 1.0), cnn);
        let [four, one] = [4.0, 1.0].map(|width| widened(&arm().net().unwrap().model, width));
        let four_times: Vec<usize> = hidden(&one).iter().map(|units| 4 * units).collect();
        assert_eq!(hidden(&four), four_times);
    }

    #[test]
    fn replicas_split_on_cpus_and_stack_on_gpus() {
        let request = TimingRequest::new(
            &arm(),
            arm().net().unwrap(),
            Vec::new(),
            size(64, 2.0, 16),
            &hasty(),
        );
        for (device, jobs) in [("flex", cores().min(64)), ("wgpu", 1), ("wgpu:cpu", 1)] {
            let found = request.jobs(device, Cost::default());
            assert_eq!(found.len(), jobs, "{device}");
            let mut seeds: Vec<u64> = (found.iter().flat_map(|job| &job.cells))
                .map(|cell| cell.seed)
                .collect();
            seeds.sort_unstable();
            assert_eq!(seeds, (0..64).collect::<Vec<_>>());
            assert!(
                found
                    .iter()
                    .all(|job| job.net().unwrap().train.batch_size == 16)
            );
        }
    }

    #[test]
    fn steps_per_epoch_are_whole_batches() {
        let mut net = arm().net().unwrap().clone();
        let dataset = data::load(&net.data).unwrap();
        net.train.batch_size = 32;
        // A fifth of 1,797 is the test set and a fifth of the rest validation: 1,151 remain.
        assert_eq!(steps_per_unit(&net, &dataset).unwrap(), 1150 / 32);
        net.train.length = Length::Steps(100);
        assert_eq!(steps_per_unit(&net, &dataset).unwrap(), 1);
    }

    #[test]
    fn larger_sizes_than_a_too_slow_one_are_skipped() {
        let devices = ["fast".to_owned(), "slow".to_owned()];
        let mut asked = Vec::new();
        let grid = SizeGrid::default();
        let timed = time_arm(&arm(), &devices, &grid, &hasty(), |request| {
            asked.extend(request.devices.iter().map(|d| (d.clone(), request.size)));
            let outcome = |device: &String| {
                let outcome = match device == "slow" && request.size.replicas >= 4 {
                    true => TimingOutcome::TooSlow {
                        size: request.size,
                        step: 2.0,
                        spent: 7.0,
                    },
                    false => TimingOutcome::Failed {
                        error: "a failure says nothing about larger sizes".into(),
                    },
                };
                request.outcome(device, outcome)
            };
            request.devices.iter().map(outcome).collect()
        });
        assert_eq!(timed.len(), 2 * grid.sizes(32).len());
        let slow: Vec<usize> = (asked.iter())
            .filter(|(device, size)| device == "slow" && size.replicas > 1)
            .map(|(_, size)| size.replicas)
            .collect();
        assert_eq!(slow, [4]);
        let last = timed
            .iter()
            .find(|t| t.device == "slow" && t.size.replicas == 64);
        let TimingOutcome::TooSlow { size, step, .. } = &last.unwrap().outcome else {
            panic!("{last:?}")
        };
        assert_eq!(
            (size.replicas, *step),
            (4, 2.0),
            "it says where it was seen"
        );
    }

    #[test]
    fn largest_sizes_are_skipped_when_time_runs_out() {
        let devices = ["quick".to_owned(), "slow".to_owned()];
        let timing = TimingConfig {
            most: 25.0,
            ..hasty()
        };
        let timed = time_arm(&arm(), &devices, &SizeGrid::default(), &timing, |request| {
            let outcome = |device: &String| {
                let first_step = if device == "slow" { 9.0 } else { 0.5 };
                let speed = StepTimes {
                    parameters: 1,
                    multiply_adds: 1,
                    jobs: 1,
                    first_step,
                    warm_up: first_step,
                    warm_up_steps: 1,
                    settled: true,
                    steps: 2,
                    step: vec![0.25; 2],
                };
                request.outcome(device, TimingOutcome::Done(speed))
            };
            request.devices.iter().map(outcome).collect()
        });
        let left_out = |device: &str| -> Vec<TrainingSize> {
            let out = timed.iter().filter(|t| t.device == device);
            let out = out.filter(|t| t.outcome == TimingOutcome::OutOfTime { spent: 30.0 });
            out.map(|t| t.size).collect()
        };
        assert_eq!(left_out("quick"), []);
        let left_out = left_out("slow");
        assert_eq!(left_out.len(), timed.len() / 2 - 3, "ten seconds a size");
        assert!(left_out.contains(&size(64, 1.0, 32)) && !left_out.contains(&size(1, 0.5, 32)));
    }

    fn request(devices: &[&str], size: TrainingSize) -> TimingRequest {
        let devices = devices.iter().map(|&device| device.to_owned()).collect();
        TimingRequest::new(&arm(), arm().net().unwrap(), devices, size, &hasty())
    }

    #[test]
    fn oversized_batch_is_unfit_and_missing_device_fails() {
        let timed = measure(&request(&["flex"], size(1, 1.0, 5000)));
        let TimingOutcome::Unfit { reason } = &timed[0].outcome else {
            panic!("{timed:?}")
        };
        assert!(reason.contains("only 1150 examples"), "{reason}");
        let timed = measure(&request(&["no-such-device", "flex"], size(1, 1.0, 32)));
        assert!(
            matches!(&timed[0].outcome, TimingOutcome::Failed { error } if error.contains("no-such"))
        );
        assert!(
            matches!(timed[1].outcome, TimingOutcome::Done(_)),
            "{timed:?}"
        );
    }

    /// The times on `devices`, in this order.
    fn times(size: TrainingSize, devices: &[&str]) -> Vec<StepTimes> {
        let timed = measure(&request(devices, size));
        let names: Vec<&str> = timed.iter().map(|t| t.device.as_str()).collect();
        assert_eq!(names, devices);
        let speed = |timed: SizeTiming| match timed.outcome {
            TimingOutcome::Done(speed) => speed,
            other => panic!("{}: {other:?}", timed.device),
        };
        timed.into_iter().map(speed).collect()
    }

    #[test]
    fn every_device_reports_all_times() {
        let devices = device::built_in();
        let devices: Vec<&str> = (devices.into_iter())
            .filter(|name| *name != "cuda")
            .collect();
        let speeds = times(size(3, 1.0, 16), &devices);
        for speed in &speeds {
            assert_eq!(speed.parameters, speeds[0].parameters);
            assert_eq!(speed.step.len(), 3);
            assert!(speed.step.iter().all(|s| s.is_finite() && *s > 0.0));
            assert!(speed.first_step > 0.0 && speed.warm_up >= speed.first_step);
            assert!(speed.warm_up_steps >= 2 && speed.steps >= 1);
        }
    }

    #[test]
    fn wider_nets_have_more_parameters() {
        let [one, wide, large] = [(1.0, 16), (2.0, 16), (1.0, 64)].map(|(width, batch)| {
            let device = device::built_in_cpu()[0];
            times(size(1, width, batch), &[device]).remove(0)
        });
        assert!(wide.parameters > one.parameters && wide.multiply_adds > one.multiply_adds);
        assert_eq!(large.parameters, one.parameters);
        assert_eq!(
            large.multiply_adds, one.multiply_adds,
            "they are an example's"
        );
    }

    #[test]
    fn request_round_trips_through_json() {
        let request = request(&["flex"], size(4, 0.5, 8));
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(
            serde_json::from_str::<TimingRequest>(&text).unwrap(),
            request
        );
    }
}
