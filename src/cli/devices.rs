//! `ablate devices`.

use super::arguments::{DEFAULT_DEVICE, Format, FormatArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::table::plain;
use super::trainer::{list_devices, query_device};
use crate::device::{self, DeviceInfo, DeviceKind};
use crate::text::counted;
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatArg,
}

/// A device name.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    built_in: bool,
    /// Whether the device exists on this machine.
    present: bool,
    default: bool,
    about: &'static str,
    /// The device, if it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceInfo>,
    /// What to do if it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

pub(super) fn devices(args: &Args, console: &Console) -> Result<Code, Failure> {
    let rows = rows()?;
    match args.format.format {
        Format::Json => console.print_json(&rows)?,
        Format::Text => console.print(&text(&rows))?,
    }
    Ok(Code::Done)
}

/// Every backend, each followed by the other names of its devices.
fn rows() -> Result<Vec<Row>, Failure> {
    let present = list_devices()?;
    let mut rows = Vec::new();
    for name in device::NAMES {
        rows.push(row(name, name));
        let further = present.iter().filter(|d| d.backend == name);
        let further = further.filter(|d| d.name != name);
        rows.extend(further.map(|found| row(&found.name, name)));
    }
    Ok(rows)
}

fn row(name: &str, backend: &str) -> Row {
    let found = query_device(name);
    let (device, advice) = match found {
        Ok(device) => (Some(device), None),
        Err(failure) => (None, Some(failure.into_messages().join("; "))),
    };
    Row {
        name: name.to_owned(),
        built_in: device::built_in().contains(&backend),
        present: device.is_some(),
        default: name == DEFAULT_DEVICE,
        about: about(backend),
        device,
        advice,
    }
}

fn about(backend: &str) -> &'static str {
    match backend {
        "flex" => "CPU, burn-flex",
        "ndarray" => "CPU, burn-ndarray",
        "wgpu" => "GPU, burn-wgpu",
        "cuda" => "GPU, burn-cuda",
        _ => "",
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let state = match (&row.device, &row.advice) {
            (Some(found), _) => answer(found, row.default),
            (None, Some(advice)) if row.built_in => advice.clone(),
            (None, _) => format!("not built in; build with `--features {}`", row.name),
        };
        vec![row.name.clone(), row.about.to_owned(), state]
    };
    plain(&rows.iter().map(line).collect::<Vec<_>>(), &[])
}

fn answer(found: &DeviceInfo, default: bool) -> String {
    let mut text = match (found.kind, found.threads) {
        (DeviceKind::Cpu, Some(threads)) => {
            format!("{}, {}", found.adapter, counted(threads, "thread"))
        }
        _ => found.to_string(),
    };
    if let Some(bytes) = found.memory {
        text.push_str(&format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)));
    }
    match default {
        true => format!("the default: {text}"),
        false => text,
    }
}
