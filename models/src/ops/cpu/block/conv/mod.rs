//! Convolution blocks. A task takes a tile: as many whole images of one replica as fit the cache
//! with what comes of them. Tiles depend on the sizes alone, and so do the results.

mod backward;
mod forward;

use super::patches::Patches;
use super::{Image, Parameters, Sizes, part};
use crate::ops::cpu::buffers::Buffer;
use crate::ops::cpu::columns::{Columns, ColumnsMut};
use crate::ops::cpu::product::{Onto, product};
use crate::ops::cpu::real::Real;
use crate::ops::cpu::tail::TailSpec;
pub(super) use backward::backward;
pub(super) use forward::forward;

/// Numbers in a tile's images or their product, at most (unless one image alone has more).
const TILE: usize = 48 * 1024;

/// What every task knows.
#[derive(Clone, Copy)]
struct Job<'a, T> {
    s: &'a Sizes,
    p: &'a Parameters<'a, T>,
    tail: Option<&'a TailSpec>,
    patches: Patches,
    /// Images in a tile.
    tile: usize,
}

impl<'a, T: Real> Job<'a, T> {
    fn new(s: &'a Sizes, image: Image, p: &'a Parameters<T>, tail: Option<&'a TailSpec>) -> Self {
        let patches = Patches::new(image, s.inputs);
        let numbers = patches.pixels().max(patches.places() * s.outputs);
        Self {
            s,
            p,
            tail,
            patches,
            tile: (TILE / numbers.max(1)).clamp(1, s.batch.max(1)),
        }
    }

    /// Numbers of `x`, of the product and of the output in a tile.
    fn sizes(&self) -> [usize; 3] {
        let rows = self.s.output_rows(self.tail) / self.s.batch.max(1);
        let c = self.s.outputs;
        [self.patches.pixels(), self.patches.places() * c, rows * c].map(|n| (self.tile * n).max(1))
    }

    /// The weights of replica `r`.
    fn weight(&self, r: usize) -> &'a [T] {
        &self.p.weight[r * self.s.weights()..][..self.s.weights()]
    }

    /// `out = conv(x, W) + b` for the images `x` of replica `r`.
    fn product(&self, r: usize, x: &[T], out: &mut [T]) {
        let (patches, c) = (&self.patches, self.s.outputs);
        let weight = Columns::whole(self.weight(r), c);
        let bias = part(self.p.bias, self.s, (r, 0), c);
        let onto = bias.map_or(Onto::Nothing, Onto::Row);
        let mut room = Buffer::zeros(patches.room());
        let images = x.chunks_exact(patches.pixels());
        for (x, out) in images.zip(out.chunks_exact_mut(patches.places() * c)) {
            let x = patches.rows(patches.frame(x, &mut room));
            product(&mut ColumnsMut::whole(out, c), x, weight, onto);
        }
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
