//! Replicas of a stacked model: taken out, put together, averaged.

use crate::block::{ConvBlock, DenseBlock};
use crate::cnn::Cnn;
use crate::dropout::Dropout;
use crate::mlp::Mlp;
use crate::resnet::Resnet;
use crate::zoo::Model;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use std::any::Any;
use std::collections::VecDeque;
use thiserror::Error;

/// A module whose parameters all have a leading axis of replicas.
///
/// A replica keeps the random streams of its dropout masks wherever it goes, so it trains on as it
/// would have in its stack, bit for bit on CPUs. Results are models of their own: their parameters have
/// new ids, and they share nothing with their source.
pub trait Stacked: Module {
    /// The dropout layers, always in the same order; `None` for a model of a registered kind, whose
    /// layers are unknown.
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>>;

    /// Number of replicas; 0 for a module without parameters.
    fn replicas(&self) -> usize {
        shapes(self).first().map_or(0, |(_, shape)| shape[0])
    }

    /// Replica `index` alone.
    ///
    /// # Errors
    /// If there is no such replica, or the model is of a registered kind.
    fn replica(&self, index: usize) -> Result<Self, StackError> {
        let replicas = self.replicas();
        if index >= replicas {
            return Err(StackError::Index { index, replicas });
        }
        let mut replica = self.clone().map(&mut Change::Pick(index));
        for dropout in replica.dropouts_mut().ok_or(StackError::Registered)? {
            dropout.keep_streams(&[index]);
        }
        Ok(replica)
    }

    /// All replicas of `models` in one stack, in this order. Settings that are no parameters, such as
    /// dropout rates and the step count, are those of the first model.
    ///
    /// # Errors
    /// If there is no model, they differ in a parameter or its shape, or one is of a registered kind.
    fn stack(models: &[Self]) -> Result<Self, StackError> {
        let (first, others) = models.split_first().ok_or(StackError::Empty)?;
        let expected = shapes(first);
        for (i, other) in others.iter().enumerate() {
            let found = shapes(other);
            let same = |((path, shape), (other_path, other_shape)): (&Shape, &Shape)| {
                path == other_path && shape[1..] == other_shape[1..]
            };
            let agree = expected.iter().zip(&found).take_while(|&pair| same(pair));
            let agree = agree.count();
            if agree < expected.len().max(found.len()) {
                let path = expected.get(agree).or(found.get(agree));
                let path = path.expect("one of them has this parameter").0.clone();
                return Err(StackError::Different { model: i + 1, path });
            }
        }
        let values = others.iter().map(tensors).collect();
        let mut stack = first.clone().map(&mut Change::Append(values));
        let mut dropouts = stack.dropouts_mut().ok_or(StackError::Registered)?;
        for (i, other) in others.iter().enumerate() {
            let mut other = other.clone();
            let sources = other.dropouts_mut().ok_or(StackError::Registered)?;
            if sources.len() != dropouts.len() {
                return Err(StackError::Dropout { model: i + 1 });
            }
            for (dropout, source) in dropouts.iter_mut().zip(sources) {
                dropout.append_streams(source);
            }
        }
        Ok(stack)
    }

    /// One model whose parameters and running averages are the means over the replicas ("model soup",
    /// Wortsman et al. 2022, section 2). It draws the masks of the first replica.
    ///
    /// # Errors
    /// If the model has no replica, or is of a registered kind.
    fn mean_of_replicas(&self) -> Result<Self, StackError> {
        if self.replicas() == 0 {
            return Err(StackError::Empty);
        }
        let mut mean = self.clone().map(&mut Change::Mean);
        for dropout in mean.dropouts_mut().ok_or(StackError::Registered)? {
            dropout.keep_streams(&[0]);
        }
        Ok(mean)
    }
}

/// Why replicas cannot be taken apart or put together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StackError {
    /// There is no replica of that index.
    #[error("there is no replica {index}; the model has {replicas}, counted from 0")]
    Index {
        /// The index asked for.
        index: usize,
        /// Number of replicas.
        replicas: usize,
    },
    /// There is nothing to stack or average.
    #[error("there is no replica to stack or average")]
    Empty,
    /// A model differs from the first in a parameter.
    #[error("model {model} differs from model 0 in the parameter `{path}`")]
    Different {
        /// Index of the model.
        model: usize,
        /// Path of the first parameter that only one of them has, or that differs in shape.
        path: String,
    },
    /// A model differs from the first in where it has dropout.
    #[error("model {model} has other dropout layers than model 0")]
    Dropout {
        /// Index of the model.
        model: usize,
    },
    /// The layers of the model are unknown.
    #[error("a model of a registered kind cannot be taken apart: its dropout layers are unknown")]
    Registered,
}

impl Stacked for DenseBlock {
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>> {
        Some(self.epilogue.dropout.iter_mut().collect())
    }
}

