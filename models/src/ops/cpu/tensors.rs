//! What the kernels need of a CPU backend: its tensors as slices, and slices as its tensors.

use super::real::Real;
use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorData};

/// A backend whose tensors lie in host memory.
pub(crate) trait CpuTensors: Backend {
    /// The same tensor, row-major.
    fn row_major(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The values of a row-major tensor.
    ///
    /// # Panics
    /// If the tensor is not row-major or of another type.
    fn values<T: Real>(tensor: &FloatTensor<Self>) -> &[T];

    /// The values of a tensor that is needed no more; without a copy where nobody else holds it.
    fn take<T: Real>(tensor: FloatTensor<Self>) -> Vec<T>;

    /// The values of an integer tensor.
    fn integers(tensor: IntTensor<Self>) -> Vec<i64>;

    /// A tensor of `values`, row-major.
    fn build<T: Real>(values: Vec<T>, shape: Shape) -> FloatTensor<Self> {
        Self::float_from_data(TensorData::new(values, shape), &Self::Device::default())
    }
}

const NOT_ROW_MAJOR: &str = "kernels take row-major tensors";

#[cfg(feature = "flex")]
mod flex {
    use super::{CpuTensors, NOT_ROW_MAJOR};
    use crate::ops::cpu::real::Real;
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

        fn take<T: Real>(tensor: FlexTensor) -> Vec<T> {
            let data = Self::row_major(tensor).into_data();
            data.try_into_vec()
                .expect("kernels take tensors of one type")
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

    use super::{CpuTensors, NOT_ROW_MAJOR};
    use crate::ops::cpu::real::Real;
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
                _ => panic!("kernels take tensors of one type"),
            }
        }

        fn take<T: Real>(tensor: NdArrayTensor) -> Vec<T> {
            Self::values::<T>(&Self::row_major(tensor)).to_vec()
        }

        fn integers(tensor: NdArrayTensor) -> Vec<i64> {
            match tensor {
                NdArrayTensor::I64(s) => s.view().iter().copied().collect(),
                NdArrayTensor::I32(s) => s.view().iter().map(|&v| v.into()).collect(),
                _ => panic!("labels are integers"),
            }
        }
    }
}
