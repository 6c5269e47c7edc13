//! Adapters of wgpu, found as burn finds them: on the first graphics API of [`AutoGraphicsApi::chain`]
//! with a GPU, else on the first with any adapter.

use super::error::DeviceError;
use super::info::{DeviceInfo, DeviceKind};
use super::name::{Choice, Kind};
use burn::tensor::wgpu::wgpu::{
    AdapterInfo, Backend, DeviceType, Instance, InstanceDescriptor, PowerPreference,
    RequestAdapterOptions,
};
use burn::tensor::{Device, DeviceKind as Selector};
use burn_wgpu::graphics::AutoGraphicsApi;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// The adapters of this machine.
#[derive(Debug, Default)]
struct Found {
    adapters: Vec<AdapterInfo>,
    /// Number of the adapter that wgpu prefers.
    preferred: Option<usize>,
}

/// Finds the adapters, once per process: enumerating them while a device is open is not safe.
fn found() -> &'static Found {
    static FOUND: OnceLock<Found> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut only_software = Found::default();
        for api in AutoGraphicsApi::chain() {
            let found = look_on(api);
            if found.adapters.iter().any(|a| !is_software(a)) {
                return found;
            }
            if only_software.adapters.is_empty() {
                only_software = found;
            }
        }
        only_software
    })
}

fn look_on(api: Backend) -> Found {
    let instance = Instance::new(InstanceDescriptor {
        backends: api.into(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    let adapters: Vec<AdapterInfo> = now(instance.enumerate_adapters(api.into()))
        .iter()
        .map(|adapter| adapter.get_info())
        .collect();
    let best = RequestAdapterOptions {
        power_preference: PowerPreference::HighPerformance,
        ..RequestAdapterOptions::default()
    };
    let preferred = now(instance.request_adapter(&best)).ok();
    let preferred = preferred.and_then(|adapter| {
        let info = adapter.get_info();
        adapters.iter().position(|other| *other == info)
    });
    Found {
        adapters,
        preferred,
    }
}

/// The value of a future that is ready at once, as those of native adapters are.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

fn is_software(adapter: &AdapterInfo) -> bool {
    adapter.device_type == DeviceType::Cpu
}

const fn type_of(kind: Kind) -> DeviceType {
    match kind {
        Kind::Discrete => DeviceType::DiscreteGpu,
        Kind::Integrated => DeviceType::IntegratedGpu,
        Kind::Virtual => DeviceType::VirtualGpu,
        Kind::Cpu => DeviceType::Cpu,
    }
}

/// The number of the adapter that `name` selects.
fn find(name: &str, choice: Choice) -> Result<usize, DeviceError> {
    let found = found();
    let number = match choice {
        Choice::Preferred => found.preferred,
        Choice::Number(n) => (n < found.adapters.len()).then_some(n),
        Choice::OfKind(kind, n) => {
            let all = found.adapters.iter().enumerate();
            let mut these = all.filter(|(_, adapter)| adapter.device_type == type_of(kind));
            these.nth(n).map(|(number, _)| number)
        }
    };
    number.ok_or_else(|| DeviceError::Missing {
        name: name.to_owned(),
        advice: advice(),
    })
}

/// The available adapters, or what to install.
fn advice() -> String {
    let present: Vec<String> = (present().iter())
        .map(|info| format!("`{}` ({})", info.name, info.adapter))
        .collect();
    match (present.as_slice(), cfg!(target_os = "linux")) {
        ([], true) => {
            "wgpu finds no adapter: install a Vulkan driver for the GPU, or the software \
                       adapter: `apt-get install mesa-vulkan-drivers libvulkan1`"
                .to_owned()
        }
        ([], false) => "wgpu finds no adapter: install a driver for the GPU".to_owned(),
        (some, _) => format!("available: {}", some.join(", ")),
    }
}

pub(super) fn info(name: &str, choice: Choice) -> Result<DeviceInfo, DeviceError> {
    let adapter = &found().adapters[find(name, choice)?];
    Ok(describe(name, adapter))
}

/// All adapters, named by their kind if it has a name, else by their number.
pub(super) fn present() -> Vec<DeviceInfo> {
    let adapters = &found().adapters;
    let name = |number: usize| {
        let this = adapters[number].device_type;
        let kind = Kind::ALL.into_iter().find(|kind| type_of(*kind) == this);
        let before = adapters[..number].iter().filter(|a| a.device_type == this);
        match (kind, before.count()) {
            (None, _) => format!("wgpu:{number}"),
            (Some(kind), 0) => format!("wgpu:{}", kind.word()),
            (Some(kind), n) => format!("wgpu:{}:{n}", kind.word()),
        }
    };
    let all = adapters.iter().enumerate();
    all.map(|(n, adapter)| describe(&name(n), adapter))
        .collect()
}

fn describe(name: &str, adapter: &AdapterInfo) -> DeviceInfo {
    let driver = format!("{} {}", adapter.driver, adapter.driver_info);
    DeviceInfo {
        name: name.to_owned(),
        backend: "wgpu".to_owned(),
        kind: match adapter.device_type {
            DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
            DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
            DeviceType::VirtualGpu => DeviceKind::VirtualGpu,
            DeviceType::Cpu => DeviceKind::SoftwareAdapter,
            DeviceType::Other => DeviceKind::Unknown,
        },
        adapter: adapter.name.trim().to_owned(),
        driver: Some(driver.trim().to_owned()).filter(|text| !text.is_empty()),
        api: Some(api(adapter.backend).to_owned()),
        // No graphics API reports it.
        memory: None,
        threads: None,
    }
}

const fn api(backend: Backend) -> &'static str {
    match backend {
        Backend::Vulkan => "Vulkan",
        Backend::Metal => "Metal",
        Backend::Dx12 => "DirectX 12",
        Backend::Gl => "OpenGL",
        Backend::BrowserWebGpu => "WebGPU",
        Backend::Noop => "none",
    }
}

pub(super) fn open(name: &str, choice: Choice) -> Result<Device, DeviceError> {
    /// Open devices by adapter number; burn can initialize an adapter only once per process.
    static OPEN: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    let number = find(name, choice)?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = open.get(&number) {
        return Ok(device.clone());
    }
    let refused = |why: String| DeviceError::Refused {
        name: name.to_owned(),
        why,
    };
    let selector = selector(number).ok_or_else(|| {
        refused("burn reaches only the first software adapter, and none without a kind".to_owned())
    })?;
    let device = Device::wgpu_options().device_kind(selector).init();
    let device = device.map_err(|error| refused(error.to_string()))?;
    open.insert(number, device.clone());
    Ok(device)
}

/// burn's selector of the adapter with this number.
fn selector(number: usize) -> Option<Selector> {
    let found = found();
    let this = found.adapters[number].device_type;
    let before = found.adapters[..number].iter();
    let before = before.filter(|a| a.device_type == this).count();
    match this {
        DeviceType::DiscreteGpu => Some(Selector::DiscreteGpu(before)),
        DeviceType::IntegratedGpu => Some(Selector::IntegratedGpu(before)),
        DeviceType::VirtualGpu => Some(Selector::VirtualGpu(before)),
        DeviceType::Cpu => (before == 0).then_some(Selector::Cpu),
        DeviceType::Other => (found.preferred == Some(number)).then_some(Selector::DefaultDevice),
    }
}