impl Stacked for ConvBlock {
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>> {
        Some(self.epilogue.dropout.iter_mut().collect())
    }
}

impl Stacked for Mlp {
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>> {
        let blocks = self.blocks.iter_mut();
        let hidden = blocks.flat_map(|block| &mut block.epilogue.dropout);
        Some(self.input_dropout.iter_mut().chain(hidden).collect())
    }
}

impl Stacked for Cnn {
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>> {
        let stages = self.stages.iter_mut();
        let convs = stages.flat_map(|stage| &mut stage.blocks);
        let convs = convs.flat_map(|block| &mut block.epilogue.dropout);
        let dense = self.dense.iter_mut();
        let dense = dense.flat_map(|block| &mut block.epilogue.dropout);
        Some(
            (self.input_dropout.iter_mut())
                .chain(convs)
                .chain(dense)
                .collect(),
        )
    }
}

impl Stacked for Resnet {
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>> {
        let units = self.units.iter_mut();
        let inner = units.flat_map(|unit| &mut unit.inner.epilogue.dropout);
        Some(self.input_dropout.iter_mut().chain(inner).collect())
    }
}

impl Stacked for Model {
    fn dropouts_mut(&mut self) -> Option<Vec<&mut Dropout>> {
        match self {
            Self::Mlp(m) => m.dropouts_mut(),
            Self::Cnn(m) => m.dropouts_mut(),
            Self::Resnet(m) => m.dropouts_mut(),
            Self::Custom(_) => None,
        }
    }
}

/// Path and shape of a tensor, running averages included.
type Shape = (String, Vec<usize>);

fn shapes<M: Module>(module: &M) -> Vec<Shape> {
    #[derive(Default)]
    struct Shapes {
        path: Vec<String>,
        found: Vec<Shape>,
    }
    impl ModuleVisitor for Shapes {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found
                .push((self.path.join("."), param.dims().to_vec()));
        }
    }
    let mut shapes = Shapes::default();
    module.visit(&mut shapes);
    shapes.found
}

/// The tensors of a module in the order of a visit, each a `Tensor<D>` without gradients.
fn tensors<M: Module>(module: &M) -> VecDeque<Box<dyn Any>> {
    struct Tensors(VecDeque<Box<dyn Any>>);
    impl ModuleVisitor for Tensors {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push_back(Box::new(plain(param.val())));
        }
    }
    let mut tensors = Tensors(VecDeque::new());
    module.visit(&mut tensors);
    tensors.0
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match tensor.device().is_autodiff() {
        true => tensor.inner(),
        false => tensor,
    }
}

/// What happens to the axis of replicas of every tensor.
enum Change {
    /// One replica is kept.
    Pick(usize),
    /// Their mean is taken.
    Mean,
    /// Those of other modules, whose tensors are listed in the order of a visit, follow.
    Append(Vec<VecDeque<Box<dyn Any>>>),
}

impl Change {
    fn of<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Pick(index) => tensor.narrow(0, *index, 1),
            Self::Mean => tensor.mean_dim(0),
            Self::Append(others) => {
                let others = others.iter_mut().map(|others| {
                    let other = others.pop_front().and_then(|other| other.downcast().ok());
                    *other.expect("the modules have the same tensors")
                });
                Tensor::cat(std::iter::once(tensor).chain(others).collect(), 0)
            }
        }
    }
}

