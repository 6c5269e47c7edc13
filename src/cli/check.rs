//! `ablate check`.

use super::console::Console;
use super::exit::{Code, Failure};
use super::preflight;
use super::select::{ALL, Selection};
use crate::spec::{Override, Spec};
use crate::text::counted;
use std::path::Path;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// Prints a line per valid experiment, and reports the errors of all others together.
pub(super) fn check(args: &Args, console: &Console) -> Result<Code, Failure> {
    let overrides = args.selection.overrides()?;
    let mut errors = Vec::new();
    for path in args.selection.paths(ALL)? {
        match check_one(&path, &overrides) {
            Ok(line) => console.print(&line)?,
            Err(failure) => errors.extend(failure.into_messages()),
        }
    }
    match errors.is_empty() {
        true => Ok(Code::Done),
        false => Err(Failure::several(Code::Usage, errors)),
    }
}

fn check_one(path: &Path, overrides: &[Override]) -> Result<String, Failure> {
    let spec = Spec::load(path, overrides)?;
    preflight::check_arms(&spec)?;
    Ok(format!(
        "ok {}: {}, {}, {}\n",
        path.display(),
        counted(spec.arms.len(), "arm"),
        counted(spec.contrasts.len(), "contrast"),
        counted(super::list::cells(&spec), "cell"),
    ))
}
