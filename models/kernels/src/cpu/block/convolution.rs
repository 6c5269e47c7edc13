//! Linear part of a convolution and its gradients, each with the fastest algorithm for its shape.

use super::patches::{Patches, flip};
use super::winograd::{WinogradConv, WinogradWorkspace};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::product::{Addend, LeftOperand, product};
use crate::cpu::real::Real;
use crate::cpu::transpose::transpose;
use std::ops::Deref;

/// A convolution over images of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    patches: Patches,
    inputs: usize,
    outputs: usize,
    /// The Winograd algorithm, if it is faster for this shape.
    winograd: Option<WinogradConv>,
}

/// Memory for intermediate results of one task.
pub(super) enum Workspace<T> {
    /// Padded images, or the patches of one.
    Image(Buffer<T>),
    Winograd(WinogradWorkspace<T>),
}

impl Convolution {
    /// A convolution from `inputs` to `outputs` channels.
    pub(super) fn new(patches: Patches, inputs: usize, outputs: usize) -> Self {
        Self {
            patches,
            inputs,
            outputs,
            winograd: WinogradConv::new(patches, [inputs, outputs]),
        }
    }

    pub(super) fn workspace<T: Real>(&self) -> Workspace<T> {
        match &self.winograd {
            Some(winograd) => Workspace::Winograd(winograd.workspace()),
            None => {
                let images = self.patches.images_per_product::<T>();
                Workspace::Image(Buffer::zeros(images * self.patches.padded_image()))
            }
        }
    }

    /// Values in the output of an image.
    fn output(&self) -> usize {
        self.patches.count() * self.outputs
    }
}

/// Borrowed or owned weights.
pub(super) enum Weight<'a, T> {
    Borrowed(&'a [T]),
    Owned(Buffer<T>),
}

impl<T: Real> Deref for Weight<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Borrowed(weight) => weight,
            Self::Owned(weight) => weight,
        }
    }
}

/// A convolution with its weights.
pub(super) struct WeightedConv<'a, T> {
    convolution: Convolution,
    /// In the layout of the chosen algorithm.
    weight: Weight<'a, T>,
    bias: Option<&'a [T]>,
}

impl<'a, T: Real> WeightedConv<'a, T> {
    /// A convolution with weights `[patch, outputs]`.
    pub(super) fn new(
        convolution: Convolution,
        weight: Weight<'a, T>,
        bias: Option<&'a [T]>,
    ) -> Self {
        let weight = match &convolution.winograd {
            Some(winograd) => Weight::Owned(winograd.transform_weights(&weight)),
            None => weight,
        };
        Self {
            convolution,
            weight,
            bias,
        }
    }

    pub(super) fn workspace(&self) -> Workspace<T> {
        self.convolution.workspace()
    }

    /// `out = conv(x, W) + b` for whole images.
    pub(super) fn apply(&self, x: &[T], workspace: &mut Workspace<T>, out: &mut [T]) {
        let c = &self.convolution;
        match (&c.winograd, workspace) {
            (Some(winograd), Workspace::Winograd(workspace)) => {
                winograd.apply(x, &self.weight, self.bias, workspace, out);
            }
            (None, Workspace::Image(workspace)) => {
                let addend = self.bias.map_or(Addend::None, Addend::Row);
                let count = c.patches.images_per_product::<T>();
                let images = x.chunks(count * c.patches.image());
                for (x, out) in images.zip(out.chunks_mut(count * c.output())) {
                    product(
                        &mut ColumnsMut::whole(out, c.outputs),
                        c.patches.rows(c.patches.pad_all(x, workspace)),
                        Columns::whole(&self.weight, c.outputs),
                        addend,
                    );
                }
            }
            _ => unreachable!("the workspace belongs to this convolution"),
        }
    }
}

/// Gradient of the weights, summed over images.
pub(super) struct WeightGradient<'a, T> {
    convolution: Convolution,
    /// The gradient; not yet written while `is_empty`.
    weight: &'a mut [T],
    is_empty: bool,
    /// The sum in the Winograd domain.
    planes: Option<Buffer<T>>,
}

