//! `ablate init`.

use super::console::Console;
use super::exit::{Code, Failure};
use crate::files::{FileError, write_atomic};
use std::fs;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  ablate init                 writes ./experiments/
  ablate init study           writes study/experiments/";

/// Lists files of `experiments/` that are part of the program, each with its text.
macro_rules! embedded {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../../experiments/", $file)))),*]
    };
}

/// The standard suite, the smoke test, and the claims they are about.
const FILES: [(&str, &str); 10] = embedded![
    "bn-bias-cnn.toml",
    "bn-bias.toml",
    "bn-position-cnn.toml",
    "bn-position.toml",
    "bn-scale-cnn.toml",
    "bn-scale.toml",
    "claims.toml",
    "dropout-cnn.toml",
    "dropout.toml",
    "smoke.toml",
];

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folder in which to write `experiments/`
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn init(args: &Args, console: &Console) -> Result<Code, Failure> {
    let folder = args.folder.join("experiments");
    let taken: Vec<String> = (FILES.iter())
        .map(|(file, _)| folder.join(file))
        .filter(|path| path.exists())
        .map(|path| format!("`{}`", path.display()))
        .collect();
    // Before the first is written, so that either all are written or none.
    if !taken.is_empty() {
        return Err(Failure::usage(format!(
            "{} exist already and would be overwritten; name another folder",
            taken.join(", ")
        )));
    }
    fs::create_dir_all(&folder).map_err(FileError::of("create", &folder))?;
    for (file, text) in FILES {
        write_atomic(&folder.join(file), text.as_bytes())?;
    }
    console.print(&format!(
        "wrote {} files to {}\n",
        FILES.len(),
        folder.display()
    ))?;
    console.info(
        "next: `ablate run smoke` trains for seconds, `ablate` runs the standard suite, and `ablate new \
         NAME` writes an experiment of your own",
    );
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;
    use std::path::Path;

    #[test]
    fn the_standard_suite_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
        let in_suites = spec::all(&folder).unwrap().into_iter().filter(|spec| {
            let is_wanted = |suite: &String| suite == "standard" || suite == "smoke";
            spec.suites.iter().any(is_wanted) || spec.name == "smoke"
        });
        let mut wanted: Vec<String> = in_suites
            .map(|spec| format!("{}.toml", spec.name))
            .collect();
        wanted.push("claims.toml".to_owned());
        wanted.sort();
        assert_eq!(FILES.map(|(file, _)| file).to_vec(), wanted);
    }
}
