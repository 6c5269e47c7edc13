//! What a norm does to the numbers of a channel.

use super::Real;
use super::strips::Strip;
use pulp::Simd;

/// The channels of one replica, or of a block of them: a norm makes `(x - shift) * slope + offset`
/// of a number, with `slope` the learned scale times `inverse`.
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

    /// The channels of a strip.
    #[inline(always)]
    pub(super) fn of<S: Simd, const SOME: bool>(&self, strip: Strip<T, S, SOME>) -> Lanes<T, S> {
        Lanes {
            simd: strip.simd,
            shift: strip.load(&self.shift),
            inverse: strip.load(&self.inverse),
            slope: strip.load(&self.slope),
            offset: strip.load(&self.offset),
        }
    }
}

/// Channels side by side.
#[derive(Clone, Copy)]
pub(super) struct Lanes<T: Real, S: Simd> {
    simd: S,
    shift: T::Vector<S>,
    inverse: T::Vector<S>,
    slope: T::Vector<S>,
    offset: T::Vector<S>,
}

impl<T: Real, S: Simd> Lanes<T, S> {
    /// What the norm makes of `x`.
    #[inline(always)]
    pub(super) fn line(&self, x: T::Vector<S>) -> T::Vector<S> {
        let scaled = T::times(self.simd, T::minus(self.simd, x, self.shift), self.slope);
        T::plus(self.simd, scaled, self.offset)
    }

    /// The normalized `x`.
    #[inline(always)]
    pub(super) fn normal(&self, x: T::Vector<S>) -> T::Vector<S> {
        T::times(self.simd, T::minus(self.simd, x, self.shift), self.inverse)
    }

    /// The gradient of `x`, from that of what the norm makes of it, less its mean, and the mean of
    /// its products with the normalized numbers.
    #[inline(always)]
    pub(super) fn back(
        &self,
        x: T::Vector<S>,
        centred: T::Vector<S>,
        products: T::Vector<S>,
    ) -> T::Vector<S> {
        let along = T::times(self.simd, self.normal(x), products);
        T::times(self.simd, T::minus(self.simd, centred, along), self.slope)
    }
}
