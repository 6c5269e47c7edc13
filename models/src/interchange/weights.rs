//! Named tensors on the host, and safetensors files of them.

use super::error::WeightsError;
use super::slots::{Part, Slot};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;

/// Tensors by their names in PyTorch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(pub BTreeMap<String, HostTensor>);

/// A tensor on the host, in single precision.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

impl Weights {
    /// The content of a safetensors file. Equal weights give equal bytes.
    ///
    /// # Errors
    /// If there are so many tensors that their names exceed 100 MB.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        let bytes: Vec<(&String, &HostTensor, Vec<u8>)> = (self.0.iter())
            .map(|(name, tensor)| {
                let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes());
                (name, tensor, bytes.collect())
            })
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, tensor, bytes) in &bytes {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(file)?;
            views.push((name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(file)
    }

    /// Reads the content of a safetensors file. It allocates no more than a small multiple of its size.
    ///
    /// # Errors
    /// If it is damaged, or a tensor is not in single precision.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(file)?;
        let named = tensors.iter().map(|(name, view)| {
            let counts = name.ends_with(".num_batches_tracked") && view.dtype() == Dtype::I64;
            if view.dtype() != Dtype::F32 && !counts {
                return Err(WeightsError::Type {
                    name: name.to_owned(),
                    found: view.dtype().to_string(),
                });
            }
            let values = match counts {
                true => Vec::new(),
                false => (view.data().as_chunks::<4>().0.iter())
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect(),
            };
            let shape = view.shape().to_vec();
            Ok((name.to_owned(), HostTensor { shape, values }))
        });
        named.collect::<Result<_, _>>().map(Self)
    }

    /// Number of values.
    pub fn elements(&self) -> usize {
        self.0.values().map(|tensor| tensor.values.len()).sum()
    }

    /// Checks that these are exactly the tensors of `slots`.
    pub(super) fn check(&self, slots: &[Slot]) -> Result<(), WeightsError> {
        let missing: Vec<String> = (slots.iter())
            .filter(|slot| !self.0.contains_key(&slot.name))
            .map(|slot| slot.name.clone())
            .collect();
        if !missing.is_empty() {
            return Err(WeightsError::Missing(missing));
        }
        let counters: Vec<String> = slots.iter().filter_map(Slot::counter).collect();
        let known =
            |name: &String| slots.iter().any(|slot| slot.name == *name) || counters.contains(name);
        let unknown: Vec<String> = self.0.keys().filter(|name| !known(name)).cloned().collect();
        if !unknown.is_empty() {
            return Err(WeightsError::Unknown(unknown));
        }
        slots.iter().try_for_each(|slot| self.check_one(slot))
    }

    fn check_one(&self, slot: &Slot) -> Result<(), WeightsError> {
        let found = &self.0[&slot.name];
        let name = || slot.name.clone();
        if found.shape != slot.shape || found.values.len() != slot.elements() {
            return Err(WeightsError::Shape {
                name: name(),
                found: found.shape.clone(),
                expected: slot.shape.clone(),
            });
        }
        if found.values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite(name()));
        }
        match slot.constant {
            Some(constant) if found.values.iter().any(|&value| value != constant) => {
                Err(WeightsError::NotConstant {
                    name: name(),
                    constant,
                    part: match slot.part {
                        Part::Scale => "scale",
                        _ => "center",
                    },
                })
            }
            _ => Ok(()),
        }
    }
}

fn file(error: impl std::fmt::Display) -> WeightsError {
    WeightsError::File(error.to_string())
}
