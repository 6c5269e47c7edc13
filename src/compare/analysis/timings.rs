//! Analysis of step times: rates, speedups, crossovers between devices, and start-up costs.

use crate::compare::results::{ArmComparison, SizeTiming, StepTimes, TimingOutcome, TrainingSize};
use crate::device::{DeviceInfo, DeviceKind};
use crate::stats::{Crossing, Estimate, Sample, crossing};

/// Confidence level of all intervals of times.
pub const CONFIDENCE: f64 = 0.95;

/// A dimension of size that is varied for the net of the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Number of nets that train at the same time.
    Replicas,
    /// Width of the hidden layers, relative to the spec.
    Width,
    /// Examples per step and net.
    Batch,
}

impl Axis {
    /// All axes.
    pub const ALL: [Self; 3] = [Self::Replicas, Self::Width, Self::Batch];

    /// The coordinate of `size` on the axis.
    pub fn of(self, size: TrainingSize) -> f64 {
        match self {
            Self::Replicas => size.replicas as f64,
            Self::Width => size.width,
            Self::Batch => size.batch as f64,
        }
    }
}

/// The step times of one arm.
#[derive(Clone, Copy, Debug)]
pub struct ArmTimings<'a>(pub &'a ArmComparison);

/// The size from which one device is faster than another.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossover {
    /// Crossover of the medians.
    pub crossing: Crossing,
    /// Smallest crossover that the intervals of the ratios allow; `None` if it is outside the measured
    /// sizes.
    pub earliest: Option<f64>,
    /// Largest crossover that the intervals allow, likewise.
    pub latest: Option<f64>,
}

impl<'a> ArmTimings<'a> {
    /// The size of the spec, with one net.
    pub fn one(self) -> TrainingSize {
        TrainingSize {
            replicas: 1,
            width: 1.0,
            batch: self.0.batch,
        }
    }

    /// Whether `size` differs from the size of the spec along `axis` only.
    pub fn is_on(self, axis: Axis, size: TrainingSize) -> bool {
        let one = self.one();
        match axis {
            Axis::Replicas => (size.width, size.batch) == (one.width, one.batch),
            Axis::Width => (size.replicas, size.batch) == (one.replicas, one.batch),
            Axis::Batch => (size.replicas, size.width) == (one.replicas, one.width),
        }
    }

    /// The measured sizes along `axis`, ascending.
    pub fn along(self, axis: Axis) -> Vec<TrainingSize> {
        let sizes = self.0.speed.iter().map(|timed| timed.size);
        let mut sizes: Vec<TrainingSize> = sizes.filter(|size| self.is_on(axis, *size)).collect();
        sizes.sort_by(|a, b| axis.of(*a).total_cmp(&axis.of(*b)));
        sizes.dedup();
        sizes
    }

