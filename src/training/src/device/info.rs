//! Description of a device.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The device behind a name on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceInfo {
    /// The name: `flex`, `wgpu:0`, `wgpu:cpu`.
    pub name: String,
    /// The backend: `flex`, `ndarray`, `wgpu` or `cuda`.
    pub backend: String,
    /// The kind of hardware.
    pub kind: DeviceKind,
    /// Name of the CPU or of the adapter.
    pub adapter: String,
    /// Driver and its version, for adapters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The API of the driver, e.g. `Vulkan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Bytes of device memory, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Number of threads of its kernels, for CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

impl DeviceInfo {
    /// Whether this is a software adapter, which runs on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == DeviceKind::SoftwareAdapter
    }

    /// The name, with a note if this is a software adapter.
    pub fn label(&self) -> String {
        self.marked(&self.name)
    }

    /// [`Self::label`] with the name as Markdown code.
    pub fn code(&self) -> String {
        self.marked(&format!("`{}`", self.name))
    }

    fn marked(&self, name: &str) -> String {
        match self.is_software() {
            true => format!("{name} (software adapter)"),
            false => name.to_owned(),
        }
    }
}

impl fmt::Display for DeviceInfo {
    /// One line on the device: `llvmpipe, software adapter, runs on the CPU; driver Mesa 25.0, Vulkan`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.adapter, self.kind.words())?;
        let driver = self.driver.as_ref().map(|name| format!("driver {name}"));
        let parts: Vec<String> = driver.into_iter().chain(self.api.clone()).collect();
        match parts.as_slice() {
            [] => Ok(()),
            parts => write!(f, "; {}", parts.join(", ")),
        }
    }
}

/// Kind of hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A CPU with kernels of this program.
    Cpu,
    /// A GPU driver that runs on the CPU.
    SoftwareAdapter,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU with its own memory.
    DiscreteGpu,
    /// A GPU of a virtual machine.
    VirtualGpu,
    /// An adapter that does not report its kind.
    Unknown,
}

impl DeviceKind {
    /// Description of the kind.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::SoftwareAdapter => "software adapter, runs on the CPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::DiscreteGpu => "discrete GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::Unknown => "adapter of unknown kind",
        }
    }
}
