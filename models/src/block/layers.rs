//! Dense and convolutional blocks.

use super::config::BlockConfig;
use super::epilogue::Epilogue;
use crate::conv::{Conv2d, Conv2dConfig};
use crate::error::ConfigError;
use crate::init::Start;
use crate::linear::{Linear, LinearConfig};
use crate::pass::Pass;
use ablate_kernels::Geometry;
use burn::module::Module;
use burn::tensor::Tensor;

/// A dense layer and its epilogue.
#[derive(Module, Debug)]
pub struct DenseBlock {
    /// The dense layer.
    pub linear: Linear,
    /// Norm, activation and dropout.
    pub epilogue: Epilogue,
}

/// A convolution and its epilogue.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// The convolution.
    pub conv: Conv2d,
    /// Norm, activation and dropout.
    pub epilogue: Epilogue,
}

impl BlockConfig {
    /// Builds a dense block. `path` is its module path, which names its random streams.
    ///
    /// # Errors
    /// If the norm does not fit the number of outputs.
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
            epilogue: Epilogue::new(self, path, outputs, self.dropout.rate, false, start)?,
        })
    }

    /// Builds a convolution block. `path` is its module path, which names its random streams.
    ///
    /// # Errors
    /// If the norm does not fit the number of outputs.
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
            epilogue: Epilogue::new(self, path, outputs, rate, self.dropout.spatial, start)?,
        })
    }
}

impl BlockConfig {
    /// Builds the norm and activation alone, without a layer before them and without dropout.
    ///
    /// # Errors
    /// If the norm does not fit the number of channels.
    pub fn alone(
        &self,
        path: &str,
        channels: usize,
        start: &Start,
    ) -> Result<Epilogue, ConfigError> {
        Epilogue::new(self, path, channels, 0.0, false, start)
    }
}

impl DenseBlock {
    /// Applies the block.
    ///
    /// # Shapes
    /// - `x`: `[replicas, rows, ..]`; the remaining dimensions together are the inputs
    /// - output: `[replicas, rows, outputs]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>, pass: &Pass) -> Tensor<3> {
        let Some(spec) = self.epilogue.fused(&x, pass, 1) else {
            return self.epilogue.forward(self.linear.forward(x), 1, pass);
        };
        let rows = x.dims()[1];
        let parameters = self
            .epilogue
            .parameters(self.linear.bias.as_ref(), pass, &x.device());
        let out = ablate_kernels::dense_block(x, self.linear.weight.val(), parameters, spec);
        self.epilogue.finish(out, rows, pass)
    }
}

impl ConvBlock {
    /// Applies the block.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height, width, inputs]`
    /// - output: `[replicas, batch, height, width, outputs]`, with the height and width that
    ///   [`Geometry::output`] gives
    pub fn forward(&self, x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        self.forward_with(x, false, pass)
    }

    /// [`Self::forward`] followed by 2x2 max pooling with stride 2.
    pub fn forward_pooled(&self, x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        self.forward_with(x, true, pass)
    }

    fn forward_with(&self, x: Tensor<5>, pool: bool, pass: &Pass) -> Tensor<5> {
        let (y, pooled) = self.forward_and_maybe_pool(x, pool, pass);
        if pool && !pooled {
            ablate_kernels::max_pool2d(y)
        } else {
            y
        }
    }

    /// The output, and whether the kernel pooled it already.
    fn forward_and_maybe_pool(&self, x: Tensor<5>, pool: bool, pass: &Pass) -> (Tensor<5>, bool) {
        let [_, n, h, w, _] = x.dims();
        let geometry = self.conv.geometry;
        let positions = geometry.output(h) * geometry.output(w);
        if let Some(mut spec) = self.epilogue.fused(&x, pass, positions) {
            spec.pool = pool && spec.dropout.is_none();
            let pooled = spec.pool;
            let parameters = self
                .epilogue
                .parameters(self.conv.bias.as_ref(), pass, &x.device());
            let out =
                ablate_kernels::conv_block(x, self.conv.weight.val(), parameters, geometry, spec);
            return (self.epilogue.finish(out, n * positions, pass), pooled);
        }
        (
            self.epilogue.forward_images(self.conv.forward(x), pass),
            false,
        )
    }
}
