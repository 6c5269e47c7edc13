//! Taking in what workers recorded, before a report.

use super::arguments::lease;
use super::console::Console;
use super::exit::Failure;
use super::progress::RunProgress;
use super::trainer;
use crate::machine::cores;
use crate::plan::Plan;
use crate::provenance::{fingerprint, gather};
use crate::run::RunOptions;
use crate::run::share::{Sharing, has_guests};
use crate::spec::Spec;
use crate::trainer::StopFlag;
use std::path::Path;

/// Takes the records of workers into the journals of `specs` in `results`, and writes `runs.jsonl` where that makes the
/// records complete.
///
/// # Errors
/// If two processes have different numbers for one cell, or a file cannot be read or written.
pub(super) fn take_in(specs: &[Spec], results: &Path, console: &Console) -> Result<(), Failure> {
    for spec in specs {
        let folder = results.join(&spec.name);
        if !has_guests(&folder) {
            continue;
        }
        let device = spec.changes.device.as_deref();
        let device = device.unwrap_or_else(|| spec.default_device());
        let plan = Plan::new(spec, device, 1, fingerprint(device));
        let options = RunOptions {
            jobs: cores(),
            fresh: false,
            adopt: false,
            records: Vec::new(),
            results: results.to_owned(),
            sharing: Sharing {
                lease: lease()?,
                ..Sharing::default()
            },
        };
        let setting = trainer::setting(device, None, spec);
        let events = RunProgress::new(console, &spec.name, 0);
        let stop = StopFlag::default();
        if !gather(&plan, &options, &events, &stop, &setting)? {
            console.warn(&format!(
                "{}: some cells have no record yet, and the report waits for them; `ablate status {}` says which",
                spec.name,
                folder.display()
            ));
        }
    }
    Ok(())
}