impl ModuleMapper for Change {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let tensor = param.val();
        let trains = tensor.is_require_grad();
        let is_autodiff = tensor.device().is_autodiff();
        let changed = self.of(plain(tensor));
        let changed = match is_autodiff {
            true => Tensor::from_inner(changed).set_require_grad(trains),
            false => changed,
        };
        Param::initialized(ParamId::new(), changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockConfig;
    use crate::cnn::CnnConfig;
    use crate::init::Start;
    use crate::mlp::MlpConfig;
    use crate::norm::{BatchNormConfig, NormConfig};
    use crate::pass::Pass;
    use crate::resnet::ResnetConfig;
    use crate::testing::{assert_close, for_each_device, values};
    use crate::zoo::ModelConfig;
    use burn::tensor::Device;

    const SEEDS: [u64; 3] = [4, 7, 1];
    const INPUT: [usize; 3] = [4, 4, 1];

    fn block() -> BlockConfig {
        let mut block = BlockConfig {
            norm: NormConfig::Batch(BatchNormConfig {
                bias_correction: true,
                ..BatchNormConfig::default()
            }),
            ..BlockConfig::default()
        };
        block.dropout.rate = 0.4;
        block.dropout.conv_rate = 0.3;
        block.dropout.input_rate = 0.2;
        block
    }

    fn configs() -> [ModelConfig; 3] {
        let mut dropping = block();
        dropping.dropout.rate = 0.0;
        [
            ModelConfig::Mlp(MlpConfig {
                hidden: vec![6, 5],
                block: block(),
                last_block: None,
            }),
            ModelConfig::Cnn(CnnConfig {
                dense: vec![5],
                block: block(),
                ..CnnConfig::new([3])
            }),
            ModelConfig::Resnet(ResnetConfig {
                block: dropping,
                ..ResnetConfig::new([3, 4])
            }),
        ]
    }

    fn stack_of(config: &ModelConfig, device: &Device) -> Model {
        let start = Start::new(SEEDS, device);
        config.init(INPUT, 3, &start).expect("can be built")
    }

    /// Different images per replica, `[replicas, 8, 16]`.
    fn images(device: &Device) -> Tensor<3> {
        let n = SEEDS.len() * 8 * 16;
        let values = (0..n).map(|i| (i as f64 * 0.37).sin()).collect();
        Start::new([0], device).tensor(values, [SEEDS.len(), 8, 16])
    }

    #[test]
    fn replica_trains_as_in_its_stack() {
        for_each_device(|device| {
            for config in configs() {
                let (stack, x) = (stack_of(&config, device), images(device));
                stack.forward(x.clone(), &Pass::train());
                for i in 0..SEEDS.len() {
                    let replica = stack.replica(i).expect("there is one");
                    assert_eq!(replica.replicas(), 1);
                    let alone = x.clone().narrow(0, i, 1);
                    for pass in [Pass::evaluate(), Pass::train_at(5), Pass::train()] {
                        let together = stack.clone().forward(x.clone(), &pass).narrow(0, i, 1);
                        let alone = replica.clone().forward(alone.clone(), &pass);
                        assert_eq!(values(alone), values(together), "replica {i}");
                    }
                }
                let error = stack.replica(3).expect_err("there are three");
                let message = "there is no replica 3; the model has 3, counted from 0";
                assert_eq!(error.to_string(), message);
            }
        });
    }

    #[test]
    fn stack_of_replicas_is_the_stack() {
        for_each_device(|device| {
            for config in configs() {
                let (stack, x) = (stack_of(&config, device), images(device));
                stack.forward(x.clone(), &Pass::train());
                let each = (0..SEEDS.len()).map(|i| stack.replica(i).expect("there is one"));
                let again = Model::stack(&each.collect::<Vec<_>>()).expect("they fit");
                for pass in [Pass::evaluate(), Pass::train_at(2)] {
                    let (a, b) = (
                        again.forward(x.clone(), &pass),
                        stack.forward(x.clone(), &pass),
                    );
                    assert_eq!(values(a), values(b));
                }
            }
        });
    }

    #[test]
    fn different_models_do_not_stack() {
        for_each_device(|device| {
            let [mlp, cnn, resnet] = configs();
            let (a, mut wider) = (stack_of(&mlp, device), mlp.clone());
            wider.widths_mut().into_iter().for_each(|width| *width += 1);
            for other in [wider, cnn, resnet] {
                let error = Model::stack(&[a.clone(), stack_of(&other, device)]);
                let error = error.expect_err("they differ").to_string();
                let place = "model 1 differs from model 0 in the parameter";
                assert!(error.starts_with(place), "{error}");
                assert!(error.ends_with("blocks.0.linear.weight`"), "{error}");
            }
            assert_eq!(Model::stack(&[]).err(), Some(StackError::Empty));
        });
    }

    #[test]
    fn mean_of_replicas_averages_parameters_and_statistics() {
        for_each_device(|device| {
            let [mlp, ..] = configs();
            let (stack, x) = (stack_of(&mlp, device), images(device));
            stack.forward(x, &Pass::train());
            let mean = stack.mean_of_replicas().expect("there are replicas");
            let (means, stacked) = (tensors(&mean), tensors(&stack));
            let mut ranks = 0;
            for (mean, stacked) in means.iter().zip(&stacked) {
                let (Some(mean), Some(stacked)) = (
                    mean.downcast_ref::<Tensor<2>>(),
                    stacked.downcast_ref::<Tensor<2>>(),
                ) else {
                    continue;
                };
                ranks += 1;
                let (mean, all) = (values(mean.clone()), values(stacked.clone()));
                let n = mean.len();
                let expected: Vec<f64> = (0..n)
                    .map(|j| (all[j] + all[n + j] + all[2 * n + j]) / 3.0)
                    .collect();
                assert_close(&mean, &expected, 1e-6);
            }
            // Scale, center and three averages of two norms, and the bias of the head.
            assert_eq!(ranks, 11);
        });
    }

    #[test]
    #[should_panic(expected = "mask streams for 3 replicas got an input of 1")]
    fn parameters_without_their_streams_are_refused() {
        for_each_device(|device| {
            let [mlp, ..] = configs();
            let sliced = stack_of(&mlp, device).map(&mut Change::Pick(1));
            sliced.forward(images(device).narrow(0, 1, 1), &Pass::train());
        });
    }
}
