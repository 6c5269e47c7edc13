//! Helpers of the unit tests and the tests in `tests/`.

use burn::tensor::{Device, Tensor};
#[cfg(all(feature = "wgpu", feature = "flex"))]
use {burn::tensor::DeviceType, std::sync::OnceLock};

/// Runs `test` on every CPU device that is built in.
#[cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are supported here"
    )
)]
pub(crate) fn for_each_device(test: impl Fn(&Device)) {
    let devices: &[Device] = &[
        #[cfg(feature = "flex")]
        Device::flex(),
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
    ];
    devices.iter().for_each(test);
}

/// The first adapter that wgpu finds.
#[allow(
    dead_code,
    clippy::allow_attributes,
    reason = "the unit tests of the zoo do not need it, the other tests do"
)]
#[cfg(all(feature = "wgpu", feature = "flex"))]
pub(crate) fn adapter() -> &'static Device {
    static ADAPTER: OnceLock<Device> = OnceLock::new();
    ADAPTER.get_or_init(|| {
        let found = Device::enumerate(DeviceType::Wgpu).into_vec();
        let first = found.into_iter().next().expect(
            "wgpu finds no adapter; `apt-get install mesa-vulkan-drivers libvulkan1` installs a software one",
        );
        let name = first.identity().expect("an adapter has a name").name;
        println!("on {name}");
        first
    })
}

/// The tensor's values, row-major, in double precision.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as().expect("floats convert to doubles")
}

/// Largest absolute difference of two lists of equal length; NaN counts as infinite.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "lists of different lengths");
    let size = |(a, b): (&f64, &f64)| match (a - b).abs() {
        d if d.is_nan() => f64::INFINITY,
        d => d,
    };
    a.iter().zip(b).map(size).fold(0.0, f64::max)
}

/// Asserts that no elements of `a` and `b` differ by more than `bound`.
#[track_caller]
pub(crate) fn assert_close(a: &[f64], b: &[f64], bound: f64) {
    let distance = distance(a, b);
    assert!(distance <= bound, "{distance:e} > {bound:e}\n{a:?}\n{b:?}");
}
