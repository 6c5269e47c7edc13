//! Performance targets of a GPU, set before any was measured.

use super::timings::ArmTimings;
use crate::compare::results::{ArmComparison, DeviceComparison, TrainingSize};
use crate::device::{DeviceInfo, DeviceKind};
use crate::stats::Estimate;

/// Number of nets at which a GPU is judged.
pub const TARGET_REPLICAS: usize = 64;

/// Smallest speedup over the fastest CPU, for convolutional nets.
pub const MIN_SPEEDUP: f64 = 10.0;

/// Upper limit of the step time relative to one net.
pub const MAX_STEP_GROWTH: f64 = 4.0;

/// A target at [`TARGET_REPLICAS`] nets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Convolutional nets train at least [`MIN_SPEEDUP`] times as fast as on the fastest CPU.
    Speedup,
    /// A step takes less than [`MAX_STEP_GROWTH`] times as long as a step of one net.
    StepGrowth,
}

/// An arm on a device, judged by a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetResult<'a> {
    /// The arm.
    pub arm: &'a ArmComparison,
    /// The device.
    pub device: &'a DeviceInfo,
    /// The ratio that the target limits, if it was measured.
    pub measured: Option<Estimate>,
    /// The verdict.
    pub status: TargetStatus,
}

/// Verdict of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetStatus {
    /// The whole interval meets the target.
    Met,
    /// No part of the interval meets the target.
    NotMet,
    /// Part of the interval meets the target.
    Undecided,
    /// There are no times at this number of nets.
    NotMeasured,
    /// The device is a software adapter, or of unknown kind.
    NotJudged,
}

impl Target {
    /// All targets.
    pub const ALL: [Self; 2] = [Self::Speedup, Self::StepGrowth];

    /// Every arm to which the target applies, on every device except the CPU devices.
    pub fn judge(self, comparison: &DeviceComparison) -> Vec<TargetResult<'_>> {
        let arms = comparison.arms.iter().filter(|arm| self.applies_to(arm));
        let devices = || {
            let devices = comparison.devices.iter();
            devices.filter(|device| device.kind != DeviceKind::Cpu)
        };
        arms.flat_map(|arm| devices().map(move |device| (arm, device)))
            .map(|(arm, device)| {
                let measured = self.measured(comparison, arm, device);
                TargetResult {
                    arm,
                    device,
                    measured,
                    status: self.status(device, measured),
                }
            })
            .collect()
    }

    fn applies_to(self, arm: &ArmComparison) -> bool {
        match self {
            Self::Speedup => is_convolutional(arm),
            Self::StepGrowth => true,
        }
    }

    fn measured(
        self,
        comparison: &DeviceComparison,
        arm: &ArmComparison,
        device: &DeviceInfo,
    ) -> Option<Estimate> {
        let timings = ArmTimings(arm);
        let size = TrainingSize {
            replicas: TARGET_REPLICAS,
            ..timings.one()
        };
        match self {
            Self::Speedup => {
                let devices = comparison.devices.iter();
                let cpus = devices.filter(|other| other.kind == DeviceKind::Cpu);
                cpus.filter_map(|cpu| timings.speedup(&device.name, &cpu.name, size))
                    .min_by(|a, b| a.value.total_cmp(&b.value))
            }
            Self::StepGrowth => timings.step_growth(&device.name, size),
        }
    }

    fn status(self, device: &DeviceInfo, measured: Option<Estimate>) -> TargetStatus {
        if matches!(
            device.kind,
            DeviceKind::SoftwareAdapter | DeviceKind::Unknown
        ) {
            return TargetStatus::NotJudged;
        }
        let Some(Estimate { value, interval }) = measured else {
            return TargetStatus::NotMeasured;
        };
        let ends = interval.map_or([value; 2], |ends| [ends.low, ends.high]);
        let meets = ends.map(|ratio| match self {
            Self::Speedup => ratio >= MIN_SPEEDUP,
            Self::StepGrowth => ratio < MAX_STEP_GROWTH,
        });
        match meets {
            [true, true] => TargetStatus::Met,
            [false, false] => TargetStatus::NotMet,
            _ => TargetStatus::Undecided,
        }
    }
}

