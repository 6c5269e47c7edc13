//! Report of a comparison of devices: its page with figures, and the tables for a terminal.

mod accuracy;
mod devices;
mod notes;
mod parity;
pub mod speed;
mod targets;

pub use notes::forward;
pub use speed::with_interval;

use crate::compare::figures::{self, SPEED_FILES};
use crate::compare::results::{DeviceComparison, TimingConfig};
use crate::plot::PlotError;
use crate::text::counted;
use crate::text::markdown::{list, one_line};

/// File name of the page in the results folder.
pub const PAGE_FILE: &str = "report.md";
/// File name of the figure of distances from double precision.
pub const PARITY_FILE: &str = "parity.svg";

/// File names of all derived files.
pub fn files() -> impl Iterator<Item = &'static str> {
    let times = SPEED_FILES.iter().map(|(name, _)| *name);
    [PAGE_FILE, PARITY_FILE].into_iter().chain(times)
}

/// All derived files: name and content. Equal input gives equal bytes.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn derive(comparison: &DeviceComparison) -> Result<Vec<(&'static str, String)>, PlotError> {
    let mut files = Vec::new();
    if let Some(svg) = figures::parity(comparison)? {
        files.push((PARITY_FILE, svg));
    }
    files.extend(figures::speed(comparison)?);
    let figures: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let page = page(comparison, &figures);
    files.insert(0, (PAGE_FILE, page));
    Ok(files)
}

/// The tables for a terminal.
pub fn brief(comparison: &DeviceComparison) -> String {
    let mut parts = vec![format!("# {}", heading(comparison))];
    parts.push(devices::table(comparison));
    parts.extend(parity::table(comparison));
    parts.extend(accuracy::table(comparison));
    if let Some(table) = speed::table(comparison) {
        parts.push(table);
        parts.push(targets::table(comparison));
    }
    joined(parts)
}

/// `report.md`, with links to `figures` (file names in the same folder).
fn page(comparison: &DeviceComparison, figures: &[&str]) -> String {
    let mut parts = vec![format!("# {}", heading(comparison))];
    parts.push(answers(comparison));
    parts.push("## Devices".to_owned());
    parts.push(devices::table(comparison));
    parts.extend(devices::note(comparison));
    parts.extend(parity::section(comparison, figures));
    parts.extend(accuracy::section(comparison));
    parts.extend(speed::section(comparison, figures));
    parts.extend(targets::section(comparison));
    parts.push("## Limits".to_owned());
    parts.push(limits(comparison));
    parts.push("## How to reproduce".to_owned());
    parts.push(made(comparison));
    joined(parts)
}

fn joined(parts: Vec<String>) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end()).collect();
    parts.join("\n\n") + "\n"
}

fn heading(comparison: &DeviceComparison) -> String {
    let names: Vec<String> = comparison.devices.iter().map(|d| d.label()).collect();
    format!("{}: {}", one_line(&comparison.title), names.join(", "))
}

/// One line per question with its answer.
fn answers(comparison: &DeviceComparison) -> String {
    let worth = speed::answer(comparison).map(|text| format!("**Worth it?** {text}"));
    let answers = [
        worth,
        parity::answer(comparison),
        accuracy::answer(comparison),
    ];
    list(answers.into_iter().flatten())
}

fn limits(comparison: &DeviceComparison) -> String {
    let arms = counted(comparison.arms.len(), "arm");
    let software = comparison.devices.iter().filter(|d| d.is_software());
    let software: Vec<String> = software.map(|d| format!("`{}`", d.name)).collect();
    let mut items = vec![
        format!(
            "The comparison covers {arms} of one experiment on this machine with these drivers and \
             versions. Another net uses other kernels."
        ),
        "Double precision is computed by the CPU kernels of this program. An error in a formula that \
         single and double precision share on the CPU appears as a difference of the other devices, \
         not of the CPU."
            .to_owned(),
        "The comparison of steps covers neither later steps nor evaluation. Complete trainings cover \
         both, as far as test accuracy shows."
            .to_owned(),
        "Single blocks are compared only if the loss is beyond its bound. Reading the value of a \
         block prevents a GPU from fusing operations across it, so an error of fusion appears in the \
         loss but in no block."
            .to_owned(),
    ];
    if !software.is_empty() {
        let which = software.join(", ");
        items.insert(
            0,
            format!(
                "{which} is a software adapter, a GPU driver that runs on the CPU. Its steps test \
                 the kernels and the shader compiler; its speed is not that of a GPU."
            ),
        );
    }
    list(items.into_iter())
}

fn made(comparison: &DeviceComparison) -> String {
    let spec = &comparison.spec;
    let names: Vec<&str> = comparison.devices.iter().map(|d| d.name.as_str()).collect();
    let timing = comparison.timing.filter(|timing| {
        let usual = TimingConfig::default();
        timing.longest_step != usual.longest_step
    });
    let longest = timing.map(|timing| format!(" --longest-step {}", timing.longest_step));
    format!(
        "`ablate compare {spec} --devices {}{}` measures and writes this folder; `ablate report` \
         rebuilds this page and the figures without measuring. Raw numbers: \
         [comparison.json](comparison.json). Trainings: `runs.jsonl` in the folder of each device. \
         Machine, adapters and revision: [provenance.json](provenance.json). Bounds and margins: [METHODOLOGY.md](../../../experiments/METHODOLOGY.md#comparing-devices).",
        names.join(","),
        longest.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
