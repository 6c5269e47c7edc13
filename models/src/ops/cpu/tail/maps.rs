//! What a norm and an activation do to one number, on either side of each other.

use super::Real;
use super::functions::Function;

/// What a norm does to a channel: `(x - shift) * slope + offset`, with `slope` the learned scale
/// times `inverse`.
#[derive(Clone, Copy)]
pub(crate) struct Channel<T> {
    shift: T,
    inverse: T,
    pub(super) slope: T,
    offset: T,
}

impl<T: Real> Channel<T> {
    #[inline(always)]
    fn line(self, x: T) -> T {
        (x - self.shift) * self.slope + self.offset
    }

    #[inline(always)]
    fn normal(self, x: T) -> T {
        (x - self.shift) * self.inverse
    }
}

/// The channels of one replica, or of a block of them.
pub(crate) struct Channels<T> {
    shift: Vec<T>,
    inverse: Vec<T>,
    slope: Vec<T>,
    offset: Vec<T>,
}

impl<T: Real> Channels<T> {
    /// Channels that a norm with these statistics normalizes; a missing scale is 1, a missing
    /// center 0.
    pub(crate) fn new(
        mean: &[T],
        variance: &[T],
        epsilon: f64,
        scale: Option<&[T]>,
        center: Option<&[T]>,
    ) -> Self {
        let epsilon = T::of(epsilon);
        let root = |&v: &T| T::ONE / (v + epsilon).sqrt();
        let inverse: Vec<T> = variance.iter().map(root).collect();
        let mut slope = inverse.clone();
        if let Some(scale) = scale {
            for (slope, &scale) in slope.iter_mut().zip(scale) {
                *slope *= scale;
            }
        }
        Self {
            shift: mean.to_vec(),
            offset: center.map_or_else(|| vec![T::ZERO; mean.len()], <[T]>::to_vec),
            inverse,
            slope,
        }
    }

    /// Channels without a norm.
    pub(crate) fn plain(count: usize) -> Self {
        Self {
            shift: vec![T::ZERO; count],
            inverse: vec![T::ONE; count],
            slope: vec![T::ONE; count],
            offset: vec![T::ZERO; count],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shift.len()
    }

    /// `L` channels from `from` on.
    #[inline(always)]
    pub(super) fn lanes<const L: usize>(&self, from: usize) -> Lanes<T, L> {
        Lanes {
            shift: *lanes(&self.shift, from),
            inverse: *lanes(&self.inverse, from),
            slope: *lanes(&self.slope, from),
            offset: *lanes(&self.offset, from),
        }
    }
}

/// `L` values from `from` on.
#[inline(always)]
pub(super) fn lanes<T, const L: usize>(values: &[T], from: usize) -> &[T; L] {
    values[from..from + L].try_into().expect("L values")
}

/// Channels side by side, each quantity in an array of its own, as vectors need it, and on lines of
/// the cache: a vector that is written across two of them is slow to be read back.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Lanes<T, const L: usize> {
    shift: [T; L],
    inverse: [T; L],
    slope: [T; L],
    offset: [T; L],
}

impl<T: Real, const L: usize> Lanes<T, L> {
    #[inline(always)]
    pub(super) fn at(&self, i: usize) -> Channel<T> {
        Channel {
            shift: self.shift[i],
            inverse: self.inverse[i],
            slope: self.slope[i],
            offset: self.offset[i],
        }
    }
}

/// A norm and an activation in their order, and their derivatives.
pub(crate) trait Map<T>: Copy + Send + Sync {
    fn value(self, x: T, channel: Channel<T>) -> T;
    /// The normalized number.
    fn normal(self, x: T, channel: Channel<T>) -> T;
    /// From the gradient of the value to that of the norm's output.
    fn after_norm(self, x: T, gradient: T, channel: Channel<T>) -> T;
    /// From the gradient of the norm's input to that of `x`: a factor.
    fn before_norm(self, x: T) -> T;
}

/// The norm first, then the activation.
#[derive(Clone, Copy)]
pub(crate) struct NormFirst<F>(pub(crate) F);

impl<T: Real, F: Function<T>> Map<T> for NormFirst<F> {
    #[inline(always)]
    fn value(self, x: T, channel: Channel<T>) -> T {
        self.0.value(channel.line(x))
    }

    #[inline(always)]
    fn normal(self, x: T, channel: Channel<T>) -> T {
        channel.normal(x)
    }

    #[inline(always)]
    fn after_norm(self, x: T, gradient: T, channel: Channel<T>) -> T {
        gradient * self.0.slope(channel.line(x))
    }

    #[inline(always)]
    fn before_norm(self, _: T) -> T {
        T::ONE
    }
}

/// The activation first, then the norm.
#[derive(Clone, Copy)]
pub(crate) struct NormLast<F>(pub(crate) F);

impl<T: Real, F: Function<T>> Map<T> for NormLast<F> {
    #[inline(always)]
    fn value(self, x: T, channel: Channel<T>) -> T {
        channel.line(self.0.value(x))
    }

    #[inline(always)]
    fn normal(self, x: T, channel: Channel<T>) -> T {
        channel.normal(self.0.value(x))
    }

    #[inline(always)]
    fn after_norm(self, _: T, gradient: T, _: Channel<T>) -> T {
        gradient
    }

    #[inline(always)]
    fn before_norm(self, x: T) -> T {
        self.0.slope(x)
    }
}
