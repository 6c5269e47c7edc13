//! The state of an optimizer on the host, for checkpoints.

use super::{Optimizer, ParameterState, StoredMoment};
use crate::train::net::host;
use ablate_models::interchange::HostTensor;
use burn::backend::TensorMetadata;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::collections::BTreeMap;

/// Calls `$call::<D>` for the rank `$rank`.
macro_rules! at_rank {
    ($rank:expr, $call:ident($argument:expr, $device:expr)) => {
        match $rank {
            1 => $call::<1>($argument, $device),
            2 => $call::<2>($argument, $device),
            3 => $call::<3>($argument, $device),
            4 => $call::<4>($argument, $device),
            5 => $call::<5>($argument, $device),
            rank => panic!("a parameter with {rank} axes cannot be part of a checkpoint"),
        }
    };
}

impl Optimizer {
    /// Number of steps taken, and the moments of the parameters as `INDEX.first` and `INDEX.second`.
    pub(crate) fn state(&self) -> (i32, BTreeMap<String, HostTensor>) {
        let moments = self.states.iter().enumerate().flat_map(|(i, state)| {
            let first = (format!("{i}.first"), &state.first);
            [first, (format!("{i}.second"), &state.second)]
        });
        let tensors = moments.filter_map(|(name, moment)| Some((name, moment.to_host()?)));
        (self.step, tensors.collect())
    }

    /// Restores what [`Self::state`] gave. `device` is that of the parameters, without gradients.
    pub(crate) fn restore(
        &mut self,
        step: i32,
        mut tensors: BTreeMap<String, HostTensor>,
        device: &Device,
    ) {
        self.step = step;
        self.states.clear();
        while !tensors.is_empty() {
            let i = self.states.len();
            let mut moment = |name: &str| {
                let tensor = tensors.remove(&format!("{i}.{name}"));
                StoredMoment::from_host(tensor, device)
            };
            let state = ParameterState {
                first: moment("first"),
                second: moment("second"),
            };
            if state.first.0.is_none() && state.second.0.is_none() {
                break;
            }
            self.states.push(state);
        }
    }
}

impl StoredMoment {
    fn to_host(&self) -> Option<HostTensor> {
        let moment = self.0.clone()?;
        let shape = moment.shape().to_vec();
        let values = at_rank!(shape.len(), read(moment, ()));
        Some(HostTensor { shape, values })
    }

    fn from_host(tensor: Option<HostTensor>, device: &Device) -> Self {
        Self(tensor.map(|tensor| at_rank!(tensor.shape.len(), write(tensor, device))))
    }
}

fn read<const D: usize>(moment: burn::backend::DispatchTensor, (): ()) -> Vec<f32> {
    host(Tensor::<D>::from_dispatch(moment))
}

fn write<const D: usize>(tensor: HostTensor, device: &Device) -> burn::backend::DispatchTensor {
    let data = TensorData::new(tensor.values, tensor.shape);
    Tensor::<D>::from_data(data, (device, DType::F32)).into_dispatch()
}
