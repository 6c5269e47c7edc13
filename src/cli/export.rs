//! `ablate export`.

use super::arguments::ResultsArg;
use super::console::Console;
use super::exit::{Code, Failure};
use super::figures;
use super::found::{Found, Places};
use super::root;
use crate::export::{bibliography, contrasts_table, csv, event_files, methods_paragraph, scores};
use crate::files::{FileError, write_atomic};
use crate::text::counted;
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Forms:
  csv          every score of every cell, one value per row, not rounded
  json         the same, one JSON object per line
  latex        the contrasts as a table (booktabs, siunitx)
  methods      a paragraph on statistical methods for LaTeX
  bibtex       the sources of these methods
  tensorboard  an event file per cell, in the folder `--out`
  figures      the figures of experiments and claims, each
               with its data as CSV, in the folder `--out`

Examples:
  ablate export csv dropout > scores.csv
  ablate export latex bn-bias bn-scale --out tables.tex
  ablate export tensorboard mnist-mlp --out tb && tensorboard --logdir tb
  ablate export figures dropout C1 --theme paper --out out";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The form, see below
    #[arg(value_enum, value_name = "FORM", hide_possible_values = true)]
    form: Form,
    /// Names of experiments or variants, or paths of results
    /// folders; for `figures` also names of claims
    #[arg(value_name = "NAME", required = true, verbatim_doc_comment)]
    names: Vec<String>,
    /// File to write [default: standard output], or folder
    /// for `tensorboard` and `figures` [default: the form]
    #[arg(long, value_name = "PATH", verbatim_doc_comment)]
    out: Option<PathBuf>,
    #[command(flatten)]
    figures: figures::Options,
    #[command(flatten)]
    results: ResultsArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Csv,
    Json,
    Latex,
    Methods,
    Bibtex,
    Tensorboard,
    Figures,
}

/// Folder for event files, unless another is named.
const TENSORBOARD: &str = "tensorboard";
/// Folder for figures, unless another is named.
const FIGURES: &str = "figures";

pub(super) fn export(args: &Args, console: &Console) -> Result<Code, Failure> {
    let places = Places::new(&args.results, &root::experiments())?;
    if args.form != Form::Figures {
        args.figures.check_unused()?;
    }
    let found = || -> Result<Vec<Found>, Failure> {
        let names = args.names.iter();
        names.map(|name| places.results(name)).collect()
    };
    let text = match args.form {
        Form::Csv => table(&found()?, console)?,
        Form::Json => lines(&found()?, console)?,
        Form::Latex => joined(&found()?, |found| {
            contrasts_table(&found.summary).map_err(internal)
        })?,
        Form::Methods => joined(&found()?, |found| {
            methods_paragraph(&found.summary).map_err(internal)
        })?,
        Form::Bibtex => {
            let found = found()?;
            bibliography(found.iter().map(|found| &found.summary)).map_err(internal)?
        }
        Form::Tensorboard => return tensorboard(args, &found()?, console),
        Form::Figures => {
            let out = args.out.as_deref().unwrap_or(Path::new(FIGURES));
            return figures::export(&args.names, &args.figures, &places, out, console);
        }
    };
    match &args.out {
        None => console.print(&text)?,
        Some(path) => {
            write_atomic(path, text.as_bytes())?;
            console.info(&format!("wrote `{}`", path.display()));
        }
    }
    Ok(Code::Done)
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::internal(error.to_string())
}

fn joined(
    found: &[Found],
    text: impl Fn(&Found) -> Result<String, Failure>,
) -> Result<String, Failure> {
    let texts: Vec<String> = found.iter().map(text).collect::<Result<_, _>>()?;
    Ok(texts.join("\n") + "\n")
}

fn table(found: &[Found], console: &Console) -> Result<String, Failure> {
    let mut all = Vec::new();
    for found in found {
        all.push((found, found.records(console)?));
    }
    // One header for all.
    let scores = all
        .iter()
        .flat_map(|(found, records)| scores(&found.summary, records));
    Ok(csv(&scores.collect::<Vec<_>>()))
}

fn lines(found: &[Found], console: &Console) -> Result<String, Failure> {
    let mut out = String::new();
    for found in found {
        let records = found.records(console)?;
        for score in scores(&found.summary, &records) {
            let line = serde_json::to_string(&score);
            out.push_str(&line.map_err(|e| Failure::internal(format!("cannot write JSON: {e}")))?);
            out.push('\n');
        }
    }
    Ok(out)
}

fn tensorboard(args: &Args, found: &[Found], console: &Console) -> Result<Code, Failure> {
    let folder = args.out.as_deref().unwrap_or(Path::new(TENSORBOARD));
    let mut cells = 0;
    for found in found {
        let records = found.records(console)?;
        for file in event_files(&found.summary, &records) {
            let path = folder.join(&file.path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(FileError::of("create", parent))?;
            }
            write_atomic(&path, &file.bytes)?;
            cells += 1;
        }
    }
    console.info(&format!(
        "wrote {} to `{1}`; show them with `tensorboard --logdir {1}`",
        counted(cells, "run"),
        folder.display()
    ));
    Ok(Code::Done)
}
