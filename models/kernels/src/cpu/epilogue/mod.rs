//! What follows the weights of a block in training: batch norm, activation, dropout, pooling.
//!
//! Each function does one pass over the rows of a tile, or of a block of columns, of one replica.
//! Sums over rows are taken in blocks of fixed size.

mod backward;
mod channels;
mod choice;
mod forward;
mod functions;
mod masks;
mod pooling;
mod strips;
mod through;

use super::buffers::Buffer;
use super::columns::{Columns, ColumnsMut};
use super::real::Real;
use super::vector;
use crate::Position;
use crate::activation::Activation;
pub(crate) use channels::Channels;
use functions::{Function, Identity, with_function};
pub use masks::Masks;
pub(crate) use pooling::Windows;
use strips::strips;

/// What follows the weights of a block.
#[derive(Clone, Debug)]
pub struct EpilogueSpec {
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

impl EpilogueSpec {
    /// True if the CPU kernels include `activation`.
    pub fn has_kernel(activation: Activation) -> bool {
        with_function!(activation, _function => true, else false)
    }

    /// Whether a norm follows the activation.
    fn norm_last(&self) -> bool {
        self.epsilon.is_some() && self.position == Position::After
    }
}

/// Runs `$body` with `$f` bound to the activation before the norm.
macro_rules! with_before {
    ($spec:expr, $f:ident => $body:expr) => {
        if $spec.norm_last() {
            with_function!($spec.activation, $f => $body)
        } else {
            let $f = Identity;
            $body
        }
    };
}

/// Runs `$body` with `$f` bound to the activation after the norm.
macro_rules! with_after {
    ($spec:expr, $f:ident => $body:expr) => {
        if $spec.norm_last() {
            let $f = Identity;
            $body
        } else {
            with_function!($spec.activation, $f => $body)
        }
    };
}

/// What the norm is given: `x`, or in `room` what an activation before the norm makes of it.
pub(crate) fn given<'a, T: Real>(
    spec: &EpilogueSpec,
    x: Columns<'a, T>,
    room: &'a mut Option<Buffer<T>>,
) -> Columns<'a, T> {
    if !spec.norm_last() {
        return x;
    }
    let room = room.insert(Buffer::unspecified(x.rows() * x.width()));
    let y = &mut ColumnsMut::whole(room, x.width());
    with_function!(spec.activation, function => strips(forward::Activate { function, x, y }));
    Columns::whole(room, x.width())
}

/// The mean of each channel over the rows of what the norm is given, and the sum of squared
/// differences from it.
pub(crate) fn moments<T: Real>(given: Columns<T>, mean: &mut [T], squares: &mut [T]) {
    strips(forward::Moments {
        x: given,
        mean,
        squares,
    });
}

/// What the norm and an activation after it make of what the norm is given.
pub(crate) fn apply<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    given: Columns<T>,
    y: &mut ColumnsMut<T>,
) {
    let x = given;
    with_after!(spec, after => strips(forward::Apply { after, channels, x, y }));
}

/// What is left of each window.
pub(crate) struct Pooled<'a, T> {
    /// The maximum.
    pub(crate) y: ColumnsMut<'a, T>,
    /// What the norm was given at the corner that attains it.
    pub(crate) best: ColumnsMut<'a, T>,
}

impl<'a, T> Pooled<'a, T> {
    /// All `width` columns.
    pub(crate) fn whole(y: &'a mut [T], best: &'a mut [T], width: usize) -> Self {
        Self {
            y: ColumnsMut::whole(y, width),
            best: ColumnsMut::whole(best, width),
        }
    }
}

/// Whether the activation after the norm never falls.
fn never_falls<T: Real, F: Function<T>>(_: F) -> bool {
    F::NEVER_FALLS
}

/// Chooses which corners of the windows may win, from what the norm is given and its learned scale
/// (1 where there is none); [`settle`] has the last word.
pub(crate) fn choose<T: Real>(
    spec: &EpilogueSpec,
    scale: Option<&[T]>,
    windows: Windows,
    given: Columns<T>,
    out: &mut Pooled<T>,
) {
    let sign = |&scale: &T| {
        let not_below = T::choose(scale > T::ZERO, T::ONE, T::ZERO);
        T::choose(scale < T::ZERO, -T::ONE, not_below)
    };
    let signs: &[T] = &match scale {
        Some(scale) => scale.iter().map(sign).collect(),
        None => vec![T::ONE; given.width()],
    };
    let x = given;
    if with_after!(spec, after => never_falls::<T, _>(after)) {
        strips(choice::Choose::<T, false> {
            signs,
            windows,
            x,
            out,
        });
    } else {
        strips(choice::Choose::<T, true> {
            signs,
            windows,
            x,
            out,
        });
    }
}

/// Norm, activation and pooling of the windows whose corners were [chosen](choose).
pub(crate) fn settle<T: Real>(spec: &EpilogueSpec, channels: &Channels<T>, out: &mut Pooled<T>) {
    with_after!(spec, after => strips(choice::Settle { after, channels, out }));
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
/// that is the gradient of `x`. Behind pooling, what the norm was given and `d` are what it left of
/// the windows.
pub(crate) fn to_norm<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    given: Columns<T>,
    d: &mut ColumnsMut<T>,
) -> Sums<T> {
    let mut out = Sums::zeros(channels.len());
    let (x, sums, products) = (given, &mut out.plain[..], &mut out.products[..]);
    with_after!(spec, after => strips(backward::ToNorm { after, channels, x, d, sums, products }));
    out
}

/// Turns the gradient of the norm's output into that of `x`, in place; `means` are the sums of
/// [`to_norm`] over all rows, a row.
pub(crate) fn through_norm<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    means: &Sums<T>,
    d: &mut ColumnsMut<T>,
) {
    with_before!(spec, before => strips(through::Through { before, channels, x, means, d }));
}

/// [`through_norm`] behind pooling, from the windows' `d` to all places; `best` is what the norm was
/// given at the corners that won. Without a norm `means` are zero.
pub(crate) fn through_norm_pooled<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    windows: Windows,
    x: Columns<T>,
    (best, d): (Columns<T>, Columns<T>),
    means: &Sums<T>,
    dx: &mut ColumnsMut<T>,
) {
    with_before!(spec, before => strips(through::ThroughPooled {
        before, channels, windows, x, best, d, means, dx,
    }));
}

/// The sum of each column over the rows.
pub(crate) fn sum_rows<T: Real>(x: Columns<T>) -> Vec<T> {
    let mut sums = vec![T::ZERO; x.width()];
    strips(backward::SumRows { x, sums: &mut sums });
    sums
}
