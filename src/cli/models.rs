//! `ablate models`.

use super::arguments::{Format, FormatArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::table::plain;
use ablate_models::zoo::{ModelConfig, PRESETS, Preset, preset};
use clap::Subcommand;
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List the presets with their sizes
    List {
        #[command(flatten)]
        format: FormatArg,
    },
    /// Print a preset as the `[model]` table of a TOML file
    Show {
        /// Name of the preset, as in `model.preset`
        name: String,
        #[command(flatten)]
        format: FormatArg,
    },
}

/// A preset and its size for its intended images.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    about: &'static str,
    /// Height, width, channels.
    input: [usize; 3],
    classes: usize,
    /// Trainable parameters.
    parameters: usize,
    /// Multiply-adds of a forward pass, per example.
    multiply_adds: usize,
}

/// A TOML document with a `[model]` table.
#[derive(Debug, Serialize)]
struct Table {
    model: ModelConfig,
}

pub(super) fn models(args: &Args, console: &Console) -> Result<Code, Failure> {
    match &args.verb {
        Verb::List { format } => list(format.format, console)?,
        Verb::Show { name, format } => show(name, format.format, console)?,
    }
    Ok(Code::Done)
}

fn list(format: Format, console: &Console) -> Result<(), Failure> {
    let rows = PRESETS.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    if format == Format::Json {
        return console.print_json(&rows);
    }
    let header = [
        "name",
        "input",
        "parameters",
        "multiply-adds",
        "description",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.name.to_owned(),
            input(row),
            row.parameters.to_string(),
            row.multiply_adds.to_string(),
            row.about.to_owned(),
        ]
    }));
    console.print(&plain(&lines, &[2, 3]))
}

fn show(name: &str, format: Format, console: &Console) -> Result<(), Failure> {
    let preset = preset(name).ok_or_else(|| unknown(name))?;
    let row = row(preset)?;
    let table = Table {
        model: preset.config(),
    };
    if format == Format::Json {
        #[derive(Serialize)]
        struct Shown {
            preset: Row,
            model: ModelConfig,
        }
        return console.print_json(&Shown {
            preset: row,
            model: table.model,
        });
    }
    let text = toml::to_string(&table)
        .map_err(|e| Failure::internal(format!("cannot write `{name}` as TOML: {e}")))?;
    console.print(&format!(
        "# {}: {}\n# {} to {} classes: {} parameters, {} multiply-adds\n{text}",
        row.name,
        row.about,
        input(&row),
        row.classes,
        row.parameters,
        row.multiply_adds,
    ))
}

fn row(preset: &Preset) -> Result<Row, Failure> {
    let cost = preset.config().cost(preset.input, preset.classes);
    let cost = cost.map_err(|e| Failure::internal(format!("preset `{}`: {e}", preset.name)))?;
    Ok(Row {
        name: preset.name,
        about: preset.about,
        input: preset.input,
        classes: preset.classes,
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
    })
}

fn input(row: &Row) -> String {
    row.input.map(|n| n.to_string()).join("x")
}

fn unknown(name: &str) -> Failure {
    let names: Vec<String> = PRESETS.iter().map(|p| format!("`{}`", p.name)).collect();
    Failure::usage(format!(
        "unknown preset `{name}`; choose one of {}",
        names.join(", ")
    ))
}
