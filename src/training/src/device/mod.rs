//! Devices by name. A run uses the device that was asked for, or ends with an error that says what to
//! do.
//!
//! A name says how to choose a device: `wgpu` is the adapter that wgpu prefers, `wgpu:0` the first that
//! it lists, `wgpu:discrete` the first GPU with its own memory. The same name can mean another adapter
//! on another machine or after a driver update, and two names can mean the same adapter on one machine
//! and different ones on another. So names are stored as given; `provenance.json` records the adapter.

#[cfg(feature = "cuda")]
mod cuda;
mod error;
mod info;
mod name;
#[cfg(feature = "wgpu")]
mod wgpu;

pub use error::DeviceError;
pub use info::{DeviceInfo, DeviceKind};

use crate::machine::{Machine, cores};
use burn::tensor::Device;
use name::Name;

/// All backends, built in or not. Each is also the name of a device.
pub const NAMES: [&str; 4] = ["flex", "ndarray", "wgpu", "cuda"];

/// The backends that this program was built with.
pub fn built_in() -> Vec<&'static str> {
    let built = |name: &&str| Name::parse(name).is_ok_and(Name::is_built);
    NAMES.into_iter().filter(built).collect()
}

/// The built-in CPU devices, which also compute in double precision.
pub fn built_in_cpu() -> Vec<&'static str> {
    let mut names = built_in();
    names.retain(|name| is_cpu(name));
    names
}

/// Whether `name` is a CPU device, computed in this process. A software adapter is not, because it runs
/// behind a driver.
pub fn is_cpu(name: &str) -> bool {
    matches!(Name::parse(name), Ok(Name::Flex | Name::Ndarray))
}

/// Checks that `name` is a device name and its backend is built in. The device itself need not exist.
///
/// # Errors
/// If the name is unknown or its backend is not built in.
pub fn check_name(name: &str) -> Result<(), DeviceError> {
    built(name).map(drop)
}

/// Parses `name` and checks that its backend is built in.
fn built(name: &str) -> Result<Name, DeviceError> {
    let parsed = Name::parse(name)?;
    match parsed.is_built() {
        true => Ok(parsed),
        false => Err(DeviceError::NotBuilt(name.to_owned())),
    }
}

/// Opens the device `name`.
///
/// # Errors
/// If the name is unknown, its backend is not built in, or the device is missing or does not open.
#[cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are compared here"
    )
)]
pub fn open(name: &str) -> Result<Device, DeviceError> {
    match built(name)? {
        #[cfg(feature = "flex")]
        Name::Flex => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        Name::Ndarray => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        Name::Wgpu(choice) => wgpu::open(name, choice),
        #[cfg(feature = "cuda")]
        Name::Cuda(number) => cuda::open(name, number),
        #[allow(
            unreachable_patterns,
            clippy::allow_attributes,
            reason = "which names are left depends on the features"
        )]
        _ => Err(DeviceError::NotBuilt(name.to_owned())),
    }
}

/// Looks up the device `name` without opening it.
///
/// # Errors
/// If the name is unknown, its backend is not built in, or the device is missing.
pub fn info(name: &str) -> Result<DeviceInfo, DeviceError> {
    match built(name)? {
        parsed @ (Name::Flex | Name::Ndarray) => Ok(cpu(parsed.backend())),
        #[cfg(feature = "wgpu")]
        Name::Wgpu(choice) => wgpu::info(name, choice),
        #[cfg(feature = "cuda")]
        Name::Cuda(number) => cuda::info(name, number),
        #[allow(
            unreachable_patterns,
            clippy::allow_attributes,
            reason = "which names are left depends on the features"
        )]
        _ => Err(DeviceError::NotBuilt(name.to_owned())),
    }
}

/// All available devices of the built-in backends, each once, by a name that finds it.
pub fn present() -> Vec<DeviceInfo> {
    let cpus = built_in_cpu().into_iter().map(cpu);
    #[cfg_attr(
        not(any(feature = "wgpu", feature = "cuda")),
        expect(unused_mut, reason = "nothing is added without a GPU backend")
    )]
    let mut found: Vec<DeviceInfo> = cpus.collect();
    #[cfg(feature = "wgpu")]
    found.extend(wgpu::present());
    #[cfg(feature = "cuda")]
    found.extend(cuda::present());
    found
}

/// Waits until the device `name` has finished all its work.
///
/// # Errors
/// If some of the work failed, or the device is missing.
pub fn settle(name: &str) -> Result<(), DeviceError> {
    open(name)?.sync().map_err(|error| DeviceError::Failed {
        name: name.to_owned(),
        why: error.to_string(),
    })
}

/// The CPU with `backend`.
fn cpu(backend: &str) -> DeviceInfo {
    DeviceInfo {
        name: backend.to_owned(),
        backend: backend.to_owned(),
        kind: DeviceKind::Cpu,
        adapter: Machine::this().cpu.unwrap_or_else(|| "CPU".to_owned()),
        driver: None,
        api: None,
        memory: None,
        threads: Some(cores()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_info_has_name_and_threads() {
        for name in built_in_cpu() {
            let info = info(name).unwrap();
            assert_eq!((&*info.name, &*info.backend), (name, name));
            assert_eq!(info.kind, DeviceKind::Cpu);
            assert!(!info.adapter.is_empty() && info.threads > Some(0));
            assert!(present().contains(&info));
        }
    }

    #[test]
    fn every_available_device_is_found_by_name() {
        for found in present() {
            assert_eq!(info(&found.name), Ok(found));
        }
    }

    #[test]
    fn missing_backend_error_names_its_feature() {
        for name in ["wgpu:discrete:1", "cuda:3"] {
            let backend = name.split(':').next().unwrap();
            if !built_in().contains(&backend) {
                let error = info(name).unwrap_err();
                assert_eq!(Err(error.clone()), open(name).map(drop));
                let text = error.to_string();
                assert!(text.contains(&format!("`--features {backend}`")), "{text}");
            }
        }
    }
}
