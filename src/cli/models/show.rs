//! `ablate models show`.

use super::list::{Row, row, size};
use crate::cli::arguments::{Format, FormatArg};
use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::table::plain;
use crate::text::number::grouped;
use ablate_models::interchange::{Layer, LayerKind, Network};
use ablate_models::zoo::{ModelConfig, PRESETS, preset};
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the preset, as in `model.preset`
    name: String,
    /// Print PyTorch code instead: an `nn.Sequential` whose
    /// names are those of exported weights
    #[arg(long, verbatim_doc_comment)]
    python: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// A TOML document with a `[model]` table.
#[derive(Debug, Serialize)]
struct Table {
    model: ModelConfig,
}

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Shown {
    preset: Row,
    model: ModelConfig,
    layers: Vec<LayerRow>,
}

/// A layer in PyTorch's terms.
#[derive(Debug, Serialize)]
struct LayerRow {
    /// Its name in an `nn.Sequential`, and in exported weights.
    name: String,
    layer: String,
    /// Height, width and channels, or features.
    output: Vec<usize>,
    parameters: usize,
    multiply_adds: usize,
}

pub(super) fn show(args: &Args, console: &Console) -> Result<(), Failure> {
    let preset = preset(&args.name).ok_or_else(|| unknown(&args.name))?;
    let (row, network) = row(preset)?;
    if args.python {
        return console.print(&network.python());
    }
    let table = Table {
        model: preset.config(),
    };
    let layers = layers(&network);
    if args.format.format == Format::Json {
        return console.print_json(&Shown {
            preset: row,
            model: table.model,
            layers,
        });
    }
    let toml = toml::to_string(&table).map_err(|error| {
        Failure::internal(format!("cannot write `{}` as TOML: {error}", args.name))
    })?;
    // Comments, so that the output is a table of an experiment file.
    let head: String = head(&row, &layers)
        .lines()
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect();
    console.print(&format!("{head}{toml}"))
}

fn layers(network: &Network) -> Vec<LayerRow> {
    let list = network.layers().iter();
    let rows = list.flat_map(|layer| match &layer.kind {
        LayerKind::Residual(inner) | LayerKind::Projected(inner) => {
            let what = match layer.kind {
                LayerKind::Residual(_) => "adds the layers below to its input",
                _ => "adds the last layer below, of its input, to the others",
            };
            let mut rows = vec![layer_row(layer, what)];
            rows.extend(inner.iter().map(|layer| layer_row(layer, &layer.call())));
            // Counted below.
            (rows[0].parameters, rows[0].multiply_adds) = (0, 0);
            rows
        }
        _ => vec![layer_row(layer, &layer.call())],
    });
    rows.collect()
}

fn layer_row(layer: &Layer, call: &str) -> LayerRow {
    LayerRow {
        name: layer.name.clone(),
        layer: call.strip_prefix("nn.").unwrap_or(call).to_owned(),
        output: layer.output.clone(),
        parameters: layer.parameters(),
        multiply_adds: layer.multiply_adds(),
    }
}

fn head(row: &Row, layers: &[LayerRow]) -> String {
    let header = ["", "layer", "output", "parameters", "multiply-adds"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    let count = |n: usize| match n {
        0 => String::new(),
        n => grouped(n as u64),
    };
    lines.extend(layers.iter().map(|layer| {
        vec![
            layer.name.clone(),
            layer.layer.clone(),
            size(&layer.output),
            count(layer.parameters),
            count(layer.multiply_adds),
        ]
    }));
    let trained = row.trained_accuracy.map_or(String::new(), |accuracy| {
        let name = row.name;
        format!("trained weights: {accuracy:.2} % on the test images; `ablate evaluate {name}`\n")
    });
    let kib = |bytes: usize| format!("{:.1} KiB", bytes as f64 / 1024.0);
    format!(
        "{}: {}\nsource: {}\n{} to {} classes: {} parameters ({}), {} multiply-adds and {} of activations per \
         image\n{trained}\n{}\n",
        row.name,
        row.about,
        row.source,
        size(&row.input),
        row.classes,
        grouped(row.parameters as u64),
        kib(row.parameter_bytes),
        grouped(row.multiply_adds as u64),
        kib(row.activation_bytes),
        plain(&lines, &[3, 4])
    )
}

/// The failure for a name that no preset has.
pub(super) fn unknown(name: &str) -> Failure {
    let names: Vec<String> = PRESETS.iter().map(|p| format!("`{}`", p.name)).collect();
    Failure::usage(format!(
        "unknown preset `{name}`; choose one of {}",
        names.join(", ")
    ))
}