impl<'a, T: Real> WeightGradient<'a, T> {
    pub(super) fn new(convolution: Convolution, weight: &'a mut [T]) -> Self {
        Self {
            convolution,
            weight,
            is_empty: true,
            planes: convolution
                .winograd
                .as_ref()
                .map(WinogradConv::gradient_sums),
        }
    }

    /// Adds the gradients of whole images `x` with output gradients `d`.
    pub(super) fn add(&mut self, x: &[T], d: &[T], workspace: &mut Workspace<T>) {
        let c = &self.convolution;
        match (&c.winograd, &mut self.planes, workspace) {
            (Some(winograd), Some(planes), Workspace::Winograd(workspace)) => {
                winograd.add_gradient(x, d, workspace, planes);
            }
            (None, None, Workspace::Image(workspace)) => {
                let images = x.chunks_exact(c.patches.image());
                for (x, d) in images.zip(d.chunks_exact(c.output())) {
                    let addend = if self.is_empty {
                        Addend::None
                    } else {
                        Addend::Output
                    };
                    product(
                        &mut ColumnsMut::whole(self.weight, c.outputs),
                        c.patches.columns(c.patches.pad_all(x, workspace)),
                        Columns::whole(d, c.outputs),
                        addend,
                    );
                    self.is_empty = false;
                }
            }
            _ => unreachable!("workspace and planes belong to this convolution"),
        }
    }

    /// Writes the sum to the weights, if it is in the Winograd domain.
    pub(super) fn finish(self) {
        if let (Some(winograd), Some(planes)) = (self.convolution.winograd, self.planes) {
            winograd.finish_gradient(&planes, self.weight);
        }
    }
}

/// Map from a convolution's output gradient to its input gradient.
pub(super) enum InputGradient<T: 'static> {
    /// A convolution with the flipped weights; for stride 1.
    Convolution(WeightedConv<'static, T>),
    /// The gradients of all patches, added to their pixels; for other strides.
    Scatter {
        convolution: Convolution,
        /// `[outputs, patch]`.
        weight: Buffer<T>,
    },
}

impl<T: Real> InputGradient<T> {
    /// The map for a convolution with weights `[patch, outputs]`.
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
                flip(from, inputs, outputs, &mut weight);
                let convolution = Convolution::new(patches, outputs, inputs);
                Self::Convolution(WeightedConv::new(convolution, Weight::Owned(weight), None))
            }
            None => {
                transpose(from, outputs, &mut weight);
                Self::Scatter {
                    convolution,
                    weight,
                }
            }
        }
    }

    pub(super) fn workspace(&self) -> Workspace<T> {
        match self {
            Self::Convolution(map) => map.workspace(),
            Self::Scatter { convolution, .. } => {
                let patches = &convolution.patches;
                Workspace::Image(Buffer::unspecified(patches.count() * patches.patch()))
            }
        }
    }

    /// Writes the gradients `dx` of whole images, from their output gradients `d`.
    pub(super) fn apply(&self, d: &[T], workspace: &mut Workspace<T>, dx: &mut [T]) {
        match (self, workspace) {
            (Self::Convolution(map), workspace) => map.apply(d, workspace, dx),
            (
                Self::Scatter {
                    convolution: c,
                    weight,
                },
                Workspace::Image(workspace),
            ) => {
                let patch = c.patches.patch();
                let images = dx.chunks_exact_mut(c.patches.image());
                for (d, dx) in d.chunks_exact(c.output()).zip(images) {
                    product(
                        &mut ColumnsMut::whole(workspace, patch),
                        LeftOperand::row_major(d, c.patches.count(), c.outputs),
                        Columns::whole(weight, patch),
                        Addend::None,
                    );
                    dx.fill(T::ZERO);
                    c.patches.scatter(workspace, dx);
                }
            }
            (Self::Scatter { .. }, Workspace::Winograd(_)) => {
                unreachable!("the workspace belongs to this gradient")
            }
        }
    }
}
