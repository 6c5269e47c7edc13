//! The linear part of a convolution and its gradients, each the way that is fastest for its sizes.

use super::patches::{Patches, turn};
use super::winograd::{self, Tiles};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::product::{Left, Onto, product};
use crate::cpu::real::Real;
use crate::cpu::transpose::transpose;
use std::ops::Deref;

/// A convolution over images of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    patches: Patches,
    inputs: usize,
    outputs: usize,
    /// Where minimal filtering pays.
    tiles: Option<Tiles>,
}

/// Room for what is computed on the way, for one task.
pub(super) enum Room<T> {
    /// An image with zeros around it, or patches.
    Image(Buffer<T>),
    Tiles(winograd::Room<T>),
}

impl Convolution {
    /// `outputs` channels from patches of `inputs`.
    pub(super) fn new(patches: Patches, inputs: usize, outputs: usize) -> Self {
        Self {
            patches,
            inputs,
            outputs,
            tiles: Tiles::of(patches, [inputs, outputs]),
        }
    }

    pub(super) fn room<T: Real>(&self) -> Room<T> {
        match &self.tiles {
            Some(tiles) => Room::Tiles(tiles.room()),
            None => Room::Image(Buffer::zeros(self.patches.room())),
        }
    }

    /// Numbers in an image's output.
    fn output(&self) -> usize {
        self.patches.places() * self.outputs
    }
}

/// Weights, `[patch, outputs]`.
pub(super) enum Weight<'a, T> {
    Lent(&'a [T]),
    Made(Buffer<T>),
}

impl<T: Real> Deref for Weight<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Lent(weight) => weight,
            Self::Made(weight) => weight,
        }
    }
}

/// A convolution with its weights.
pub(super) struct Map<'a, T> {
    convolution: Convolution,
    /// As the convolution takes them.
    weight: Weight<'a, T>,
    bias: Option<&'a [T]>,
}

impl<'a, T: Real> Map<'a, T> {
    pub(super) fn new(
        convolution: Convolution,
        weight: Weight<'a, T>,
        bias: Option<&'a [T]>,
    ) -> Self {
        let weight = match &convolution.tiles {
            Some(tiles) => Weight::Made(tiles.weights(&weight)),
            None => weight,
        };
        Self {
            convolution,
            weight,
            bias,
        }
    }

    pub(super) fn room(&self) -> Room<T> {
        self.convolution.room()
    }

    /// `out = conv(x, W) + b` for whole images.
    pub(super) fn apply(&self, x: &[T], room: &mut Room<T>, out: &mut [T]) {
        let c = &self.convolution;
        match (&c.tiles, room) {
            (Some(tiles), Room::Tiles(room)) => tiles.apply(x, &self.weight, self.bias, room, out),
            (None, Room::Image(room)) => {
                let onto = self.bias.map_or(Onto::Nothing, Onto::Row);
                let images = x.chunks_exact(c.patches.pixels());
                for (x, out) in images.zip(out.chunks_exact_mut(c.output())) {
                    product(
                        &mut ColumnsMut::whole(out, c.outputs),
                        c.patches.rows(c.patches.frame(x, room)),
                        Columns::whole(&self.weight, c.outputs),
                        onto,
                    );
                }
            }
            _ => unreachable!("the room is the convolution's"),
        }
    }
}

/// The gradient of the weights, a sum over images.
pub(super) struct WeightGradient<'a, T> {
    convolution: Convolution,
    /// Where it goes.
    weight: &'a mut [T],
    /// Whether there is something in `weight` yet.
    begun: bool,
    /// The sum as minimal filtering takes it.
    planes: Option<Buffer<T>>,
}

impl<'a, T: Real> WeightGradient<'a, T> {
    pub(super) fn new(convolution: Convolution, weight: &'a mut [T]) -> Self {
        Self {
            convolution,
            weight,
            begun: false,
            planes: convolution.tiles.as_ref().map(Tiles::sums),
        }
    }

    /// Adds what whole images have with the gradients `d` of their output.
    pub(super) fn add(&mut self, x: &[T], d: &[T], room: &mut Room<T>) {
        let c = &self.convolution;
        match (&c.tiles, &mut self.planes, room) {
            (Some(tiles), Some(planes), Room::Tiles(room)) => {
                tiles.add_gradient(x, d, room, planes);
            }
            (None, None, Room::Image(room)) => {
                let images = x.chunks_exact(c.patches.pixels());
                for (x, d) in images.zip(d.chunks_exact(c.output())) {
                    let onto = if self.begun {
                        Onto::Itself
                    } else {
                        Onto::Nothing
                    };
                    product(
                        &mut ColumnsMut::whole(self.weight, c.outputs),
                        c.patches.columns(c.patches.frame(x, room)),
                        Columns::whole(d, c.outputs),
                        onto,
                    );
                    self.begun = true;
                }
            }
            _ => unreachable!("room and planes are the convolution's"),
        }
    }

    /// Brings the sum to where it goes.
    pub(super) fn finish(self) {
        if let (Some(tiles), Some(planes)) = (self.convolution.tiles, self.planes) {
            tiles.gradient(&planes, self.weight);
        }
    }
}

/// What leads from the gradient of a convolution's output to that of its images.
pub(super) enum InputGradient<T: 'static> {
    /// A convolution with the turned weights.
    Turned(Map<'static, T>),
    /// The gradients of all patches, added where the patches come from; where patches skip places.
    Scattered {
        convolution: Convolution,
        /// `[outputs, patch]`.
        weight: Buffer<T>,
    },
}

impl<T: Real> InputGradient<T> {
    /// Of a convolution with these weights.
    pub(super) fn new(convolution: Convolution, from: &[T]) -> Self {
        let Convolution {
            patches,
            inputs,
            outputs,
            ..
        } = convolution;
        let mut weight = Buffer::unspecified(from.len());
        match patches.of_gradient(outputs) {
            Some(patches) => {
                turn(from, inputs, outputs, &mut weight);
                let convolution = Convolution::new(patches, outputs, inputs);
                Self::Turned(Map::new(convolution, Weight::Made(weight), None))
            }
            None => {
                transpose(from, outputs, &mut weight);
                Self::Scattered {
                    convolution,
                    weight,
                }
            }
        }
    }

    pub(super) fn room(&self) -> Room<T> {
        match self {
            Self::Turned(map) => map.room(),
            Self::Scattered { convolution, .. } => {
                let patches = &convolution.patches;
                Room::Image(Buffer::unspecified(patches.places() * patches.patch()))
            }
        }
    }

    /// The gradients `dx` of whole images, from those of their output.
    pub(super) fn apply(&self, d: &[T], room: &mut Room<T>, dx: &mut [T]) {
        match (self, room) {
            (Self::Turned(map), room) => map.apply(d, room, dx),
            (
                Self::Scattered {
                    convolution: c,
                    weight,
                },
                Room::Image(room),
            ) => {
                let patch = c.patches.patch();
                let images = dx.chunks_exact_mut(c.patches.pixels());
                for (d, dx) in d.chunks_exact(c.output()).zip(images) {
                    product(
                        &mut ColumnsMut::whole(room, patch),
                        Left::row_major(d, c.patches.places(), c.outputs),
                        Columns::whole(weight, patch),
                        Onto::Nothing,
                    );
                    dx.fill(T::ZERO);
                    c.patches.scatter(room, dx);
                }
            }
            (Self::Scattered { .. }, Room::Tiles(_)) => unreachable!("the room is its own"),
        }
    }
}
