//! Speed section: throughput, start-up, crossover, and training time to an accuracy.

mod numbers;
mod skipped;
mod tables;

use crate::compare::analysis::{ArmTimings, Axis, device_pairs};
use crate::compare::figures::SPEED_FILES;
use crate::compare::results::{DeviceComparison, TimingConfig};
use crate::device::{DeviceInfo, DeviceKind};
use crate::stats::Estimate;
use crate::text::counted;
use numbers::setting;
pub use numbers::with_interval;
use skipped::skipped_sizes;
use tables::{crossover, larger, learning, starting, throughput};

/// The section on speed, with links to `figures` (file names in the same folder); `None` without times.
pub fn section(comparison: &DeviceComparison, figures: &[&str]) -> Option<String> {
    let timing = comparison.timing.as_ref()?;
    let figures = figures.iter().filter_map(|file| {
        let (_, words) = SPEED_FILES.iter().find(|(name, _)| name == file)?;
        Some(format!("![{words}]({file})"))
    });
    let mut parts = vec!["## Speed".to_owned()];
    parts.extend(answer(comparison));
    parts.extend(software(comparison));
    parts.push(method(timing));
    parts.extend(figures);
    parts.push("### Throughput".to_owned());
    parts.push(
        "Samples per second are summed over all nets. The last column is the step time relative to \
         one net."
            .to_owned(),
    );
    parts.push(table(comparison)?);
    parts.extend(larger(comparison, Axis::Width));
    parts.extend(larger(comparison, Axis::Batch));
    parts.extend(crossover(comparison));
    parts.extend(learning(comparison));
    parts.push("### Start-up".to_owned());
    parts.push(starting(comparison));
    parts.extend(skipped_sizes(comparison, timing));
    parts.push("### Limits of these times".to_owned());
    parts.push(limits(comparison));
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end()).collect();
    Some(parts.join("\n\n") + "\n")
}

/// The table of throughput; `None` without times.
pub fn table(comparison: &DeviceComparison) -> Option<String> {
    comparison.timing.is_some().then(|| throughput(comparison))
}

/// A ratio with its interval.
pub(super) fn times(ratio: Estimate) -> String {
    with_interval(ratio, numbers::times)
}

/// One sentence per pair of devices: how they compare at one net and at the largest number of nets.
pub fn answer(comparison: &DeviceComparison) -> Option<String> {
    let sentence = |(device, reference): (&DeviceInfo, &DeviceInfo)| {
        let by_arm = comparison.arms.iter().map(|arm| {
            let timings = ArmTimings(arm);
            let sizes = timings.along(Axis::Replicas).into_iter();
            let both = sizes.filter_map(|size| {
                let speedup = timings.speedup(&device.name, &reference.name, size)?;
                Some((size.replicas, speedup.value))
            });
            both.collect::<Vec<(usize, f64)>>()
        });
        let by_arm: Vec<_> = by_arm.filter(|both| !both.is_empty()).collect();
        let at = |nets: usize| {
            let ratios = by_arm.iter().flatten().filter(|(n, _)| *n == nets);
            in_words(ratios.map(|(_, ratio)| *ratio))
        };
        let nets = || by_arm.iter().flatten().map(|(nets, _)| *nets);
        let (one, most) = (nets().min()?, nets().max()?);
        let mut text = format!(
            "{} against `{}`: a step of {} {}",
            device.code(),
            reference.name,
            counted(one, "net"),
            at(one)?
        );
        if most > one {
            text += &format!("; a step of {} {}", counted(most, "net"), at(most)?);
        }
        Some(text + ".")
    };
    let pairs = device_pairs(&comparison.devices).into_iter();
    let sentences: Vec<String> = pairs.filter_map(sentence).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// The speedup as words, over all arms.
fn in_words(ratios: impl Iterator<Item = f64>) -> Option<String> {
    let ratios: Vec<f64> = ratios.collect();
    let low = ratios.iter().copied().reduce(f64::min)?;
    let high = ratios.iter().copied().reduce(f64::max)?;
    let span = |a: f64, b: f64| match (numbers::times(a), numbers::times(b)) {
        (a, b) if a == b => a,
        (a, b) => format!("{a} to {b}"),
    };
    Some(match (low >= 1.0, high <= 1.0) {
        (true, _) => format!("is {} times as fast", span(low, high)),
        (_, true) => format!("takes {} times as long", span(1.0 / high, 1.0 / low)),
        _ => format!(
            "is {} times as fast in one arm and takes {} times as long in another",
            numbers::times(high),
            numbers::times(1.0 / low)
        ),
    })
}

fn method(timing: &TimingConfig) -> String {
    format!(
        "Method: steps are complete training steps, including batches and dropout masks, and a \
         window of steps ends when the host has the losses of the last one. After the first step, \
         windows of about {window} s warm up the device for at least {least} s, until the median of \
         three windows is within {agreement} % of that of the three before, or for {most} s. Then \
         {repeats} windows are timed, interleaved if devices share a process. A CPU trains the nets \
         on all cores, large ones one after the other, as `ablate run` does; other devices train all \
         of them in one stack. Values are medians over windows. Intervals, also of ratios, cover the \
         median at least 95 % of the time (order statistics, no distribution assumed).",
        window = setting(timing.window),
        least = setting(timing.warm_up_least),
        agreement = setting(100.0 * timing.agreement),
        most = setting(timing.warm_up_most),
        repeats = timing.repeats,
    )
}

/// Note on software adapters.
fn software(comparison: &DeviceComparison) -> Option<String> {
    let devices = comparison.devices.iter().filter(|d| d.is_software());
    let notes: Vec<String> = devices
        .map(|device| {
            format!(
                "**`{}` is a software adapter**, a GPU driver that runs on the CPU: {}. Its times \
                 are not those of a GPU.",
                device.name, device.adapter
            )
        })
        .collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

fn limits(comparison: &DeviceComparison) -> String {
    let mut items = vec![
        "Energy and price are not measured: a faster device may cost more per net.",
        "Evaluation, loading of data and writing of records are not part of a step.",
        "The intervals are for this session. All times of a device may change together on another \
         day, at another clock rate or temperature.",
        "The host draws the order of the examples for every device and gathers the labels of a \
         batch. A GPU draws its dropout masks itself and keeps the images in its memory if they take \
         at most 128 MiB.",
        "Nets of this size do not fill a large GPU; larger nets were not measured.",
    ];
    if comparison.devices.iter().any(DeviceInfo::is_software) {
        items.push("A software adapter is not a GPU: a GPU may be faster where it is slower.");
    }
    if comparison.devices.iter().any(|d| d.kind == DeviceKind::Cpu) {
        items.push("Other load on the CPU at the time is unknown.");
    }
    let lines = items.iter().map(|item| format!("- {item}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