    /// The outcome of `size` on `device`.
    pub fn outcome(self, device: &str, size: TrainingSize) -> Option<&'a TimingOutcome> {
        let found = |timed: &&SizeTiming| timed.device == device && timed.size == size;
        self.0.speed.iter().find(found).map(|timed| &timed.outcome)
    }

    /// The step times of `size` on `device`, if they were measured.
    pub fn speed(self, device: &str, size: TrainingSize) -> Option<&'a StepTimes> {
        match self.outcome(device, size)? {
            TimingOutcome::Done(speed) => Some(speed),
            _ => None,
        }
    }

    /// The seconds per step of its windows.
    pub(super) fn sample(self, device: &str, size: TrainingSize) -> Option<Sample> {
        positive_sample(&self.speed(device, size)?.step)
    }

    /// Seconds per step of all replicas: the median over windows.
    pub fn step(self, device: &str, size: TrainingSize) -> Option<Estimate> {
        Some(Estimate::median(&self.sample(device, size)?, CONFIDENCE))
    }

    /// Examples per second over all replicas.
    pub fn rate(self, device: &str, size: TrainingSize) -> Option<Estimate> {
        let examples = (size.replicas * size.batch) as f64;
        Some(self.step(device, size)?.divide_into(examples))
    }

    /// How many times as fast `device` is as `reference`.
    pub fn speedup(self, device: &str, reference: &str, size: TrainingSize) -> Option<Estimate> {
        let (over, under) = (self.speed(reference, size)?, self.speed(device, size)?);
        time_ratio(&over.step, &under.step)
    }

    /// Time of a step of `size` relative to a step of one net.
    pub fn step_growth(self, device: &str, size: TrainingSize) -> Option<Estimate> {
        let (over, under) = (self.speed(device, size)?, self.speed(device, self.one())?);
        time_ratio(&over.step, &under.step)
    }

    /// Start-up cost: seconds that the first step takes longer than a usual one.
    pub fn start_up(self, device: &str, size: TrainingSize) -> Option<f64> {
        let first_step = self.speed(device, size)?.first_step;
        Some((first_step - self.step(device, size)?.value).max(0.0))
    }

    /// The size along `axis` from which `device` is faster than `reference`. `None` if no size was
    /// timed on both.
    pub fn crossover(self, axis: Axis, device: &str, reference: &str) -> Option<Crossover> {
        let sizes = self.along(axis).into_iter();
        let ratios: Vec<(f64, Estimate)> = sizes
            .filter_map(|size| Some((axis.of(size), self.speedup(device, reference, size)?)))
            .collect();
        let by = |ratio: &dyn Fn(&Estimate) -> Option<f64>| {
            let point = |(size, estimate): &(f64, Estimate)| Some((*size, ratio(estimate)?));
            let points: Option<Vec<(f64, f64)>> = ratios.iter().map(point).collect();
            crossing(&points?)
        };
        let at = |crossing| match crossing {
            Some(Crossing::At(size)) => Some(size),
            _ => None,
        };
        Some(Crossover {
            crossing: by(&|e| Some(e.value))?,
            earliest: at(by(&|e| e.interval.map(|i| i.high))),
            latest: at(by(&|e| e.interval.map(|i| i.low))),
        })
    }
}

/// The ratio of the medians of `over` and `under`, with its interval. `None` without times or if a time
/// is not positive.
pub fn time_ratio(over: &[f64], under: &[f64]) -> Option<Estimate> {
    let (over, under) = (positive_sample(over)?, positive_sample(under)?);
    Some(Estimate::ratio_of_medians(&over, &under, CONFIDENCE))
}

fn positive_sample(times: &[f64]) -> Option<Sample> {
    let sample = Sample::new(times.to_vec()).ok()?;
    (sample.min() > 0.0).then_some(sample)
}

