//! The one place that fixes the order of a block: weight, norm?, activation, norm?, dropout?.

use crate::conv::{Conv2d, Conv2dConfig};
use crate::dropout::{Dropout, DropoutConfig, Placement};
use crate::error::ConfigError;
use crate::init::{Start, WeightInit};
use crate::linear::{Linear, LinearConfig};
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use crate::norm::BatchNorm;
use crate::norm::{Norm, NormConfig};
use crate::pass::{Mode, Pass, Point};
pub use ablate_kernels::Position;
use ablate_kernels::activation::Activation;
use ablate_kernels::{BlockOutput, BlockParameters, EpilogueSpec, Geometry};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// What surrounds the weights of every hidden block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockConfig {
    /// The activation. Default: `relu`.
    pub activation: Activation,
    /// The normalization. Default: none.
    pub norm: NormConfig,
    /// On which side of the activation the norm stands. Default: before it.
    pub position: Position,
    /// Whether the weights come with a bias. Default: `auto`.
    pub bias: Bias,
    /// Dropout. Default: none.
    pub dropout: DropoutConfig,
    /// Start values.
    pub init: InitConfig,
}

/// Whether the weights come with a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// Off exactly where a batch norm with a center follows the weights directly; on elsewhere.
    #[default]
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// Start values of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InitConfig {
    /// Distribution of the weights. Default: `he_normal`.
    pub weight: WeightInit,
    /// Start value of every bias of a hidden block. Default: 0.
    pub bias: f64,
    /// Start value of every center. Default: 0.
    pub center: f64,
}

impl Default for InitConfig {
    fn default() -> Self {
        Self {
            weight: WeightInit::HeNormal,
            bias: 0.0,
            center: 0.0,
        }
    }
}

impl BlockConfig {
    /// Whether a block of this kind has a bias, if it drops at `rate`.
    pub fn has_bias(&self, rate: f64) -> bool {
        match self.bias {
            Bias::On => true,
            Bias::Off => false,
            Bias::Auto => {
                let direct = self.position == Position::Before
                    && (self.dropout.placement == Placement::End || rate == 0.0);
                !(direct && self.norm.replaces_bias())
            }
        }
    }

    /// # Errors
    /// If a part is out of range, or parts contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.norm.check()?;
        self.dropout.check()?;
        if self.dropout.placement == Placement::BeforeNorm && !self.norm.is_some() {
            return Err(ConfigError::new(
                "dropout.placement",
                "is `before_norm`, but the block has no norm",
            ));
        }
        for (key, value) in [
            ("init.bias", self.init.bias),
            ("init.center", self.init.center),
        ] {
            if !value.is_finite() {
                return Err(ConfigError::new(
                    key,
                    format!("must be finite, not {value}"),
                ));
            }
        }
        Ok(())
    }
}

/// A dense layer and what follows it.
#[derive(Module, Debug)]
pub struct DenseBlock {
    /// The weights.
    pub linear: Linear,
    /// What follows them.
    pub epilogue: Epilogue,
}

/// A convolution and what follows it.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// The weights.
    pub conv: Conv2d,
    /// What follows them.
    pub epilogue: Epilogue,
}

/// What follows the weights of a block: norm?, activation, norm?, dropout?.
#[derive(Module, Debug)]
pub struct Epilogue {
    /// The norm, if any.
    pub norm: Option<Norm>,
    /// Dropout, if any.
    pub dropout: Option<Dropout>,
    /// The activation.
    #[module(skip)]
    pub activation: Activation,
    /// On which side of the activation the norm stands.
    #[module(skip)]
    pub position: Position,
    /// Where dropout stands.
    #[module(skip)]
    pub placement: Placement,
    path: String,
}

impl BlockConfig {
    /// Builds a dense block at `path`.
    ///
    /// # Errors
    /// If the norm does not fit the outputs.
    pub fn dense(
        &self,
        path: &str,
        inputs: usize,
        outputs: usize,
        start: &Start,
    ) -> Result<DenseBlock, ConfigError> {
        let linear = LinearConfig {
            inputs,
            outputs,
            bias: self.has_bias(self.dropout.rate).then_some(self.init.bias),
            init: self.init.weight,
        };
        Ok(DenseBlock {
            linear: linear.init(&format!("{path}.linear"), start),
            epilogue: self.epilogue(path, outputs, self.dropout.rate, false, start)?,
        })
    }

