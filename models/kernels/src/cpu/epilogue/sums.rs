//! Sums over rows.

use super::channel_loop::{ChannelKernel, ChannelVector, for_each_channel_vector, sum_in_blocks};
use crate::cpu::columns::Columns;
use crate::cpu::real::Real;
use pulp::Simd;

/// Sums over rows that the backward pass of a norm needs, one per channel.
#[derive(Clone, Debug)]
pub(crate) struct GradientSums<T> {
    /// Sum of the gradient of the norm's output; this is the gradient of the center.
    pub(crate) gradient: Vec<T>,
    /// Sum of that gradient times the normalized value; this is the gradient of the scale.
    pub(crate) product: Vec<T>,
}

impl<T: Real> GradientSums<T> {
    pub(crate) fn zeros(channels: usize) -> Self {
        Self {
            gradient: vec![T::ZERO; channels],
            product: vec![T::ZERO; channels],
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.gradient, &other.gradient);
        add(&mut self.product, &other.product);
    }

    /// The sums divided by the number of rows.
    pub(crate) fn means(&self, rows: usize) -> Self {
        let share = T::from_f64(1.0 / rows as f64);
        let mean = |sums: &[T]| sums.iter().map(|&s| s * share).collect();
        Self {
            gradient: mean(&self.gradient),
            product: mean(&self.product),
        }
    }
}

/// Adds `more` to `sums`, element by element.
pub(crate) fn add<T: Real>(sums: &mut [T], more: &[T]) {
    for (sum, &more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// Writes the mean of each channel over the rows of `x`, and the sum of squared differences from it.
pub(crate) fn moments<T: Real>(x: Columns<T>, mean: &mut [T], squares: &mut [T]) {
    for_each_channel_vector(Moments { x, mean, squares });
}

struct Moments<'a, T> {
    x: Columns<'a, T>,
    mean: &'a mut [T],
    squares: &'a mut [T],
}

impl<T: Real> ChannelKernel<T> for Moments<'_, T> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        _: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let (simd, rows, x) = (vector.simd, self.x.rows(), vector.rows(self.x));
        let share = T::splat(simd, T::from_f64(1.0 / rows as f64));
        let sum = sum_in_blocks!(T, simd, rows, |row| x.load(row));
        let mean = T::times(simd, sum, share);
        let squares = sum_in_blocks!(T, simd, rows, |row| {
            let difference = T::minus(simd, x.load(row), mean);
            T::times(simd, difference, difference)
        });
        vector.store(self.mean, mean);
        vector.store(self.squares, squares);
    }
}

/// The sum of each column over the rows.
pub(crate) fn sum_rows<T: Real>(x: Columns<T>) -> Vec<T> {
    let mut sums = vec![T::ZERO; x.width()];
    for_each_channel_vector(SumRows { x, sums: &mut sums });
    sums
}

struct SumRows<'a, T> {
    x: Columns<'a, T>,
    sums: &'a mut [T],
}

impl<T: Real> ChannelKernel<T> for SumRows<'_, T> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        _: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let x = vector.rows(self.x);
        let sum = sum_in_blocks!(T, vector.simd, self.x.rows(), |row| x.load(row));
        vector.store(self.sums, sum);
    }
}
