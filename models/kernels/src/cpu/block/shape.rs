//! Shape of a block.

use crate::cpu::epilogue::PoolWindows;
use crate::geometry::Geometry;
use crate::spec::EpilogueSpec;

/// Number of weight rows up to which a convolution's product is recomputed instead of stored: then
/// its few multiplications take less time than writing and reading it.
const RECOMPUTE_ROWS: usize = 16;

/// Shape of a block. A dense layer counts as a convolution over images of one pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockShape {
    pub(crate) replicas: usize,
    pub(crate) batch: usize,
    /// The input images of a convolution; `None` for a dense layer.
    pub(crate) image: Option<ImageShape>,
    /// 0 for a block without a linear map, whose epilogue works on its input.
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// Input images of a convolution, and how its kernel moves over them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageShape {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) geometry: Geometry,
}

impl ImageShape {
    /// Height and width of the output, before pooling.
    pub(super) fn output(&self) -> (usize, usize) {
        let size = |n| self.geometry.output(n);
        (size(self.height), size(self.width))
    }
}

impl BlockShape {
    /// Whether the block has a linear map.
    pub(crate) fn is_linear(&self) -> bool {
        self.inputs > 0
    }

    /// Rows of the product, per replica.
    pub(super) fn rows(&self) -> usize {
        let pixels = |image: ImageShape| image.output().0 * image.output().1;
        self.batch * self.image.map_or(1, pixels)
    }

    /// Rows of the weights: values in a patch.
    pub(super) fn patch(&self) -> usize {
        let area = |image: ImageShape| image.geometry.kernel * image.geometry.kernel;
        self.inputs * self.image.map_or(1, area)
    }

    /// Whether the product is stored for later passes; otherwise they recompute it.
    pub(super) fn keeps_product(&self) -> bool {
        self.is_linear() && (self.image.is_none() || self.patch() > RECOMPUTE_ROWS)
    }

    /// Values in the input, per replica.
    pub(super) fn input(&self) -> usize {
        let pixels = |image: ImageShape| image.height * image.width;
        self.batch * self.inputs * self.image.map_or(1, pixels)
    }

    /// Values in the weights, per replica.
    pub(super) fn weights(&self) -> usize {
        self.patch() * self.outputs
    }

    /// The pooling windows of `images` images.
    pub(super) fn windows(&self, images: usize) -> PoolWindows {
        let (height, width) = self.image.map_or((1, 1), |image| image.output());
        PoolWindows {
            images,
            height,
            width,
        }
    }

    /// Height and width of the output, after pooling; `None` for a dense layer.
    pub(crate) fn output(&self, epilogue: Option<&EpilogueSpec>) -> Option<(usize, usize)> {
        let (height, width) = self.image?.output();
        let pooled = epilogue.is_some_and(|epilogue| epilogue.pool);
        Some(if pooled {
            (height / 2, width / 2)
        } else {
            (height, width)
        })
    }

    /// Rows of the output, per replica.
    pub(super) fn output_rows(&self, epilogue: Option<&EpilogueSpec>) -> usize {
        let pixels = self
            .output(epilogue)
            .map_or(1, |(height, width)| height * width);
        self.batch * pixels
    }
}