/// Whether the arm reuses weights at several positions of an image, as only convolutions do.
fn is_convolutional(arm: &ArmComparison) -> bool {
    arm.multiply_adds > arm.parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::analysis::fixture::comparison;
    use crate::compare::results::TimingOutcome;

    /// Two arms, the second convolutional, with steps of 64 nets on the GPU slower by `factor`.
    fn slower(factor: f64) -> DeviceComparison {
        let mut comparison = comparison();
        comparison.arms[1].multiply_adds = 5000;
        for timed in comparison.arms.iter_mut().flat_map(|arm| &mut arm.speed) {
            if timed.device == "wgpu"
                && timed.size.replicas == TARGET_REPLICAS
                && let TimingOutcome::Done(speed) = &mut timed.outcome
            {
                speed.step.iter_mut().for_each(|step| *step *= factor);
            }
        }
        comparison
    }

    fn statuses(target: Target, comparison: &DeviceComparison) -> Vec<(&str, TargetStatus)> {
        let judged = target.judge(comparison).into_iter();
        judged.map(|j| (&*j.arm.arm, j.status)).collect()
    }

    #[test]
    fn verdict_needs_the_whole_interval() {
        // 64 ms on the CPU, 20 ms on the GPU, and 4.25 ms for one net on the GPU.
        let speedup = |factor| statuses(Target::Speedup, &slower(factor))[0].1;
        assert_eq!(speedup(0.3), TargetStatus::Met);
        assert_eq!(speedup(0.32), TargetStatus::Undecided);
        assert_eq!(speedup(1.0), TargetStatus::NotMet);
        let step_growth = |factor| statuses(Target::StepGrowth, &slower(factor))[0].1;
        assert_eq!(step_growth(0.8), TargetStatus::Met);
        assert_eq!(step_growth(0.85), TargetStatus::Undecided);
        assert_eq!(step_growth(1.0), TargetStatus::NotMet);
    }

    #[test]
    fn speedup_target_is_for_convolutions_and_the_fastest_cpu() {
        let mut comparison = slower(0.3);
        assert_eq!(
            statuses(Target::Speedup, &comparison),
            [("dropout", TargetStatus::Met)]
        );
        assert_eq!(statuses(Target::StepGrowth, &comparison).len(), 2);
        let mut faster = comparison.devices[0].clone();
        faster.name = "ndarray".into();
        comparison.devices.push(faster);
        let speed = &mut comparison.arms[1].speed;
        let mut more: Vec<_> = speed
            .iter()
            .filter(|t| t.device == "flex")
            .cloned()
            .collect();
        for timed in &mut more {
            timed.device = "ndarray".into();
            if let TimingOutcome::Done(speed) = &mut timed.outcome {
                speed.step.iter_mut().for_each(|step| *step /= 2.0);
            }
        }
        speed.extend(more);
        assert_eq!(
            statuses(Target::Speedup, &comparison),
            [("dropout", TargetStatus::NotMet)]
        );
    }

    #[test]
    fn missing_times_and_software_adapters_get_no_verdict() {
        let mut comparison = slower(0.1);
        comparison.arms[1]
            .speed
            .retain(|timed| timed.size.replicas < TARGET_REPLICAS);
        let status = |c: &DeviceComparison| statuses(Target::Speedup, c)[0].1;
        assert_eq!(status(&comparison), TargetStatus::NotMeasured);
        comparison.devices[1].kind = DeviceKind::SoftwareAdapter;
        assert_eq!(status(&comparison), TargetStatus::NotJudged);
        let fast = slower(0.1);
        assert_eq!(status(&fast), TargetStatus::Met);
        let mut none = fast.clone();
        none.devices.truncate(1);
        assert!(statuses(Target::StepGrowth, &none).is_empty());
    }
}
