//! What a device is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What answers to the name of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceInfo {
    /// As asked for: `flex`, `wgpu:0`, `wgpu:cpu`.
    pub name: String,
    /// The backend: `flex`, `ndarray`, `wgpu` or `cuda`.
    pub backend: String,
    /// What computes.
    pub kind: DeviceKind,
    /// Name of the CPU or of the adapter.
    pub adapter: String,
    /// Driver and its version, for adapters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// What the driver is reached by, e.g. `Vulkan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Bytes of memory of the device's own, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Threads that its kernels use, for CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

impl DeviceInfo {
    /// Whether it is a CPU that passes for a GPU.
    pub fn is_software(&self) -> bool {
        self.kind == DeviceKind::SoftwareAdapter
    }

    /// The name, and that it is a CPU that passes for a GPU where it is one.
    pub fn label(&self) -> String {
        self.marked(&self.name)
    }

    /// The same with the name as code.
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
    /// What answers to the name, in a line: `llvmpipe, software adapter, runs on the CPU; driver
    /// Mesa 25.0, Vulkan`.
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

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A CPU, by kernels of its own.
    Cpu,
    /// A CPU that passes for a GPU: a software adapter.
    SoftwareAdapter,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU of a virtual machine.
    VirtualGpu,
    /// An adapter that does not say.
    Unknown,
}

impl DeviceKind {
    /// The kind in words.
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