    /// Builds a convolution block at `path`.
    ///
    /// # Errors
    /// If the norm does not fit the outputs.
    pub fn conv(
        &self,
        path: &str,
        [inputs, outputs]: [usize; 2],
        geometry: Geometry,
        start: &Start,
    ) -> Result<ConvBlock, ConfigError> {
        let rate = self.dropout.conv_rate;
        let conv = Conv2dConfig {
            inputs,
            outputs,
            geometry,
            bias: self.has_bias(rate).then_some(self.init.bias),
            init: self.init.weight,
        };
        Ok(ConvBlock {
            conv: conv.init(&format!("{path}.conv"), start),
            epilogue: self.epilogue(path, outputs, rate, self.dropout.spatial, start)?,
        })
    }

    fn epilogue(
        &self,
        path: &str,
        channels: usize,
        rate: f64,
        spatial: bool,
        start: &Start,
    ) -> Result<Epilogue, ConfigError> {
        Ok(Epilogue {
            norm: self.norm.init(channels, self.init.center, start)?,
            dropout: Dropout::new(rate, spatial, &format!("{path}.dropout"), start),
            activation: self.activation,
            position: self.position,
            placement: self.dropout.placement,
            path: path.to_owned(),
        })
    }
}

impl DenseBlock {
    /// # Shapes
    /// `[replicas, rows, ..]`, whose last dimensions are the inputs, to `[replicas, rows, outputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, pass: &Pass) -> Tensor<3> {
        let Some(spec) = self.epilogue.fused(&x.device(), pass, 1) else {
            return self.epilogue.forward(self.linear.forward(x), 1, pass);
        };
        let rows = x.dims()[1];
        let parameters = self.epilogue.parameters(self.linear.bias.as_ref(), pass);
        let out = ablate_kernels::dense_block(x, self.linear.weight.val(), parameters, spec);
        self.epilogue.finish(out, rows, pass)
    }
}

impl ConvBlock {
    /// # Shapes
    /// `[replicas, batch, height, width, inputs]` to the same with `outputs` channels, and height
    /// and width as the geometry says.
    pub fn forward(&self, x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        self.forward_with(x, false, pass)
    }

    /// [`Self::forward`] and 2x2 max pooling with stride 2.
    pub fn forward_pooled(&self, x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        self.forward_with(x, true, pass)
    }

    fn forward_with(&self, x: Tensor<5>, pool: bool, pass: &Pass) -> Tensor<5> {
        let [_, n, h, w, _] = x.dims();
        let geometry = self.conv.geometry;
        let positions = geometry.output(h) * geometry.output(w);
        if let Some(mut spec) = self.epilogue.fused(&x.device(), pass, positions) {
            spec.pool = pool && spec.dropout.is_none();
            let pooled = spec.pool;
            let parameters = self.epilogue.parameters(self.conv.bias.as_ref(), pass);
            let out =
                ablate_kernels::conv_block(x, self.conv.weight.val(), parameters, geometry, spec);
            let y = self.epilogue.finish(out, n * positions, pass);
            return if pool && !pooled {
                ablate_kernels::max_pool2d(y)
            } else {
                y
            };
        }
        let y = self.conv.forward(x);
        let shape = y.dims();
        let [r, n, h, w, c] = shape;
        let y = self
            .epilogue
            .forward(y.reshape([r, n * h * w, c]), h * w, pass);
        let y = y.reshape(shape);
        if pool {
            ablate_kernels::max_pool2d(y)
        } else {
            y
        }
    }
}

