//! Conversion between slices and the tensors of CPU backends.

use super::block::OutputGradient;
use super::buffers::Buffer;
use super::real::Real;
use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorData};

/// A backend whose tensors are in host memory.
pub(crate) trait CpuTensors: Backend {
    /// The tensor in row-major layout.
    fn row_major(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The values of a row-major tensor.
    ///
    /// # Panics
    /// If the tensor is not row-major or has another element type.
    fn values<T: Real>(tensor: &FloatTensor<Self>) -> &[T];

    /// The mutable values of a row-major tensor, copied first if the memory is shared.
    ///
    /// # Panics
    /// If the tensor is not row-major or has another element type.
    fn values_mut<T: Real>(tensor: &mut FloatTensor<Self>) -> &mut [T];

    /// Runs `f` on the gradient of a block's output, which may be overwritten.
    ///
    /// # Panics
    /// If the tensor is not row-major or has another element type.
    fn consume<T: Real, R>(
        mut tensor: FloatTensor<Self>,
        f: impl FnOnce(OutputGradient<T>) -> R,
    ) -> R {
        let d = Self::values_mut(&mut tensor);
        f(OutputGradient { d, source: None })
    }

    /// The values of an integer tensor.
    fn integers(tensor: IntTensor<Self>) -> Vec<i64>;

    /// A row-major tensor of `values`.
    fn from_vec<T: Real>(values: Vec<T>, shape: Shape) -> FloatTensor<Self> {
        Self::float_from_data(TensorData::new(values, shape), &Self::Device::default())
    }

    /// A row-major tensor of `values`, which returns its memory to the pool when dropped.
    fn from_buffer<T: Real>(values: Buffer<T>, shape: Shape) -> FloatTensor<Self> {
        let data = TensorData::from_bytes(pooled_bytes::bytes(values), shape, T::dtype());
        Self::float_from_data(data, &Self::Device::default())
    }
}

const NOT_ROW_MAJOR: &str = "kernels take row-major tensors";
#[cfg(feature = "ndarray")]
const ONE_TYPE: &str = "kernels take tensors of one element type";

mod pooled_bytes {
    use crate::cpu::buffers::Buffer;
    use crate::cpu::real::Real;
    use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};
    use std::mem::MaybeUninit;
    use std::sync::Arc;

    /// Alignment of burn's own allocations; a buffer has at least this.
    const ALIGN: usize = align_of::<u128>();

    /// A pooled buffer as memory of burn's `Bytes`, copied on write if shared.
    struct PooledBytes<T: Real>(Arc<Buffer<T>>);

    pub(super) fn bytes<T: Real>(values: Buffer<T>) -> Bytes {
        let length = values.bytes().len();
        // SAFETY: `PooledBytes::memory` gives exactly these bytes, and all are initialized.
        unsafe { Bytes::from_controller(Box::new(PooledBytes(Arc::new(values))), length) }
    }

    impl<T: Real> AllocationController for PooledBytes<T> {
        fn alloc_align(&self) -> usize {
            ALIGN
        }

        fn property(&self) -> AllocationProperty {
            AllocationProperty::Other
        }

        unsafe fn memory_mut(
            &mut self,
            policy: AccessPolicy,
        ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
            if Arc::get_mut(&mut self.0).is_none() && !policy.copy_allowed() {
                return Err(AccessError::WouldCopy);
            }
            let bytes = Arc::make_mut(&mut self.0).bytes_mut();
            // SAFETY: both types have the same layout, and the caller writes only initialized bytes.
            Ok(unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) })
        }

        fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
            let bytes = std::ptr::from_ref(self.0.bytes());
            // SAFETY: both types have the same layout, and nothing is written through a shared borrow.
            Ok(unsafe { &*(bytes as *const [MaybeUninit<u8>]) })
        }

        fn duplicate(&self) -> Option<Box<dyn AllocationController>> {
            Some(Box::new(Self(Arc::clone(&self.0))))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn copies_share_buffer_until_written() {
            let mut values = Buffer::<f32>::zeros(3);
            values[1] = 2.0;
            let first = bytes(values);
            let mut second = first.clone();
            assert_eq!(first.as_ptr(), second.as_ptr());
            bytemuck::cast_slice_mut::<u8, f32>(&mut second)[0] = 5.0;
            assert_eq!(bytemuck::cast_slice::<u8, f32>(&first), [0.0, 2.0, 0.0]);
            assert_eq!(bytemuck::cast_slice::<u8, f32>(&second), [5.0, 2.0, 0.0]);
            // No longer shared: writing again does not copy.
            let at = second.as_ptr();
            second[0] = 1;
            assert_eq!(second.as_ptr(), at);
        }
    }
}

