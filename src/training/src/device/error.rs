//! Errors of devices.

use super::{NAMES, built_in};

/// A device that is not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The name is not a device name.
    #[error(
        "unknown device `{0}`; choose one of {names}; a number or a kind may follow: `wgpu:0`, \
         `wgpu:discrete`, `wgpu:integrated`, `wgpu:virtual`, `wgpu:cpu`, `wgpu:discrete:1`, `cuda:0`",
        names = NAMES.map(|name| format!("`{name}`")).join(", ")
    )]
    Unknown(String),
    /// This program was built without the backend.
    #[error(
        "device `{0}` is not built in; build with `--features {feature}` (built in: {built})",
        feature = .0.split(':').next().unwrap_or_default(),
        built = built_in().join(", ")
    )]
    NotBuilt(String),
    /// The machine has no such device.
    #[error("there is no device `{name}` on this machine; {advice}")]
    Missing {
        /// The name of the device.
        name: String,
        /// The available devices, or what to install.
        advice: String,
    },
    /// The device exists but cannot be opened.
    #[error("device `{name}` cannot be opened: {why}")]
    Refused {
        /// The name of the device.
        name: String,
        /// The message of its driver, or of burn.
        why: String,
    },
    /// Work on the device failed.
    #[error("device `{name}` failed: {why}")]
    Failed {
        /// The name of the device.
        name: String,
        /// The message of its driver.
        why: String,
    },
}
