//! The parameters and running averages of a built model, by the order of its layers.

use super::error::WeightsError;
use super::slots::{Part, Slot};
use crate::block::Epilogue;
use crate::conv::Conv2d;
use crate::error::ConfigError;
use crate::init::Start;
use crate::norm::{Affine, BatchNorm, Norm};
use crate::resnet::Resnet;
use crate::zoo::Model;
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

/// Weight and bias of a dense layer or convolution.
type Map<'a> = (&'a Param<Tensor<3>>, Option<&'a Param<Tensor<2>>>);

/// The parameters of a model, to read.
pub(super) struct Parts<'a> {
    maps: Vec<Map<'a>>,
    norms: Vec<&'a Norm>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(model: &'a Model) -> Result<Self, WeightsError> {
        let mut maps: Vec<Map<'a>> = Vec::new();
        let mut epilogues = Vec::new();
        if let Model::Resnet(model) = model {
            return Ok(Self::of_resnet(model));
        }
        let head = model.head().ok_or_else(custom)?;
        for block in model.conv_blocks() {
            maps.push((&block.conv.weight, block.conv.bias.as_ref()));
            epilogues.push(&block.epilogue);
        }
        for block in model.dense_blocks() {
            maps.push((&block.linear.weight, block.linear.bias.as_ref()));
            epilogues.push(&block.epilogue);
        }
        maps.push((&head.weight, head.bias.as_ref()));
        let norms = epilogues.into_iter().filter_map(norm).collect();
        Ok(Self { maps, norms })
    }

    fn of_resnet(model: &'a Resnet) -> Self {
        let conv = |conv: &'a Conv2d| (&conv.weight, conv.bias.as_ref());
        let mut maps = vec![conv(&model.stem.conv)];
        let mut epilogues = vec![&model.stem.epilogue];
        for unit in &model.units {
            maps.extend([&unit.inner.conv, &unit.outer].map(conv));
            maps.extend(unit.projection.as_ref().map(conv));
            epilogues.extend(unit.ready.iter().chain([&unit.inner.epilogue]));
        }
        epilogues.push(&model.last);
        maps.push((&model.head.weight, model.head.bias.as_ref()));
        let norms = epilogues.into_iter().filter_map(norm).collect();
        Self { maps, norms }
    }

    /// The values of `slot` in our order.
    ///
    /// # Errors
    /// If the model has no such parameter or replica.
    pub(super) fn values(&self, slot: &Slot, replica: usize) -> Result<Vec<f32>, WeightsError> {
        let map = || self.maps.get(slot.index);
        let norm = || self.norms.get(slot.index);
        let running = |part: usize| {
            let (mean, variance) = batch(norm()?)?.running.estimates();
            Some(host([mean, variance].into_iter().nth(part)?, replica))
        };
        let values = match slot.part {
            Part::Weight => map().map(|(weight, _)| host(weight.val(), replica)),
            Part::Bias => map().and_then(|(_, bias)| Some(host((*bias)?.val(), replica))),
            Part::Scale => vector(
                norm().and_then(|norm| norm.affine().scale.as_ref()),
                replica,
            ),
            Part::Center => vector(
                norm().and_then(|norm| norm.affine().center.as_ref()),
                replica,
            ),
            Part::Mean => running(0),
            Part::Variance => running(1),
        };
        (values.flatten())
            .filter(|values| values.len() == slot.elements())
            .ok_or_else(|| WeightsError::OtherModel(slot.name.clone()))
    }
}

/// The parameters of a model, to change. Running averages are set together, by [`Self::finish`].
pub(super) struct PartsMut<'a> {
    maps: Vec<(&'a mut Param<Tensor<3>>, &'a mut Option<Param<Tensor<2>>>)>,
    norms: Vec<(&'a mut Norm, Option<Tensor<2>>, Option<Tensor<2>>)>,
}

impl<'a> PartsMut<'a> {
    pub(super) fn of(model: &'a mut Model) -> Result<Self, WeightsError> {
        let mut maps = Vec::new();
        let mut norms = Vec::new();
        if let Model::Resnet(model) = model {
            return Ok(Self::of_resnet(model));
        }
        let model = model.parts_mut().ok_or_else(custom)?;
        for block in model.stages.iter_mut().flat_map(|stage| &mut stage.blocks) {
            maps.push((&mut block.conv.weight, &mut block.conv.bias));
            norms.extend(norm_mut(&mut block.epilogue));
        }
        for block in model.dense {
            maps.push((&mut block.linear.weight, &mut block.linear.bias));
            norms.extend(norm_mut(&mut block.epilogue));
        }
        maps.push((&mut model.head.weight, &mut model.head.bias));
        let norms = norms.into_iter().map(|norm| (norm, None, None)).collect();
        Ok(Self { maps, norms })
    }