#[cfg(feature = "flex")]
mod flex {
    use super::{CpuTensors, NOT_ROW_MAJOR};
    use crate::cpu::real::Real;
    use burn::backend::Flex;
    use burn::backend::flex::FlexTensor;
    use burn::tensor::DType;

    impl CpuTensors for Flex {
        fn row_major(tensor: FlexTensor) -> FlexTensor {
            if tensor.is_contiguous() {
                tensor
            } else {
                tensor.to_contiguous()
            }
        }

        fn values<T: Real>(tensor: &FlexTensor) -> &[T] {
            tensor.as_slice().expect(NOT_ROW_MAJOR)
        }

        fn values_mut<T: Real>(tensor: &mut FlexTensor) -> &mut [T] {
            let (start, end) = tensor.layout().contiguous_offsets().expect(NOT_ROW_MAJOR);
            &mut tensor.storage_mut()[start..end]
        }

        fn integers(tensor: FlexTensor) -> Vec<i64> {
            let tensor = tensor.to_contiguous();
            match tensor.dtype() {
                DType::I64 => tensor.as_slice::<i64>().expect(NOT_ROW_MAJOR).to_vec(),
                _ => {
                    let values = tensor.as_slice::<i32>().expect(NOT_ROW_MAJOR);
                    values.iter().map(|&v| v.into()).collect()
                }
            }
        }
    }
}

#[cfg(feature = "ndarray")]
mod ndarray {
    #![expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are supported here"
    )]

    use super::{CpuTensors, NOT_ROW_MAJOR, ONE_TYPE, OutputGradient};
    use crate::cpu::buffers::Buffer;
    use crate::cpu::real::Real;
    use burn::backend::NdArray;
    use burn::backend::ndarray::NdArrayTensor;
    use std::any::TypeId;

    impl CpuTensors for NdArray {
        fn row_major(tensor: NdArrayTensor) -> NdArrayTensor {
            match tensor {
                NdArrayTensor::F32(s) if !s.view().is_standard_layout() => {
                    let copy = s.view().as_standard_layout().into_owned();
                    NdArrayTensor::F32(copy.into_shared().into())
                }
                NdArrayTensor::F64(s) if !s.view().is_standard_layout() => {
                    let copy = s.view().as_standard_layout().into_owned();
                    NdArrayTensor::F64(copy.into_shared().into())
                }
                tensor => tensor,
            }
        }

        fn values<T: Real>(tensor: &NdArrayTensor) -> &[T] {
            match tensor {
                NdArrayTensor::F32(s) if TypeId::of::<T>() == TypeId::of::<f32>() => {
                    bytemuck::cast_slice(s.view().to_slice().expect(NOT_ROW_MAJOR))
                }
                NdArrayTensor::F64(s) if TypeId::of::<T>() == TypeId::of::<f64>() => {
                    bytemuck::cast_slice(s.view().to_slice().expect(NOT_ROW_MAJOR))
                }
                _ => panic!("{ONE_TYPE}"),
            }
        }

        fn values_mut<T: Real>(tensor: &mut NdArrayTensor) -> &mut [T] {
            match tensor {
                NdArrayTensor::F32(s) if TypeId::of::<T>() == TypeId::of::<f32>() => {
                    let values = s.ensure_owned().as_slice_mut().expect(NOT_ROW_MAJOR);
                    bytemuck::cast_slice_mut(values)
                }
                NdArrayTensor::F64(s) if TypeId::of::<T>() == TypeId::of::<f64>() => {
                    let values = s.ensure_owned().as_slice_mut().expect(NOT_ROW_MAJOR);
                    bytemuck::cast_slice_mut(values)
                }
                _ => panic!("{ONE_TYPE}"),
            }
        }

        fn consume<T: Real, R>(
            mut tensor: NdArrayTensor,
            f: impl FnOnce(OutputGradient<T>) -> R,
        ) -> R {
            if !tensor.is_borrowed() {
                let d = Self::values_mut(&mut tensor);
                return f(OutputGradient { d, source: None });
            }
            // A borrowed tensor must not be written, so the gradient goes to a new buffer.
            let values = Self::values(&tensor);
            let mut buffer = Buffer::unspecified(values.len());
            f(OutputGradient {
                d: &mut buffer,
                source: Some(values),
            })
        }

        fn integers(tensor: NdArrayTensor) -> Vec<i64> {
            match tensor {
                NdArrayTensor::I64(s) => s.view().iter().copied().collect(),
                NdArrayTensor::I32(s) => s.view().iter().map(|&v| v.into()).collect(),
                _ => panic!("labels must be integers"),
            }
        }
    }
}
