//! `ablate models list`, and the sizes of a preset.

use crate::card::Card;
use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::sheet::{self, Sheet, TableFormatArg};
use crate::text::markdown::Align::{Left, Right};
use crate::text::number::grouped;
use ablate_models::interchange::{Layer, Network};
use ablate_models::pretrained::PRETRAINED;
use ablate_models::zoo::{PRESETS, Preset};
use glob::Pattern;
use serde::Serialize;

/// Bytes of a number in single precision.
const BYTES: usize = 4;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Names to list, such as `*-mnist*` [default: all]
    #[arg(value_name = "GLOB")]
    names: Option<Pattern>,
    #[command(flatten)]
    format: TableFormatArg,
}

/// A preset and its sizes for its intended images.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) source: &'static str,
    /// Height, width, channels.
    pub(super) input: [usize; 3],
    pub(super) classes: usize,
    /// Trained parameters.
    pub(super) parameters: usize,
    /// Multiply-adds of a forward pass, per image.
    pub(super) multiply_adds: usize,
    /// Memory of the parameters.
    pub(super) parameter_bytes: usize,
    /// Memory of the outputs of all layers, per image.
    pub(super) activation_bytes: usize,
    /// Test accuracy in percent of the trained net that comes with the program.
    pub(super) trained_accuracy: Option<f64>,
}

/// Columns of the tidy table.
const COLUMNS: [&str; 10] = [
    "name",
    "about",
    "source",
    "input",
    "classes",
    "parameters",
    "multiply_adds",
    "parameter_bytes",
    "activation_bytes",
    "trained_accuracy",
];

pub(super) fn list(args: &Args, console: &Console) -> Result<(), Failure> {
    let wanted = |preset: &&Preset| {
        args.names
            .as_ref()
            .is_none_or(|names| names.matches(preset.name))
    };
    let rows = PRESETS
        .iter()
        .filter(wanted)
        .map(|preset| Ok(row(preset)?.0));
    let rows = rows.collect::<Result<Vec<Row>, Failure>>()?;
    if let (true, Some(names)) = (rows.is_empty(), &args.names) {
        return Err(super::show::unknown(names.as_str()));
    }
    let columns = [
        ("name", Left),
        ("input", Left),
        ("parameters", Right),
        ("multiply-adds", Right),
        ("trained", Right),
        ("description", Left),
    ];
    let columns = columns.map(|(name, align)| (name.to_owned(), align));
    let mut sheet = Sheet::new(
        "Presets; `trained` is the test accuracy of weights that come along",
        columns,
    );
    for row in &rows {
        sheet.row(vec![
            row.name.to_owned(),
            size(&row.input),
            grouped(row.parameters as u64),
            grouped(row.multiply_adds as u64),
            row.trained_accuracy
                .map_or(String::new(), |accuracy| format!("{accuracy:.2} %")),
            row.about.to_owned(),
        ]);
    }
    let hint = "`ablate models show NAME` shows the layers of one.\n";
    sheet::print(
        args.format.format,
        hint,
        &[sheet],
        &COLUMNS,
        &rows,
        &rows,
        console,
    )
}

/// The sizes of a preset, and its network.
pub(super) fn row(preset: &Preset) -> Result<(Row, Network), Failure> {
    let internal = |error: &dyn std::fmt::Display| {
        Failure::internal(format!("preset `{}`: {error}", preset.name))
    };
    let network = Network::new(preset.config(), preset.input, preset.classes);
    let network = network.map_err(|error| internal(&error))?;
    let trained = PRETRAINED
        .iter()
        .find(|trained| trained.name == preset.name);
    let card = trained.map(|trained| Card::parse(trained.card)).transpose();
    let card = card.map_err(|error| internal(&error))?;
    let parameters = network.layers().iter().map(Layer::parameters).sum();
    let outputs: usize = (network.layers().iter().flat_map(Layer::flat))
        .map(|layer| layer.output.iter().product::<usize>())
        .sum();
    let row = Row {
        name: preset.name,
        about: preset.about,
        source: preset.source,
        input: preset.input,
        classes: preset.classes,
        parameters,
        multiply_adds: network.layers().iter().map(Layer::multiply_adds).sum(),
        parameter_bytes: BYTES * parameters,
        activation_bytes: BYTES * outputs,
        trained_accuracy: card.map(|card| card.test.accuracy),
    };
    Ok((row, network))
}

/// `8x8x1`.
pub(super) fn size(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    sizes.join("x")
}