    fn of_resnet(model: &'a mut Resnet) -> Self {
        let stem = &mut model.stem;
        let mut maps = vec![(&mut stem.conv.weight, &mut stem.conv.bias)];
        let mut norms = Vec::from_iter(norm_mut(&mut stem.epilogue));
        for unit in &mut model.units {
            let convs = [&mut unit.inner.conv, &mut unit.outer].into_iter();
            for conv in convs.chain(&mut unit.projection) {
                maps.push((&mut conv.weight, &mut conv.bias));
            }
            let epilogues = unit.ready.iter_mut().chain([&mut unit.inner.epilogue]);
            norms.extend(epilogues.filter_map(norm_mut));
        }
        norms.extend(norm_mut(&mut model.last));
        maps.push((&mut model.head.weight, &mut model.head.bias));
        let norms = norms.into_iter().map(|norm| (norm, None, None)).collect();
        Self { maps, norms }
    }

    /// Sets the parameter of `slot` to `values` in our order.
    ///
    /// # Errors
    /// If the model has no such parameter.
    pub(super) fn set(
        &mut self,
        slot: &Slot,
        values: Vec<f32>,
        start: &Start,
    ) -> Result<(), WeightsError> {
        let other = || WeightsError::OtherModel(slot.name.clone());
        let n = values.len();
        let vector = |values| tensor(values, [1, n], start);
        match slot.part {
            Part::Weight | Part::Bias => {
                let (weight, bias) = self.maps.get_mut(slot.index).ok_or_else(other)?;
                if slot.part == Part::Weight {
                    let shape = weight.val().dims();
                    **weight = Param::from_tensor(tensor(values, shape, start));
                } else {
                    **bias = Some(Param::from_tensor(vector(values)));
                }
            }
            part => {
                let (norm, mean, variance) = self.norms.get_mut(slot.index).ok_or_else(other)?;
                let new = vector(values);
                let Affine { scale, center } = norm.affine_mut();
                match part {
                    Part::Scale => *scale = Some(Param::from_tensor(new)),
                    Part::Center => *center = Some(Param::from_tensor(new)),
                    Part::Mean => *mean = Some(new),
                    _ => *variance = Some(new),
                }
            }
        }
        Ok(())
    }

    /// Sets the running averages.
    pub(super) fn finish(self) {
        for (norm, mean, variance) in self.norms {
            if let (Norm::Batch(norm), Some(mean), Some(variance)) = (norm, mean, variance) {
                norm.running.set(mean, variance);
            }
        }
    }
}

fn custom() -> WeightsError {
    ConfigError::new("kind", "names a model that is not of the zoo").into()
}

/// The norm, unless it computes nothing: a scale and center without statistics that has neither.
fn norm(epilogue: &Epilogue) -> Option<&Norm> {
    epilogue.norm.as_ref().filter(|norm| computes(norm))
}

fn norm_mut(epilogue: &mut Epilogue) -> Option<&mut Norm> {
    epilogue.norm.as_mut().filter(|norm| computes(norm))
}

fn computes(norm: &Norm) -> bool {
    let Affine { scale, center } = norm.affine();
    !matches!(norm, Norm::Affine(_)) || scale.is_some() || center.is_some()
}

fn batch(norm: &Norm) -> Option<&BatchNorm> {
    match norm {
        Norm::Batch(norm) => Some(norm),
        _ => None,
    }
}

fn vector(param: Option<&Param<Tensor<2>>>, replica: usize) -> Option<Option<Vec<f32>>> {
    param.map(|param| host(param.val(), replica))
}

/// The values of one replica; `None` if there are fewer replicas.
fn host<const D: usize>(tensor: Tensor<D>, replica: usize) -> Option<Vec<f32>> {
    let replicas = tensor.dims()[0];
    let values: Vec<f32> = tensor.try_into_vec_as().ok()?;
    let each = values.len() / replicas;
    values
        .get(replica * each..(replica + 1) * each)
        .map(<[f32]>::to_vec)
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], start: &Start) -> Tensor<D> {
    let data = TensorData::new(values, shape).convert_dtype(start.dtype);
    Tensor::from_data(data, (&start.device, start.dtype))
}
