//! Devices by name. What was asked for is what runs, or an error says what to do.
//!
//! A name says how to choose, not what was chosen: `wgpu` is the adapter that wgpu prefers, `wgpu:0`
//! the first that it lists, `wgpu:discrete` the first GPU with memory of its own. On another machine,
//! or after a change of drivers, each may be another adapter, and two names that mean one adapter here
//! may mean two there. So a name is kept as it was asked for and never replaced by another; the
//! adapter that answered to it is in `provenance.json`.

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

/// Every backend, built in or not. Its name alone is that of a device, too.
pub const NAMES: [&str; 4] = ["flex", "ndarray", "wgpu", "cuda"];

/// The backends this program was built with.
pub fn built_in() -> Vec<&'static str> {
    let built = |name: &&str| Name::parse(name).is_ok_and(Name::is_built);
    NAMES.into_iter().filter(built).collect()
}

/// The CPU devices among them, which compute in double precision too.
pub fn built_in_cpu() -> Vec<&'static str> {
    let mut names = built_in();
    names.retain(|name| is_cpu(name));
    names
}

/// Whether `name` is a device that computes in this process, by kernels for CPUs. A software adapter
/// is not: it is reached by a driver.
pub fn is_cpu(name: &str) -> bool {
    matches!(Name::parse(name), Ok(Name::Flex | Name::Ndarray))
}

/// Makes sure that `name` is one, and that this program was built with what it names. The device need
/// not be there.
///
/// # Errors
/// If it is no name, or is not built in.
pub fn check_name(name: &str) -> Result<(), DeviceError> {
    built(name).map(drop)
}

/// Takes `name` apart, and makes sure that this program was built with what it names.
fn built(name: &str) -> Result<Name, DeviceError> {
    let parsed = Name::parse(name)?;
    match parsed.is_built() {
        true => Ok(parsed),
        false => Err(DeviceError::NotBuilt(name.to_owned())),
    }
}

/// Opens the device called `name`.
///
/// # Errors
/// If there is none of that name, or it is not built in, not there or does not open.
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

/// What answers to `name`. The device is looked for, not opened.
///
/// # Errors
/// If there is none of that name, or it is not built in or not there.
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

/// Every device that is built in and there, each once, by a name that finds it.
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

/// Waits for everything that was asked of the device called `name`.
///
/// # Errors
/// If any of it failed, or there is no such device.
pub fn settle(name: &str) -> Result<(), DeviceError> {
    open(name)?.sync().map_err(|error| DeviceError::Failed {
        name: name.to_owned(),
        why: error.to_string(),
    })
}

/// The CPU as `backend` uses it.
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
    fn a_cpu_says_which_it_is_and_how_many_threads_it_runs() {
        for name in built_in_cpu() {
            let info = info(name).unwrap();
            assert_eq!((&*info.name, &*info.backend), (name, name));
            assert_eq!(info.kind, DeviceKind::Cpu);
            assert!(!info.adapter.is_empty() && info.threads > Some(0));
            assert!(present().contains(&info));
        }
    }

    #[test]
    fn every_device_that_is_there_is_found_by_its_name() {
        for found in present() {
            assert_eq!(info(&found.name), Ok(found));
        }
    }

    #[test]
    fn what_is_not_built_in_says_how_to_build_it() {
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
