//! What follows the weights of a block in training: batch norm, activation, dropout, pooling.
//!
//! Each function does one pass over the rows of a tile, or of a block of columns, of one replica.
//! Sums over rows are taken in blocks of fixed size.

mod backward;
mod forward;
mod functions;
mod maps;
mod masks;
mod pooling;
mod strips;

use super::buffers::Buffer;
use super::columns::{Columns, ColumnsMut};
use super::real::Real;
use super::vector;
use crate::activation::Activation;
use crate::block::Position;
use functions::{Identity, with_function};
pub(crate) use maps::Channels;
use maps::{NormFirst, NormLast};
pub use masks::Masks;
pub(crate) use pooling::Windows;

/// What follows the weights of a block.
#[derive(Clone, Debug)]
pub struct TailSpec {
    /// The activation.
    pub activation: Activation,
    /// Epsilon of the batch norm; `None` for no norm.
    pub epsilon: Option<f64>,
    /// On which side of the activation the norm stands.
    pub position: Position,
    /// Dropout at the end of the block, if any.
    pub dropout: Option<Masks>,
    /// 2x2 max pooling with stride 2 after everything else; only for convolutions without dropout.
    pub pool: bool,
}

impl TailSpec {
    /// Whether a norm follows the activation.
    fn norm_last(&self) -> bool {
        self.epsilon.is_some() && self.position == Position::After
    }
}

/// Runs `$body` with `$map` bound to the spec's norm and activation in their order.
macro_rules! with_map {
    ($spec:expr, $map:ident => $body:expr) => {
        with_function!($spec.activation, f => if $spec.norm_last() {
            let $map = NormLast(f);
            $body
        } else {
            let $map = NormFirst(f);
            $body
        })
    };
}

/// The like for passes to which an activation behind the norm is nothing.
macro_rules! with_inner_map {
    ($spec:expr, $map:ident => $body:expr) => {
        if $spec.norm_last() {
            with_function!($spec.activation, f => {
                let $map = NormLast(f);
                $body
            })
        } else {
            let $map = NormFirst(Identity);
            $body
        }
    };
}

/// The mean of each channel that the norm subtracts, over the rows of `x`, and the sum of squared
/// differences from it.
pub(crate) fn moments<T: Real>(spec: &TailSpec, x: Columns<T>, mean: &mut [T], squares: &mut [T]) {
    if !spec.norm_last() {
        return T::run(forward::Moments { x, mean, squares });
    }
    // The activation once, because the mean and what differs from it are two passes.
    let mut activated = Buffer::unspecified(x.rows() * x.width());
    let y = &mut ColumnsMut::whole(&mut activated, x.width());
    let channels = &Channels::plain(x.width());
    with_function!(spec.activation, f => {
        let map = NormFirst(f);
        T::run(forward::Apply { map, channels, x, y });
    });
    let x = y.read();
    T::run(forward::Moments { x, mean, squares });
}

/// Norm and activation of `x`.
pub(crate) fn apply<T: Real>(
    spec: &TailSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    y: &mut ColumnsMut<T>,
) {
    with_map!(spec, map => T::run(forward::Apply { map, channels, x, y }));
}

/// What is left of each window.
pub(crate) struct Pooled<'a, 'b, T> {
    /// The maximum.
    pub(crate) y: &'a mut ColumnsMut<'b, T>,
    /// The corner (0 to 3, row-major) that first attains it; a number of the same type, so that
    /// comparing it makes a mask for the others.
    pub(crate) winners: &'a mut ColumnsMut<'b, T>,
    /// What norm and activation made the maximum of.
    pub(crate) best: &'a mut ColumnsMut<'b, T>,
}

/// Norm, activation and pooling of `x`.
pub(crate) fn apply_pooled<T: Real>(
    spec: &TailSpec,
    channels: &Channels<T>,
    windows: Windows,
    x: Columns<T>,
    out: Pooled<T>,
) {
    with_map!(spec, map => T::run(forward::ApplyPooled { map, channels, windows, x, out }));
}

/// Where a block of columns lies in its replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The replica.
    pub(crate) r: usize,
    /// The block's first row.
    pub(crate) row: usize,
    /// The block's first column.
    pub(crate) column: usize,
    /// Columns of the whole.
    pub(crate) columns: usize,
}

/// Draws which elements dropout keeps.
pub(crate) fn draw(masks: &Masks, place: Place, kept: &mut ColumnsMut<u8>) {
    vector::run(masks::Draw { masks, place, kept });
}

/// Drops the elements of `y` that are not kept, and scales the rest; forward and backward alike.
pub(crate) fn drop<T: Real>(masks: &Masks, kept: Columns<u8>, y: &mut ColumnsMut<T>) {
    let factor = T::of(masks.factor());
    T::run(masks::Drop { factor, kept, y });
}

/// Sums over rows that the backward pass through a norm needs, one of each a channel.
#[derive(Clone, Debug)]
pub(crate) struct Sums<T> {
    /// Of the gradient of the norm's output; the gradient of the center.
    pub(crate) plain: Vec<T>,
    /// Of its product with the normalized value; the gradient of the scale.
    pub(crate) products: Vec<T>,
}

impl<T: Real> Sums<T> {
    pub(crate) fn zeros(channels: usize) -> Self {
        Self {
            plain: vec![T::ZERO; channels],
            products: vec![T::ZERO; channels],
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.plain, &other.plain);
        add(&mut self.products, &other.products);
    }

    /// The sums over `rows` rows as means.
    pub(crate) fn per_row(&self, rows: usize) -> Self {
        let share = T::of(1.0 / rows as f64);
        let mean = |sums: &[T]| sums.iter().map(|&s| s * share).collect();
        Self {
            plain: mean(&self.plain),
            products: mean(&self.products),
        }
    }
}

/// Adds `more` to `sums`.
pub(crate) fn add<T: Real>(sums: &mut [T], more: &[T]) {
    for (sum, &more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// Turns the gradient `d` of the output into that of the norm's output, in place. Without a norm
/// that is the gradient of `x`. Behind pooling `x` and `d` are what it left of the windows.
pub(crate) fn to_norm<T: Real>(
    spec: &TailSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    d: &mut ColumnsMut<T>,
) -> Sums<T> {
    let mut out = Sums::zeros(channels.len());
    let (sums, products) = (&mut out.plain[..], &mut out.products[..]);
    with_map!(spec, map => T::run(backward::First { map, channels, x, d, sums, products }));
    out
}

/// Turns the gradient of the norm's output into that of `x`, in place; `means` are the sums of
/// [`to_norm`] over all rows, a row.
pub(crate) fn through_norm<T: Real>(
    spec: &TailSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    means: &Sums<T>,
    d: &mut ColumnsMut<T>,
) {
    with_inner_map!(spec, map => T::run(backward::Second { map, channels, x, means, d }));
}

/// [`through_norm`] behind pooling, from the windows' `d` to all places. Without a norm `means` are
/// zero.
pub(crate) fn through_norm_pooled<T: Real>(
    spec: &TailSpec,
    channels: &Channels<T>,
    windows: Windows,
    x: Columns<T>,
    (winners, d): (Columns<T>, Columns<T>),
    means: &Sums<T>,
    dx: &mut ColumnsMut<T>,
) {
    with_inner_map!(spec, map => T::run(backward::SecondPooled {
        map, channels, windows, x, winners, d, means, dx,
    }));
}

/// The sum of each column over the rows.
pub(crate) fn sum_rows<T: Real>(x: Columns<T>) -> Vec<T> {
    let mut sums = vec![T::ZERO; x.width()];
    T::run(backward::SumRows { x, sums: &mut sums });
    sums
}
