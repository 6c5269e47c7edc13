//! Context that all tasks of a convolution block share.

use crate::cpu::block::convolution::{Convolution, Weight, WeightedConv};
use crate::cpu::block::patches::Patches;
use crate::cpu::block::shape::{BlockShape, ImageShape};
use crate::cpu::block::tiles::TILE;
use crate::cpu::block::types::{Parameters, channel_slice};
use crate::cpu::columns::Columns;
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// Shapes, parameters and algorithms of a convolution block.
#[derive(Clone, Copy)]
pub(super) struct ConvContext<'a, T> {
    pub(super) s: &'a BlockShape,
    pub(super) p: &'a Parameters<'a, T>,
    pub(super) epilogue: Option<&'a EpilogueSpec>,
    pub(super) patches: Patches,
    pub(super) convolution: Convolution,
    /// Images per tile.
    pub(super) tile: usize,
}

impl<'a, T: Real> ConvContext<'a, T> {
    pub(super) fn new(
        s: &'a BlockShape,
        image: ImageShape,
        p: &'a Parameters<T>,
        epilogue: Option<&'a EpilogueSpec>,
    ) -> Self {
        let patches = Patches::new(image, s.inputs);
        let values = patches.image().max(patches.count() * s.outputs);
        Self {
            s,
            p,
            epilogue,
            patches,
            convolution: Convolution::new(patches, s.inputs, s.outputs),
            tile: (TILE / values.max(1)).clamp(1, s.batch.max(1)),
        }
    }

    /// Values per tile of the input, of the product and of the output.
    pub(super) fn tile_sizes(&self) -> [usize; 3] {
        let rows = self.s.output_rows(self.epilogue) / self.s.batch.max(1);
        let c = self.s.outputs;
        [self.patches.image(), self.patches.count() * c, rows * c].map(|n| (self.tile * n).max(1))
    }

    /// The weights of replica `r`.
    pub(super) fn weight(&self, r: usize) -> &'a [T] {
        &self.p.weight[r * self.s.weights()..][..self.s.weights()]
    }

    /// The convolution of replica `r`.
    pub(super) fn convolution(&self, r: usize) -> WeightedConv<'a, T> {
        let bias = channel_slice(self.p.bias, self.s, (r, 0), self.s.outputs);
        WeightedConv::new(self.convolution, Weight::Borrowed(self.weight(r)), bias)
    }

    /// Values in the product of the images `x`.
    pub(super) fn product_len(&self, x: &[T]) -> usize {
        x.len() / self.patches.image() * self.patches.count() * self.s.outputs
    }

    /// Values as a matrix with all output channels.
    pub(super) fn columns<'b>(&self, values: &'b [T]) -> Columns<'b, T> {
        Columns::whole(values, self.s.outputs)
    }
}
