//! The norm of a channel as an affine map.

use super::channel_loop::ChannelVector;
use crate::cpu::real::Real;
use pulp::Simd;

/// Channels of one replica, or a block of them. The norm of `x` is `(x - shift) * slope + offset`,
/// where `slope` is the learned scale times `inverse`, one over the standard deviation.
pub(crate) struct Channels<T> {
    shift: Vec<T>,
    inverse: Vec<T>,
    slope: Vec<T>,
    offset: Vec<T>,
}

impl<T: Real> Channels<T> {
    /// Channels of a norm with these statistics. An absent scale is 1, an absent center 0.
    pub(crate) fn new(
        mean: &[T],
        variance: &[T],
        epsilon: f64,
        scale: Option<&[T]>,
        center: Option<&[T]>,
    ) -> Self {
        let epsilon = T::from_f64(epsilon);
        let inverse_deviation = |&v: &T| T::ONE / (v + epsilon).sqrt();
        let inverse: Vec<T> = variance.iter().map(inverse_deviation).collect();
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

    /// Channels without a norm: the identity map.
    pub(crate) fn identity(count: usize) -> Self {
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

    /// The channels of one vector.
    #[inline(always)]
    pub(super) fn of<S: Simd, const PARTIAL: bool>(
        &self,
        vector: ChannelVector<T, S, PARTIAL>,
    ) -> ChannelLanes<T, S> {
        ChannelLanes {
            simd: vector.simd,
            shift: vector.load(&self.shift),
            inverse: vector.load(&self.inverse),
            slope: vector.load(&self.slope),
            offset: vector.load(&self.offset),
        }
    }
}

/// The norm of one vector of channels.
#[derive(Clone, Copy)]
pub(super) struct ChannelLanes<T: Real, S: Simd> {
    simd: S,
    shift: T::Vector<S>,
    inverse: T::Vector<S>,
    slope: T::Vector<S>,
    offset: T::Vector<S>,
}

impl<T: Real, S: Simd> ChannelLanes<T, S> {
    /// The norm of `x`.
    #[inline(always)]
    pub(super) fn affine(&self, x: T::Vector<S>) -> T::Vector<S> {
        let scaled = T::times(self.simd, T::minus(self.simd, x, self.shift), self.slope);
        T::plus(self.simd, scaled, self.offset)
    }

    /// The normalized `x`, without scale and center.
    #[inline(always)]
    pub(super) fn normalize(&self, x: T::Vector<S>) -> T::Vector<S> {
        T::times(self.simd, T::minus(self.simd, x, self.shift), self.inverse)
    }

    /// The gradient of `x` (Ioffe and Szegedy 2015, section 3), from the gradient of the norm's output
    /// minus its mean, and the mean of its products with the normalized values.
    #[inline(always)]
    pub(super) fn backward(
        &self,
        x: T::Vector<S>,
        centered: T::Vector<S>,
        products: T::Vector<S>,
    ) -> T::Vector<S> {
        let correction = T::times(self.simd, self.normalize(x), products);
        T::times(
            self.simd,
            T::minus(self.simd, centered, correction),
            self.slope,
        )
    }
}
