//! The compared devices.

use crate::compare::results::DeviceComparison;
use crate::device::{DeviceInfo, DeviceKind};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};

/// A device in tables: its name as code, with a note if it is a software adapter.
pub(super) fn shown(comparison: &DeviceComparison, name: &str) -> String {
    let device = comparison.devices.iter().find(|d| d.name == name);
    device.map_or_else(|| format!("`{name}`"), DeviceInfo::code)
}

pub(super) fn table(comparison: &DeviceComparison) -> String {
    let mut table = Table::new([
        ("device", Left),
        ("computed by", Left),
        ("adapter", Left),
        ("driver", Left),
        ("memory", Right),
        ("threads", Right),
    ]);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NO_VALUE.to_owned());
    for device in &comparison.devices {
        let driver = match (&device.api, &device.driver) {
            (Some(api), Some(driver)) => Some(format!("{api}, {driver}")),
            (api, driver) => api.clone().or_else(|| driver.clone()),
        };
        let memory = device
            .memory
            .map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)));
        table.row([
            device.code(),
            computed_by(device).to_owned(),
            device.adapter.clone(),
            or_none(driver),
            or_none(memory),
            or_none(device.threads.map(|n| n.to_string())),
        ]);
    }
    table.render()
}

fn computed_by(device: &DeviceInfo) -> &'static str {
    match device.kind {
        DeviceKind::Cpu => "CPU, kernels of this program",
        DeviceKind::SoftwareAdapter => "CPU, by a GPU driver",
        DeviceKind::IntegratedGpu => "integrated GPU",
        DeviceKind::DiscreteGpu => "discrete GPU",
        DeviceKind::VirtualGpu => "virtual GPU",
        DeviceKind::Unknown => "adapter of unknown kind",
    }
}

/// A note if no GPU was measured.
pub(super) fn note(comparison: &DeviceComparison) -> Option<String> {
    let gpu = |d: &DeviceInfo| {
        matches!(
            d.kind,
            DeviceKind::DiscreteGpu | DeviceKind::IntegratedGpu | DeviceKind::VirtualGpu
        )
    };
    (!comparison.devices.iter().any(gpu)).then(|| {
        "**No GPU was measured.** To compare a GPU, run this on a machine with one, with `--devices \
         flex,ndarray,wgpu:discrete`."
            .to_owned()
    })
}