impl Epilogue {
    /// The block's path, under which observers see it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    pub fn forward(&self, mut x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if let Some(norm) = self.normed_at_once(&x, pass) {
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
        pass.show(&self.path, Point::Weighted, &x);
        if self.position == Position::Before {
            x = self.normalize(x, positions, pass);
        }
        pass.show(&self.path, Point::Preactivation, &x);
        x = self.activation.forward(x);
        pass.show(&self.path, Point::Activation, &x);
        if self.position == Position::After {
            x = self.normalize(x, positions, pass);
        }
        if self.placement == Placement::End {
            x = self.drop(x, positions, pass);
        }
        pass.show(&self.path, Point::Output, &x);
        x
    }

    /// What one operation on `device` does for this epilogue in `pass`; `None` where the layers are
    /// needed one by one: where there are no kernels, someone watches, statistics are those of ghost
    /// batches, or a gradient through running statistics may be wanted.
    fn fused(&self, device: &Device, pass: &Pass, positions: usize) -> Option<EpilogueSpec> {
        let norm = match &self.norm {
            None => None,
            Some(Norm::Batch(norm)) => Some(norm),
            Some(Norm::Group(_) | Norm::Affine(_)) => return None,
        };
        let differentiates = pass.mode() == Mode::Evaluate && device.is_autodiff();
        let ghosts = norm.is_some_and(|norm| norm.config.ghost.is_some())
            && matches!(pass.mode(), Mode::Train { .. });
        let plain = pass.is_watched() || self.drops_early() || ghosts || differentiates;
        if plain || !ablate_kernels::has_kernels(device) {
            return None;
        }
        let masks = |step| self.dropout.as_ref().map(|d| d.masks(positions, step));
        Some(EpilogueSpec {
            activation: self.activation,
            epsilon: norm.map(|norm| norm.config.epsilon),
            position: self.position,
            dropout: match pass.mode() {
                Mode::Train { step } => masks(step),
                Mode::Evaluate | Mode::EvaluateOnBatch => None,
            },
            pool: false,
        })
    }

    /// Whether dropout stands before the end of the block.
    fn drops_early(&self) -> bool {
        self.dropout.is_some() && self.placement != Placement::End
    }

    /// The norm over the whole batch that a GPU computes in one operation with the activation; `None`
    /// where something between them is of interest.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn normed_at_once(&self, x: &Tensor<3>, pass: &Pass) -> Option<&BatchNorm> {
        let Some(Norm::Batch(norm)) = &self.norm else {
            return None;
        };
        let over_the_batch = match pass.mode() {
            Mode::Train { .. } => norm.config.ghost.is_none(),
            Mode::EvaluateOnBatch => true,
            Mode::Evaluate => false,
        };
        let at_once = over_the_batch && !pass.is_watched() && !self.drops_early();
        (at_once && ablate_kernels::has_gpu_kernels(&x.device(), x.dtype())).then_some(norm)
    }

    fn parameters(&self, bias: Option<&Param<Tensor<2>>>, pass: &Pass) -> BlockParameters {
        let value = |param: &Option<Param<Tensor<2>>>| param.as_ref().map(Param::val);
        let mut parameters = BlockParameters {
            bias: bias.map(Param::val),
            ..BlockParameters::default()
        };
        if let Some(Norm::Batch(norm)) = &self.norm {
            parameters.scale = value(&norm.affine.scale);
            parameters.center = value(&norm.affine.center);
            if pass.mode() == Mode::Evaluate {
                let (mean, variance) = norm.running.estimates();
                parameters.statistics = Some([mean, variance]);
            }
        }
        parameters
    }

    /// The output, after the running averages took in the statistics of `rows` rows.
    fn finish<const D: usize>(&self, out: BlockOutput<D>, rows: usize, pass: &Pass) -> Tensor<D> {
        if let (Some(Norm::Batch(norm)), Mode::Train { step }) = (&self.norm, pass.mode()) {
            let seen = [out.mean, out.variance];
            norm.running.update(&norm.config, seen, rows, step);
        }
        out.y
    }

    fn normalize(&self, mut x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        if self.placement == Placement::BeforeNorm {
            x = self.drop(x, positions, pass);
        }
        match &self.norm {
            Some(norm) => {
                pass.show(&self.path, Point::NormInput, &x);
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
    use crate::norm::{BatchNormConfig, LayerNormConfig};
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

    #[test]
    fn auto_leaves_the_bias_out_exactly_where_a_centering_batch_norm_follows_directly() {
        let centered = NormConfig::Batch(BatchNormConfig::default());
        let uncentered = NormConfig::Batch(BatchNormConfig {
            center: false,
            ..BatchNormConfig::default()
        });
        let layer = NormConfig::Layer(LayerNormConfig::default());
        let cases = [
            (&centered, Position::Before, Placement::End, 0.5, false),
            (
                &centered,
                Position::Before,
                Placement::BeforeNorm,
                0.0,
                false,
            ),
            (
                &centered,
                Position::Before,
                Placement::BeforeNorm,
                0.5,
                true,
            ),
            (&centered, Position::After, Placement::End, 0.0, true),
            (&uncentered, Position::Before, Placement::End, 0.0, true),
            (&layer, Position::Before, Placement::End, 0.0, true),
            (
                &NormConfig::None,
                Position::Before,
                Placement::End,
                0.0,
                true,
            ),
        ];
        for (norm, position, placement, rate, expected) in cases {
            let mut block = block(norm.clone(), position, placement);
            assert_eq!(block.has_bias(rate), expected, "{block:?}");
            block.bias = Bias::On;
            assert!(block.has_bias(rate));
            block.bias = Bias::Off;
            assert!(!block.has_bias(rate));
        }
    }

    #[derive(Default)]
    struct Watch(RefCell<Vec<(String, Point)>>);

    impl Observer for Watch {
        fn see(&self, path: &str, point: Point, _value: &Tensor<3>) {
            self.0.borrow_mut().push((path.to_owned(), point));
        }
    }

    #[test]
    fn observers_see_every_point_of_a_block_in_order_under_its_path() {
        for_each_device(|device| {
            let start = Start::new([1], device);
            let built = BlockConfig::default().dense("blocks.3", 2, 2, &start);
            let x = start.tensor(vec![1.0, 2.0], [1, 1, 2]);
            let watch = Watch::default();
            let pass = Pass::evaluate().watched_by(&watch);
            built.expect("can be built").forward(x, &pass);
            let points = [
                Point::Weighted,
                Point::Preactivation,
                Point::Activation,
                Point::Output,
            ];
            let expected = points.map(|point| ("blocks.3".to_owned(), point));
            assert_eq!(watch.0.into_inner(), expected);
        });
    }

    #[test]
    fn observers_see_what_enters_the_norm_behind_dropout_in_front_of_it() {
        #[derive(Default)]
        struct Inputs(RefCell<Vec<(Point, Vec<f64>)>>);
        impl Observer for Inputs {
            fn see(&self, _path: &str, point: Point, value: &Tensor<3>) {
                let seen = (point, crate::testing::values(value.clone()));
                self.0.borrow_mut().push(seen);
            }
        }
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            for (position, before) in [
                (Position::Before, Point::Weighted),
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
                let pass = Pass::train(0).watched_by(&inputs);
                block.epilogue.forward(x, 1, &pass);
                let seen = inputs.0.into_inner();
                let of = |wanted| -> &Vec<f64> {
                    let mut at = seen.iter().filter(|(point, _)| *point == wanted);
                    &at.next().expect("the point is shown").1
                };
                let (plain, dropped) = (of(before), of(Point::NormInput));
                let outcome = |(x, y): (&f64, &f64)| *y == 0.0 || *y == 2.0 * x;
                assert!(plain.iter().zip(dropped).all(outcome), "{dropped:?}");
                assert_ne!(plain, dropped);
            }
        });
    }

    #[test]
    fn each_part_of_a_block_stands_where_its_configuration_says() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            let norm = NormConfig::Batch(BatchNormConfig::default());
            for (position, smallest) in [(Position::Before, 0.0), (Position::After, -10.0)] {
                let block = block(norm.clone(), position, Placement::End);
                let block = block.dense("block", 2, 2, &start).expect("can be built");
                let x = start.tensor((0..12).map(f64::from).collect(), [1, 6, 2]);
                let y = block.epilogue.forward(x, 1, &Pass::train(0));
                let y = crate::testing::values(y);
                // ReLU last: nothing is negative. Norm last: the mean is zero.
                let least = y.iter().fold(f64::INFINITY, |least, y| least.min(*y));
                let mean = y.iter().sum::<f64>() / y.len() as f64;
                assert!(least >= smallest, "{position:?}: {y:?}");
                assert_eq!(position == Position::After, mean.abs() < 1e-12, "{y:?}");
            }
        });
    }
}
