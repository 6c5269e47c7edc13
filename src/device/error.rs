//! Devices that cannot be had.

use super::{NAMES, built_in};

/// A device that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No device has such a name.
    #[error(
        "unknown device `{0}`; choose one of {names}; a number or a kind may follow: `wgpu:0`, \
         `wgpu:discrete`, `wgpu:integrated`, `wgpu:virtual`, `wgpu:cpu`, `wgpu:discrete:1`, `cuda:0`",
        names = NAMES.map(|name| format!("`{name}`")).join(", ")
    )]
    Unknown(String),
    /// The device exists, but this program was built without it.
    #[error(
        "device `{0}` is not built in; build with `--features {feature}` (built in: {built})",
        feature = .0.split(':').next().unwrap_or_default(),
        built = built_in().join(", ")
    )]
    NotBuilt(String),
    /// The machine has no such device.
    #[error("there is no device `{name}` on this machine; {advice}")]
    Missing {
        /// What was asked for.
        name: String,
        /// What there is instead, or what to install.
        advice: String,
    },
    /// The device is there and does not open.
    #[error("device `{name}` cannot be opened: {why}")]
    Refused {
        /// What was asked for.
        name: String,
        /// What its driver, or burn, says.
        why: String,
    },
    /// Orders that the device had taken have failed.
    #[error("device `{name}` failed: {why}")]
    Failed {
        /// What was asked for.
        name: String,
        /// What its driver says.
        why: String,
    },
}
