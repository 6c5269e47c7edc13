//! NVIDIA GPUs, by their CUDA number.

use super::error::DeviceError;
use super::info::{DeviceInfo, DeviceKind};
use burn::tensor::Device;
use cudarc::driver::result::{self, DriverError, device};
use cudarc::driver::sys::{self, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED};

/// Number of GPUs; 0 without a driver.
fn count() -> usize {
    // SAFETY: it only tries to load the driver's library, and loading it has no other effect.
    if !unsafe { sys::is_culib_present() } {
        return 0;
    }
    let count = result::init().and_then(|()| device::get_count());
    count.map_or(0, |n| usize::try_from(n).unwrap_or(0))
}

/// Checks that the GPU with this number exists.
fn find(name: &str, number: usize) -> Result<(), DeviceError> {
    let count = count();
    if number < count {
        return Ok(());
    }
    let advice = match count {
        0 => "CUDA finds no GPU: install NVIDIA's driver, or use `wgpu`".to_owned(),
        n => format!("the last one is `cuda:{}`", n - 1),
    };
    Err(DeviceError::Missing {
        name: name.to_owned(),
        advice,
    })
}

pub(super) fn open(name: &str, number: usize) -> Result<Device, DeviceError> {
    find(name, number)?;
    Ok(Device::cuda(number))
}

pub(super) fn info(name: &str, number: usize) -> Result<DeviceInfo, DeviceError> {
    find(name, number)?;
    describe(name, number).map_err(|error| DeviceError::Refused {
        name: name.to_owned(),
        why: error.to_string(),
    })
}

/// All GPUs.
pub(super) fn present() -> Vec<DeviceInfo> {
    let describe = |number| describe(&format!("cuda:{number}"), number).ok();
    (0..count()).filter_map(describe).collect()
}

fn describe(name: &str, number: usize) -> Result<DeviceInfo, DriverError> {
    let this = device::get(i32::try_from(number).unwrap_or(i32::MAX))?;
    // SAFETY: the driver has just returned `this`.
    let (memory, integrated) = unsafe {
        let integrated = device::get_attribute(this, CU_DEVICE_ATTRIBUTE_INTEGRATED)?;
        (device::total_mem(this)?, integrated != 0)
    };
    let mut version = 0;
    // SAFETY: the version is written to a variable that outlives the call.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(DeviceInfo {
        name: name.to_owned(),
        backend: "cuda".to_owned(),
        kind: match integrated {
            true => DeviceKind::IntegratedGpu,
            false => DeviceKind::DiscreteGpu,
        },
        adapter: device::get_name(this)?,
        driver: driver(),
        api: Some(format!("CUDA {}.{}", version / 1000, version % 1000 / 10)),
        memory: Some(memory as u64),
        threads: None,
    })
}

/// Version of the kernel driver, if Linux reports it.
fn driver() -> Option<String> {
    let text = std::fs::read_to_string("/sys/module/nvidia/version").ok()?;
    Some(format!("NVIDIA {}", text.trim()))
}
