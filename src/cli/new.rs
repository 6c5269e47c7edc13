//! `ablate new`.

use super::console::Console;
use super::exit::{Code, Failure};
use crate::files::FileError;
use clap::ValueEnum;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  ablate new mine                  writes mine.toml, an experiment with nets
  ablate new mine --from program   writes mine.toml and mine.py
  ablate new mine --from model     writes mine.toml and mine.rs";

const EXPERIMENT: &str = include_str!("templates/experiment.toml");
const PROGRAM: &str = include_str!("templates/program.toml");
const SCRIPT: &str = include_str!("templates/program.py");
const MODEL: &str = include_str!("templates/model.toml");
const MODULE: &str = include_str!("templates/model.rs.in");

/// The kind of the model in the templates.
const MODEL_KIND: &str = "my-net";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the experiment, or path of its file: lower-case
    /// letters, digits and `-`
    #[arg(value_name = "NAME", verbatim_doc_comment)]
    name: PathBuf,
    /// What to start from: `experiment` (nets on the digits),
    /// `program` (any command) or `model` (a burn module)
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        default_value = "experiment",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    from: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Experiment,
    Program,
    Model,
}

/// A file to write.
struct New {
    path: PathBuf,
    content: String,
}

pub(super) fn new(args: &Args, console: &Console) -> Result<Code, Failure> {
    let path = args.name.with_extension("toml");
    check_name(&path)?;
    let files = files(args.from, &path);
    // Before the first is written, so that either all are written or none.
    for file in &files {
        if file.path.exists() {
            return Err(taken(&file.path));
        }
    }
    for file in &files {
        write(file)?;
        console.print(&format!("wrote {}\n", file.path.display()))?;
    }
    let shown = path.display();
    console.info(&match args.from {
        Kind::Experiment | Kind::Program => format!(
            "next: edit it, then `ablate check {shown}`, `ablate plan {shown}` and `ablate run {shown}`"
        ),
        Kind::Model => format!(
            "next: put `{}` into `examples/` of your crate; its first lines say how to run it",
            path.with_extension("rs").display()
        ),
    });
    Ok(Code::Done)
}

fn files(kind: Kind, path: &Path) -> Vec<New> {
    let with_path = |template: &str| template.replace("FILE", &path.display().to_string());
    match kind {
        Kind::Experiment => vec![New {
            path: path.to_owned(),
            content: with_path(EXPERIMENT),
        }],
        Kind::Program => {
            let script = path.with_extension("py");
            let name = script.file_name().unwrap_or_default().to_string_lossy();
            vec![
                New {
                    path: path.to_owned(),
                    content: with_path(PROGRAM).replace("SCRIPT", &name),
                },
                New {
                    path: script,
                    content: SCRIPT.to_owned(),
                },
            ]
        }
        Kind::Model => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let named = |template: &str| with_path(template).replace(MODEL_KIND, &name);
            vec![
                New {
                    path: path.to_owned(),
                    content: named(MODEL),
                },
                New {
                    path: path.with_extension("rs"),
                    content: named(MODULE),
                },
            ]
        }
    }
}

fn check_name(path: &Path) -> Result<(), Failure> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.unwrap_or_default();
    match !stem.is_empty() && crate::study::name(stem) == stem {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "`{}`: the name must be lower-case letters, digits and `-`, as in `ablate new my-question`",
            path.display()
        ))),
    }
}

fn write(file: &New) -> Result<(), Failure> {
    if let Some(folder) = file.path.parent() {
        fs::create_dir_all(folder).map_err(FileError::of("create", folder))?;
    }
    let created = File::create_new(&file.path);
    match created.and_then(|mut created| created.write_all(file.content.as_bytes())) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(taken(&file.path)),
        Err(error) => Err(FileError::of("write", &file.path)(error).into()),
        Ok(()) => Ok(()),
    }
}

fn taken(path: &Path) -> Failure {
    let shown = path.display();
    Failure::usage(format!(
        "`{shown}` exists already, and nothing is overwritten; choose another name"
    ))
}
