//! The epilogue of a block: norm, activation and dropout.

use super::config::BlockConfig;
use crate::dropout::{Dropout, Placement};
use crate::error::ConfigError;
use crate::init::Start;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use crate::norm::BatchNorm;
use crate::norm::Norm;
use crate::pass::{Mode, Pass, Point};
use ablate_kernels::{Activation, BlockOutput, BlockParameters, EpilogueSpec, Position};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Everything in a block after the linear layer or convolution: norm, activation and dropout.
#[derive(Module, Debug)]
pub struct Epilogue {
    /// The norm, if any.
    pub norm: Option<Norm>,
    /// Dropout, if any.
    pub dropout: Option<Dropout>,
    /// The activation.
    #[module(skip)]
    pub activation: Activation,
    /// Whether the norm comes before or after the activation.
    #[module(skip)]
    pub position: Position,
    /// Where dropout acts.
    #[module(skip)]
    pub placement: Placement,
    path: String,
}

impl Epilogue {
    /// Builds the epilogue of the block at `path`.
    pub(super) fn new(
        config: &BlockConfig,
        path: &str,
        channels: usize,
        rate: f64,
        spatial: bool,
        start: &Start,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            norm: config.norm.init(channels, config.init.center, start)?,
            dropout: Dropout::of_kind(
                config.dropout.kind,
                rate,
                spatial,
                &format!("{path}.dropout"),
                start,
            ),
            activation: config.activation,
            position: config.position,
            placement: config.dropout.placement,
            path: path.to_owned(),
        })
    }

    /// The module path of the block, as observers see it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Applies norm, activation and dropout: as one operation where a kernel can, else one after the other.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    pub fn forward(&self, mut x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if let Some(norm) = self.fused_on_gpu(&x, pass) {
            let rows = x.dims()[1];
            let spec = ablate_kernels::NormSpec {
                activation: self.activation,
                position: self.position,
                epsilon: norm.config.epsilon,
            };
            let affine = [&norm.affine.scale, &norm.affine.center];
            let affine = affine.map(|param| param.as_ref().map(Param::val));
            let out = ablate_kernels::gpu::normed_activation(x, affine, spec);
            return self.drop(self.finish(out, rows, pass), positions, pass);
        }
        if let Some(spec) = self.fused(&x, pass, positions) {
            let rows = x.dims()[1];
            let parameters = self.parameters(None, pass, &x.device());
            return self.finish(ablate_kernels::epilogue(x, parameters, spec), rows, pass);
        }
        pass.observe(&self.path, Point::LinearOutput, &x);
        if self.position == Position::Before {
            x = self.normalize(x, positions, pass);
        }
        pass.observe(&self.path, Point::Preactivation, &x);
        x = self.activation.forward(x);
        pass.observe(&self.path, Point::Activation, &x);
        if self.position == Position::After {
            x = self.normalize(x, positions, pass);
        }
        if self.placement == Placement::End {
            x = self.drop(x, positions, pass);
        }
        pass.observe(&self.path, Point::Output, &x);
        x
    }

    /// [`Self::forward`] of images.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height, width, channels]`
    /// - output: as `x`
    pub fn forward_images(&self, x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        let shape = x.dims();
        let [r, n, h, w, c] = shape;
        let rows = x.reshape([r, n * h * w, c]);
        self.forward(rows, h * w, pass).reshape(shape)
    }

    /// What a fused kernel on `device` computes for this epilogue; `None` if the block has to run
    /// operation by operation.
    ///
    /// That is so if there is no kernel for the device, the activation or the kind of norm, if the
    /// pass is observed, in training with ghost batches, a frozen norm, early dropout or Gaussian
    /// noise, and for gradients through running averages.
    pub(super) fn fused<const D: usize>(
        &self,
        x: &Tensor<D>,
        pass: &Pass,
        positions: usize,
    ) -> Option<EpilogueSpec> {
        let (device, replicas) = (&x.device(), x.dims()[0]);
        let norm = match &self.norm {
            None => None,
            Some(Norm::Batch(norm)) => Some(norm),
            Some(_) => return None,
        };
        let differentiates = pass.mode() == Mode::Evaluate && device.is_autodiff();
        let trains = matches!(pass.mode(), Mode::Train { .. });
        let ghosts = trains && norm.is_some_and(|norm| norm.config.ghost.is_some());
        let frozen = trains && norm.is_some_and(|norm| norm.mode(pass) == Mode::Evaluate);
        let unmasked = |dropout: &Dropout| !dropout.kind.is_bernoulli();
        let noise = trains && self.dropout.as_ref().is_some_and(unmasked);
        let plain =
            pass.is_observed() || self.drops_early() || ghosts || frozen || noise || differentiates;
        let has_kernel =
            || ablate_kernels::has_kernels(device) && EpilogueSpec::has_kernel(self.activation);
        if plain || !has_kernel() {
            return None;
        }
        let dropout = self.dropout.as_ref();
        Some(EpilogueSpec {
            activation: self.activation,
            epsilon: norm.map(|norm| norm.config.epsilon),
            position: self.position,
            dropout: dropout.and_then(|dropout| dropout.masks(positions, pass, replicas)),
            pool: false,
        })
    }

    /// True if dropout acts before the end of the block.
    fn drops_early(&self) -> bool {
        self.dropout.is_some() && self.placement != Placement::End
    }

    /// The batch norm that a GPU kernel can fuse with the activation; `None` if the block has to run
    /// operation by operation.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn fused_on_gpu(&self, x: &Tensor<3>, pass: &Pass) -> Option<&BatchNorm> {
        let Some(Norm::Batch(norm)) = &self.norm else {
            return None;
        };
        let whole_batch = match norm.mode(pass) {
            Mode::Train { .. } => norm.config.ghost.is_none(),
            Mode::EvaluateOnBatch => true,
            Mode::Evaluate => false,
        };
        let fused = whole_batch
            && !pass.is_observed()
            && !self.drops_early()
            && ablate_kernels::gpu::has_kernel(self.activation)
            && ablate_kernels::has_gpu_kernels(&x.device(), x.dtype());
        fused.then_some(norm)
    }

    /// Bias, scale, center and running averages for a fused kernel on `device`.
    pub(super) fn parameters(
        &self,
        bias: Option<&Param<Tensor<2>>>,
        pass: &Pass,
        device: &Device,
    ) -> BlockParameters {
        let value = |param: &Option<Param<Tensor<2>>>| param.as_ref().map(Param::val);
        let mut parameters = BlockParameters {
            bias: bias.map(Param::val),
            ..BlockParameters::default()
        };
        if let Some(Norm::Batch(norm)) = &self.norm {
            parameters.scale = value(&norm.affine.scale);
            parameters.center = value(&norm.affine.center);
            if pass.mode() == Mode::Evaluate {
                let (mean, variance) = norm.running.estimates_on(device);
                parameters.statistics = Some([mean, variance]);
            }
        }
        parameters
    }

    /// Updates the running averages after a training pass over `rows` rows; returns the output.
    pub(super) fn finish<const D: usize>(
        &self,
        out: BlockOutput<D>,
        rows: usize,
        pass: &Pass,
    ) -> Tensor<D> {
        if let Some(Norm::Batch(norm)) = &self.norm
            && let Mode::Train { step } = norm.mode(pass)
        {
            norm.update_running([out.mean, out.variance], rows, step);
        }
        out.y
    }

    fn normalize(&self, mut x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        if self.placement == Placement::BeforeNorm {
            x = self.drop(x, positions, pass);
        }
        match &self.norm {
            Some(norm) => {
                pass.observe(&self.path, Point::NormInput, &x);
                norm.forward(x, positions, pass)
            }
            None => x,
        }
    }

    fn drop(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        match &self.dropout {
            Some(dropout) => dropout.forward(x, positions, pass),
            None => x,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout::DropoutConfig;
    use crate::norm::{BatchNormConfig, NormConfig};
    use crate::pass::Observer;
    use crate::testing::for_each_device;
    use std::cell::RefCell;

    fn block(norm: NormConfig, position: Position, placement: Placement) -> BlockConfig {
        BlockConfig {
            norm,
            position,
            dropout: DropoutConfig {
                placement,
                ..DropoutConfig::default()
            },
            ..BlockConfig::default()
        }
    }

    #[derive(Default)]
    struct Points(RefCell<Vec<(String, Point)>>);

    impl Observer for Points {
        fn observe(&self, path: &str, point: Point, _value: &Tensor<3>) {
            self.0.borrow_mut().push((path.to_owned(), point));
        }
    }

    #[test]
    fn observers_see_all_points_in_order() {
        for_each_device(|device| {
            let start = Start::new([1], device);
            let built = BlockConfig::default().dense("blocks.3", 2, 2, &start);
            let x = start.tensor(vec![1.0, 2.0], [1, 1, 2]);
            let seen = Points::default();
            let pass = Pass::evaluate().observed_by(&seen);
            built.expect("can be built").forward(x, &pass);
            let points = [
                Point::LinearOutput,
                Point::Preactivation,
                Point::Activation,
                Point::Output,
            ];
            let expected = points.map(|point| ("blocks.3".to_owned(), point));
            assert_eq!(seen.0.into_inner(), expected);
        });
    }

    #[test]
    fn norm_input_is_observed_after_early_dropout() {
        #[derive(Default)]
        struct Inputs(RefCell<Vec<(Point, Vec<f64>)>>);
        impl Observer for Inputs {
            fn observe(&self, _path: &str, point: Point, value: &Tensor<3>) {
                let seen = (point, crate::testing::values(value.clone()));
                self.0.borrow_mut().push(seen);
            }
        }
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            for (position, before) in [
                (Position::Before, Point::LinearOutput),
                (Position::After, Point::Activation),
            ] {
                let mut block = block(
                    NormConfig::Batch(BatchNormConfig::default()),
                    position,
                    Placement::BeforeNorm,
                );
                block.dropout.rate = 0.5;
                let block = block.dense("block", 2, 2, &start).expect("can be built");
                let x = start.tensor((1..13).map(f64::from).collect(), [1, 6, 2]);
                let inputs = Inputs::default();
                let pass = Pass::train_at(0).observed_by(&inputs);
                block.epilogue.forward(x, 1, &pass);
                let seen = inputs.0.into_inner();
                let of = |wanted| -> &Vec<f64> {
                    let mut at = seen.iter().filter(|(point, _)| *point == wanted);
                    &at.next().expect("the point is observed").1
                };
                let (plain, dropped) = (of(before), of(Point::NormInput));
                let outcome = |(x, y): (&f64, &f64)| *y == 0.0 || *y == 2.0 * x;
                assert!(plain.iter().zip(dropped).all(outcome), "{dropped:?}");
                assert_ne!(plain, dropped);
            }
        });
    }

    #[test]
    fn norm_position_sets_the_order() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            let norm = NormConfig::Batch(BatchNormConfig::default());
            for (position, smallest) in [(Position::Before, 0.0), (Position::After, -10.0)] {
                let block = block(norm.clone(), position, Placement::End);
                let block = block.dense("block", 2, 2, &start).expect("can be built");
                let x = start.tensor((0..12).map(f64::from).collect(), [1, 6, 2]);
                let y = block.epilogue.forward(x, 1, &Pass::train_at(0));
                let y = crate::testing::values(y);
                // With ReLU last nothing is negative; with the norm last the mean is zero.
                let least = y.iter().fold(f64::INFINITY, |least, y| least.min(*y));
                let mean = y.iter().sum::<f64>() / y.len() as f64;
                assert!(least >= smallest, "{position:?}: {y:?}");
                assert_eq!(position == Position::After, mean.abs() < 1e-12, "{y:?}");
            }
        });
    }
}