/// The pairs (device, reference) to compare: every other device with every CPU device; without both
/// kinds, every device with the first.
pub fn device_pairs(devices: &[DeviceInfo]) -> Vec<(&DeviceInfo, &DeviceInfo)> {
    let is_cpu = |device: &&DeviceInfo| device.kind == DeviceKind::Cpu;
    let (cpus, others): (Vec<_>, Vec<_>) = devices.iter().partition(is_cpu);
    if cpus.is_empty() || others.is_empty() {
        let mut all = devices.iter();
        let first = all.next();
        return all.zip(first.into_iter().cycle()).collect();
    }
    let against = |device| cpus.iter().map(move |cpu| (device, *cpu));
    others.into_iter().flat_map(against).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::analysis::fixture::{SPREAD, comparison, size};
    use crate::compare::results::DeviceComparison;
    use crate::stats::Interval;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs()
    }

    fn first(comparison: &DeviceComparison) -> ArmTimings<'_> {
        ArmTimings(&comparison.arms[0])
    }

    #[test]
    fn sizes_along_an_axis_are_ascending() {
        let comparison = comparison();
        let timings = first(&comparison);
        let along = |axis: Axis| -> Vec<f64> {
            timings
                .along(axis)
                .into_iter()
                .map(|size| axis.of(size))
                .collect()
        };
        assert_eq!(along(Axis::Replicas), [1.0, 4.0, 16.0, 64.0]);
        assert_eq!(along(Axis::Width), [0.5, 1.0, 2.0, 4.0]);
        assert_eq!(along(Axis::Batch), [16.0, 32.0, 64.0, 128.0]);
    }

    #[test]
    fn rates_and_ratios_use_medians() {
        let comparison = comparison();
        let timings = first(&comparison);
        // 1 ms per net on the CPU; 4 ms plus 0.25 ms per net on the GPU.
        let sixteen = size(16, 1.0, 32);
        assert!(near(timings.step("flex", sixteen).unwrap().value, 0.016));
        let rate = timings.rate("flex", sixteen).unwrap();
        assert!(near(rate.value, 32_000.0));
        let Interval { low, high } = rate.interval.unwrap();
        assert!(low < rate.value && rate.value < high);
        let speedup = timings.speedup("wgpu", "flex", sixteen).unwrap();
        assert!(near(speedup.value, 2.0));
        let ends = speedup.interval.unwrap();
        assert!(ends.low > 2.0 * (1.0 - 2.0 * SPREAD) && ends.high < 2.0 * (1.0 + 3.0 * SPREAD));
        assert!(near(
            timings
                .step_growth("wgpu", size(64, 1.0, 32))
                .unwrap()
                .value,
            20.0 / 4.25
        ));
    }

    #[test]
    fn start_up_is_the_excess_of_the_first_step() {
        let comparison = comparison();
        let timings = first(&comparison);
        let start_up = timings.start_up("wgpu", timings.one()).unwrap();
        assert!(near(start_up, 2.0), "{start_up}");
        assert!(timings.start_up("flex", timings.one()).unwrap() < 1e-9);
    }

    #[test]
    fn crossover_is_where_both_lines_cross() {
        let comparison = comparison();
        let timings = first(&comparison);
        let found = timings.crossover(Axis::Replicas, "wgpu", "flex").unwrap();
        // In logarithms between 4 nets (4 and 5 ms) and 16 nets (16 and 8 ms).
        let expected = 4.0 * 4.0_f64.powf(1.25_f64.ln() / 2.5_f64.ln());
        let Crossing::At(size) = found.crossing else {
            panic!("{found:?}")
        };
        assert!(near(size, expected), "{size}");
        let (earliest, latest) = (found.earliest.unwrap(), found.latest.unwrap());
        assert!(earliest < size && size < latest && latest < 1.2 * earliest);
        let back = timings.crossover(Axis::Replicas, "flex", "wgpu").unwrap();
        assert_eq!(back.crossing, Crossing::Only(vec![1.0, 4.0]));
        assert_eq!(timings.crossover(Axis::Width, "wgpu", "none"), None);
    }

    #[test]
    fn failed_size_is_excluded() {
        let mut comparison = comparison();
        for timed in &mut comparison.arms[0].speed {
            if timed.device == "wgpu" && timed.size.replicas == 64 {
                timed.outcome = TimingOutcome::Failed {
                    error: "lost".into(),
                };
            }
        }
        let timings = first(&comparison);
        assert_eq!(timings.rate("wgpu", size(64, 1.0, 32)), None);
        assert!(timings.rate("flex", size(64, 1.0, 32)).is_some());
        let found = timings.crossover(Axis::Replicas, "wgpu", "flex").unwrap();
        assert!(matches!(found.crossing, Crossing::At(_)));
    }

    #[test]
    fn gpus_are_paired_with_cpus() {
        let named = |name: &str, kind| {
            let mut device = comparison().devices.remove(0);
            name.clone_into(&mut device.name);
            device.kind = kind;
            device
        };
        let names = |devices: &[DeviceInfo]| -> Vec<(String, String)> {
            let pairs = device_pairs(devices).into_iter();
            pairs
                .map(|(a, b)| (a.name.clone(), b.name.clone()))
                .collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let (flex, ndarray) = (
            named("flex", DeviceKind::Cpu),
            named("ndarray", DeviceKind::Cpu),
        );
        let wgpu = named("wgpu", DeviceKind::SoftwareAdapter);
        assert_eq!(
            names(&[ndarray.clone(), wgpu.clone(), flex.clone()]),
            [pair("wgpu", "ndarray"), pair("wgpu", "flex")]
        );
        assert_eq!(names(&[flex.clone(), ndarray]), [pair("ndarray", "flex")]);
        assert!(device_pairs(&[flex]).is_empty());
    }
}
