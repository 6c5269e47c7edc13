//! What a GPU should bring, set before any was measured.

use super::timings::Timings;
use crate::compare::results::{ArmComparison, Comparison, Size};
use crate::device::{DeviceInfo, DeviceKind};
use crate::stats::Estimate;

/// Nets side by side at which a GPU is judged.
pub const NETS: usize = 64;

/// At least so many times as fast as the fastest CPU, for convolutional nets.
pub const ADVANTAGE: f64 = 10.0;

/// Less than so many times as long as a step of one net.
pub const STRETCH: f64 = 4.0;

/// A target at [`NETS`] nets side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Convolutional nets train at least [`ADVANTAGE`] times as fast as on the fastest CPU.
    Advantage,
    /// A step takes less than [`STRETCH`] times as long as one of one net.
    Stretch,
}

/// An arm on a device against a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged<'a> {
    /// The arm.
    pub arm: &'a ArmComparison,
    /// The device.
    pub device: &'a DeviceInfo,
    /// The ratio that the target is about, where it was measured.
    pub measured: Option<Estimate>,
    /// What that shows.
    pub standing: Standing,
}

/// How an arm on a device stands to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The whole interval meets it.
    Met,
    /// No part of the interval meets it.
    NotMet,
    /// A part of the interval does.
    Undecided,
    /// There are no times at this many nets.
    NotMeasured,
    /// The device is no GPU, or does not say that it is one.
    NotJudged,
}

impl Target {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Advantage, Self::Stretch];

    /// Every arm that it is about on every device that is no CPU by its name.
    pub fn judge(self, comparison: &Comparison) -> Vec<Judged<'_>> {
        let arms = comparison.arms.iter().filter(|arm| self.is_about(arm));
        let devices = || {
            let devices = comparison.devices.iter();
            devices.filter(|device| device.kind != DeviceKind::Cpu)
        };
        arms.flat_map(|arm| devices().map(move |device| (arm, device)))
            .map(|(arm, device)| {
                let measured = self.measured(comparison, arm, device);
                Judged {
                    arm,
                    device,
                    measured,
                    standing: self.standing(device, measured),
                }
            })
            .collect()
    }

    fn is_about(self, arm: &ArmComparison) -> bool {
        match self {
            Self::Advantage => is_convolutional(arm),
            Self::Stretch => true,
        }
    }

    fn measured(
        self,
        comparison: &Comparison,
        arm: &ArmComparison,
        device: &DeviceInfo,
    ) -> Option<Estimate> {
        let timings = Timings(arm);
        let size = Size {
            replicas: NETS,
            ..timings.one()
        };
        match self {
            Self::Advantage => {
                let devices = comparison.devices.iter();
                let cpus = devices.filter(|other| other.kind == DeviceKind::Cpu);
                cpus.filter_map(|cpu| timings.advantage(&device.name, &cpu.name, size))
                    .min_by(|a, b| a.value.total_cmp(&b.value))
            }
            Self::Stretch => timings.stretch(&device.name, size),
        }
    }

    fn standing(self, device: &DeviceInfo, measured: Option<Estimate>) -> Standing {
        if matches!(
            device.kind,
            DeviceKind::SoftwareAdapter | DeviceKind::Unknown
        ) {
            return Standing::NotJudged;
        }
        let Some(Estimate { value, interval }) = measured else {
            return Standing::NotMeasured;
        };
        let ends = interval.map_or([value; 2], |ends| [ends.low, ends.high]);
        let meets = ends.map(|ratio| match self {
            Self::Advantage => ratio >= ADVANTAGE,
            Self::Stretch => ratio < STRETCH,
        });
        match meets {
            [true, true] => Standing::Met,
            [false, false] => Standing::NotMet,
            _ => Standing::Undecided,
        }
    }
}

/// Whether an arm uses weights at more than one place of an image, as no dense net does.
fn is_convolutional(arm: &ArmComparison) -> bool {
    arm.multiply_adds > arm.parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::analysis::fixture::comparison;
    use crate::compare::results::Timed;

    /// Both arms, of which the second is convolutional, with the steps of 64 nets on the GPU as many
    /// times as long.
    fn slower(factor: f64) -> Comparison {
        let mut comparison = comparison();
        comparison.arms[1].multiply_adds = 5000;
        for timed in comparison.arms.iter_mut().flat_map(|arm| &mut arm.speed) {
            if timed.device == "wgpu"
                && timed.size.replicas == NETS
                && let Timed::Done(speed) = &mut timed.outcome
            {
                speed.step.iter_mut().for_each(|step| *step *= factor);
            }
        }
        comparison
    }

    fn standings(target: Target, comparison: &Comparison) -> Vec<(&str, Standing)> {
        let judged = target.judge(comparison).into_iter();
        judged.map(|j| (&*j.arm.arm, j.standing)).collect()
    }

    #[test]
    fn a_target_is_met_by_the_whole_interval_or_missed_by_all_of_it() {
        // 64 ms on the CPU, 20 ms on the GPU, 4.25 ms of one net there.
        let advantage = |factor| standings(Target::Advantage, &slower(factor))[0].1;
        assert_eq!(advantage(0.3), Standing::Met);
        assert_eq!(advantage(0.32), Standing::Undecided);
        assert_eq!(advantage(1.0), Standing::NotMet);
        let stretch = |factor| standings(Target::Stretch, &slower(factor))[0].1;
        assert_eq!(stretch(0.8), Standing::Met);
        assert_eq!(stretch(0.85), Standing::Undecided);
        assert_eq!(stretch(1.0), Standing::NotMet);
    }

    #[test]
    fn the_first_target_is_about_convolutional_nets_and_the_fastest_cpu() {
        let mut comparison = slower(0.3);
        assert_eq!(
            standings(Target::Advantage, &comparison),
            [("dropout", Standing::Met)]
        );
        assert_eq!(standings(Target::Stretch, &comparison).len(), 2);
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
            if let Timed::Done(speed) = &mut timed.outcome {
                speed.step.iter_mut().for_each(|step| *step /= 2.0);
            }
        }
        speed.extend(more);
        assert_eq!(
            standings(Target::Advantage, &comparison),
            [("dropout", Standing::NotMet)]
        );
    }

    #[test]
    fn what_was_not_timed_is_not_measured_and_a_software_adapter_is_not_judged() {
        let mut comparison = slower(0.1);
        comparison.arms[1]
            .speed
            .retain(|timed| timed.size.replicas < NETS);
        let standing = |c: &Comparison| standings(Target::Advantage, c)[0].1;
        assert_eq!(standing(&comparison), Standing::NotMeasured);
        comparison.devices[1].kind = DeviceKind::SoftwareAdapter;
        assert_eq!(standing(&comparison), Standing::NotJudged);
        let fast = slower(0.1);
        assert_eq!(standing(&fast), Standing::Met);
        let mut none = fast.clone();
        none.devices.truncate(1);
        assert!(standings(Target::Stretch, &none).is_empty());
    }
}
