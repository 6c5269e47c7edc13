//! What a comparison of devices says, as text: its page, its figures, and the tables for a terminal.

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

/// File name of a comparison's page in its results folder.
pub const PAGE_FILE: &str = "report.md";
/// File name of the figure of distances from double precision.
pub const PARITY_FILE: &str = "parity.svg";

/// Every file that may be derived from a comparison.
pub fn files() -> impl Iterator<Item = &'static str> {
    let times = SPEED_FILES.iter().map(|(name, _)| *name);
    [PAGE_FILE, PARITY_FILE].into_iter().chain(times)
}

/// Everything that is derived from a comparison: file name and content. Equal input gives equal bytes.
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

/// The tables, for a terminal.
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

/// `report.md`, with links to `figures` (file names beside it).
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
    parts.push("## What this cannot say".to_owned());
    parts.push(limits(comparison));
    parts.push("## How this was made".to_owned());
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

/// The questions and, in a sentence each, what came out.
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
            "It is about {arms} of one experiment on this machine, its drivers and these versions. \
             Another net uses other kernels."
        ),
        "Double precision is computed by the CPU kernels of this program. A mistake in a formula that \
         single and double precision share on the CPU shows as a difference of the other devices, not \
         of the CPU."
            .to_owned(),
        "Step by step says nothing of steps behind the last one, nor of evaluation. Whole trainings do, \
         as far as test accuracy can tell."
            .to_owned(),
        "A block is looked at for itself where the loss goes astray. Looking keeps a GPU from fusing \
         operations across it, so a fault of fusing alone shows in the loss and in no block."
            .to_owned(),
    ];
    if !software.is_empty() {
        let which = software.join(", ");
        items.insert(
            0,
            format!(
                "{which} is a software adapter: a CPU that passes for a GPU. What it says of parity is \
                 about the kernels and the compiler of shaders, and what it says of speed is about no \
                 GPU at all."
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
        "`ablate compare {spec} --devices {}{}` measures and writes this folder; `ablate report` rebuilds \
         this page and the figures without measuring. Every raw number is in \
         [comparison.json](comparison.json), every training in `runs.jsonl` in the folder of its device, \
         the machine, the adapters and the revision in [provenance.json](provenance.json). Bounds and \
         margins: [METHODOLOGY.md](../../../experiments/METHODOLOGY.md#devices-against-each-other).",
        names.join(","),
        longest.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
