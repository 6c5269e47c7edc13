//! `ablate models`.

mod list;
mod show;
mod transfer;

use super::console::Console;
use super::exit::{Code, Failure};
use clap::Subcommand;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List the presets with their sizes, and which are trained
    List(list::Args),
    /// Show a preset: layers, sizes, source, `[model]` table
    Show(show::Args),
    /// Write a trained net for PyTorch: weights, card, code
    Export(transfer::ExportArgs),
    /// Make a trained net of weights from PyTorch
    Import(Box<transfer::ImportArgs>),
}

pub(super) fn models(args: &Args, console: &Console) -> Result<Code, Failure> {
    match &args.verb {
        Verb::List(args) => list::list(args, console)?,
        Verb::Show(args) => show::show(args, console)?,
        Verb::Export(args) => transfer::export(args, console)?,
        Verb::Import(args) => transfer::import(args, console)?,
    }
    Ok(Code::Done)
}
