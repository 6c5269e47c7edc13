//! What burn's operations leave to the host, as kernels in CubeCL: one source for all GPUs.

mod masks;

use crate::streams::{Stream, key_schedule};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
use burn_cubecl::CubeBackend;

/// What to draw for every replica.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    /// The step of the streams.
    pub(crate) step: u64,
    /// A 16-bit number below this drops.
    pub(crate) threshold: u32,
    /// What stands where nothing is dropped.
    pub(crate) kept: f32,
    /// Numbers a replica.
    pub(crate) columns: usize,
}

/// Words of a [`key_schedule`].
const KEY_WORDS: usize = 5;

#[backend_extension(Cube, Fusion)]
pub(crate) trait GpuKernels: Backend {
    /// See [`mask`]; `keys` holds the key schedules of all replicas, one after the other.
    #[fusion(dtype = DType::F32, shape = Shape::new([keys.num_elements() / KEY_WORDS, draw.columns]))]
    fn zoo_mask(keys: IntTensor<Self>, draw: Draw) -> FloatTensor<Self>;
}

impl GpuKernels for CubeBackend {
    fn zoo_mask(keys: IntTensor<Self>, draw: Draw) -> FloatTensor<Self> {
        masks::launch(keys, &draw)
    }
}

/// Dropout masks: 0 where the 16-bit number of the replica's stream ([`Stream::half_words`]) drops.
/// Nothing here is differentiable.
///
/// # Shapes
/// `[replicas, columns]`, in single precision
pub(crate) fn mask(streams: &[Stream], draw: Draw, device: Device) -> Tensor<2> {
    let keys: Vec<u32> = streams
        .iter()
        .flat_map(|stream| key_schedule(stream.key()))
        .collect();
    let keys = TensorData::new(keys, [streams.len() * KEY_WORDS]);
    let keys = Tensor::<1, Int>::from_data(keys, (&device.inner(), DType::U32));
    Tensor::from_dispatch(Dispatch::zoo_mask(keys.into_dispatch(), draw))
}
