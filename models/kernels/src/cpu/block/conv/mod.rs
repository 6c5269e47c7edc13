//! Convolution blocks. A task takes a tile: as many whole images of one replica as fit the cache
//! with what comes of them. Tiles depend on the sizes alone, and so do the results.

mod backward;
mod forward;

use super::convolution::{Convolution, Map, Weight};
use super::patches::Patches;
use super::{Image, Parameters, Sizes, part};
use crate::cpu::columns::Columns;
use crate::cpu::epilogue::EpilogueSpec;
use crate::cpu::real::Real;
pub(super) use backward::backward;
pub(super) use forward::forward;

/// Numbers in a tile's images or their product, at most (unless one image alone has more).
const TILE: usize = 48 * 1024;

/// What every task knows.
#[derive(Clone, Copy)]
struct Job<'a, T> {
    s: &'a Sizes,
    p: &'a Parameters<'a, T>,
    epilogue: Option<&'a EpilogueSpec>,
    patches: Patches,
    convolution: Convolution,
    /// Images in a tile.
    tile: usize,
}

impl<'a, T: Real> Job<'a, T> {
    fn new(
        s: &'a Sizes,
        image: Image,
        p: &'a Parameters<T>,
        epilogue: Option<&'a EpilogueSpec>,
    ) -> Self {
        let patches = Patches::new(image, s.inputs);
        let numbers = patches.pixels().max(patches.places() * s.outputs);
        Self {
            s,
            p,
            epilogue,
            patches,
            convolution: Convolution::new(patches, s.inputs, s.outputs),
            tile: (TILE / numbers.max(1)).clamp(1, s.batch.max(1)),
        }
    }

    /// Numbers of `x`, of the product and of the output in a tile.
    fn sizes(&self) -> [usize; 3] {
        let rows = self.s.output_rows(self.epilogue) / self.s.batch.max(1);
        let c = self.s.outputs;
        [self.patches.pixels(), self.patches.places() * c, rows * c].map(|n| (self.tile * n).max(1))
    }

    /// The weights of replica `r`.
    fn weight(&self, r: usize) -> &'a [T] {
        &self.p.weight[r * self.s.weights()..][..self.s.weights()]
    }

    /// The convolution of replica `r`.
    fn map(&self, r: usize) -> Map<'a, T> {
        let bias = part(self.p.bias, self.s, (r, 0), self.s.outputs);
        Map::new(self.convolution, Weight::Lent(self.weight(r)), bias)
    }

    /// Numbers in the product of the images `x`.
    fn products(&self, x: &[T]) -> usize {
        x.len() / self.patches.pixels() * self.patches.places() * self.s.outputs
    }

    fn columns<'b>(&self, values: &'b [T]) -> Columns<'b, T> {
        Columns::whole(values, self.s.outputs)
    }
}

/// Equal parts of `values`, as many as `count`; empty ones of nothing.
fn parts<T>(values: &mut [T], count: usize) -> impl Iterator<Item = &mut [T]> {
    let size = values.len().checked_div(count).unwrap_or(0);
    let mut rest = values;
    (0..count).map(move |_| {
        rest.split_off_mut(..size)
            .expect("as many parts as counted")
    })
}

/// Part `i` of values cut into parts of `size`, the last of which may be smaller.
fn nth<T>(values: &[T], i: usize, size: usize) -> &[T] {
    let from = (i * size).min(values.len());
    &values[from..(from + size).min(values.len())]
}
