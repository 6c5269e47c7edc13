//! `ablate devices`.

use super::arguments::{DEFAULT_DEVICE, Format, FormatArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::table::plain;
use crate::device;
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    built_in: bool,
    default: bool,
    about: &'static str,
}

pub(super) fn devices(args: &Args, console: &Console) -> Result<Code, Failure> {
    let built_in = device::built_in();
    let rows: Vec<Row> = (device::NAMES.into_iter())
        .map(|name| Row {
            name,
            built_in: built_in.contains(&name),
            default: name == DEFAULT_DEVICE,
            about: about(name),
        })
        .collect();
    match args.format.format {
        Format::Json => console.json(&rows)?,
        Format::Text => console.data(&text(&rows))?,
    }
    Ok(Code::Done)
}

fn about(name: &str) -> &'static str {
    match name {
        "flex" => "CPU, burn-flex",
        "ndarray" => "CPU, burn-ndarray",
        "wgpu" => "GPU, burn-wgpu: Vulkan, Metal, DirectX 12 or WebGPU",
        "cuda" => "GPU, burn-cuda: NVIDIA",
        _ => "",
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let state = match (row.built_in, row.default) {
            (true, true) => "built in, the default".to_owned(),
            (true, false) => "built in".to_owned(),
            (false, _) => format!("not built in; build with `--features {}`", row.name),
        };
        vec![row.name.to_owned(), row.about.to_owned(), state]
    };
    plain(&rows.iter().map(line).collect::<Vec<_>>(), &[])
}
