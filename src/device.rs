//! Devices by name. What was asked for is what runs, or an error says what to do.

use burn::tensor::Device;

/// A device that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No device has this name.
    #[error("unknown device `{0}`; choose one of {names}", names = names())]
    Unknown(String),
    /// The device exists, but this program was built without it.
    #[error(
        "device `{0}` is not built in; build with `--features {0}` (built in: {built})",
        built = built_in().join(", ")
    )]
    NotBuilt(String),
}

/// Every device name, built in or not.
pub const NAMES: [&str; 4] = ["flex", "ndarray", "wgpu", "cuda"];

fn names() -> String {
    NAMES.map(|name| format!("`{name}`")).join(", ")
}

/// The device names this program was built with.
pub fn built_in() -> Vec<&'static str> {
    let built = [
        cfg!(feature = "flex"),
        cfg!(feature = "ndarray"),
        cfg!(feature = "wgpu"),
        cfg!(feature = "cuda"),
    ];
    let pairs = NAMES.into_iter().zip(built);
    pairs.filter_map(|(name, is)| is.then_some(name)).collect()
}

/// The CPU devices among them, which compute in double precision too.
pub fn built_in_cpu() -> Vec<&'static str> {
    let mut names = built_in();
    names.retain(|name| is_cpu(name));
    names
}

/// Whether the device called `name` is a CPU with kernels of this project.
pub fn is_cpu(name: &str) -> bool {
    matches!(name, "flex" | "ndarray")
}

/// Opens the device called `name`.
///
/// # Errors
/// If there is none of that name, or it is not built in.
#[expect(
    deprecated,
    reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are compared here"
)]
pub fn open(name: &str) -> Result<Device, DeviceError> {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        name if NAMES.contains(&name) => Err(DeviceError::NotBuilt(name.to_owned())),
        name => Err(DeviceError::Unknown(name.to_owned())),
    }
}
