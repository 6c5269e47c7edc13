//! Which corners of the windows win, before the statistics of the norm are known.
//!
//! A norm keeps the order of a channel's numbers, or turns it round where the scale is negative. An
//! activation that never falls keeps it too: of what the norm is given, the largest number wins, or
//! the smallest. One that falls and then rises, like GELU, is largest at one of these two. So the
//! pass that takes the moments chooses, and what comes later works on windows alone.
//!
//! Of equal numbers the first corner wins, as all are where the scale is zero. Numbers that differ
//! and come out equal by rounding do not count as equal. What the norm was given at the winner says
//! which corner that is: the first where it is so.

use super::channels::Channels;
use super::functions::Function;
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, Striped, by_fours, parts, rows_of};
use super::{Pooled, Real};
use crate::cpu::columns::Columns;
use crate::cpu::elementary::each;
use pulp::Simd;

/// Chooses what the norm is given at the corners that may win: the first in the norm's order, and where
/// `BOTH` the last, which goes to `y`.
pub(super) struct Choose<'a, 'b, T, const BOTH: bool> {
    /// 1, or -1 where the scale of a channel is negative, or 0 where it is zero.
    pub(super) signs: &'a [T],
    pub(super) windows: Windows,
    pub(super) x: Columns<'a, T>,
    pub(super) out: &'a mut Pooled<'b, T>,
}

impl<T: Real, const BOTH: bool> Striped<T> for Choose<'_, '_, T, BOTH> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn parts(&self) -> usize {
        self.windows.lines()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let (simd, sign) = (strip.simd, strip.load(self.signs));
        let x = strip.rows(self.x);
        let mut lasts = strip.rows_mut(&mut self.out.y);
        let mut bests = strip.rows_mut(&mut self.out.best);
        each_window!(self.windows, part, |window, corners| {
            let given = each_corner!(|k| x.load(corners[k]));
            let keys = each!(given, |k| T::times(simd, given[k], sign));
            let (mut best, mut top) = (given[0], keys[0]);
            for corner in 1..4 {
                // Written so that a NaN on either side is kept, not skipped.
                let keep = T::either(
                    simd,
                    T::at_least(simd, top, keys[corner]),
                    T::not_a_number(simd, top),
                );
                best = T::choose_each(simd, keep, best, given[corner]);
                top = T::choose_each(simd, keep, top, keys[corner]);
            }
            bests.store(window, best);
            if BOTH {
                let (mut least, mut bottom) = (given[0], keys[0]);
                for corner in 1..4 {
                    let falls = T::above(simd, bottom, keys[corner]);
                    least = T::choose_each(simd, falls, given[corner], least);
                    bottom = T::choose_each(simd, falls, keys[corner], bottom);
                }
                lasts.store(window, least);
            }
        });
    }
}

/// The norm and an activation after it, of what was [chosen](Choose).
pub(super) struct Settle<'a, 'b, T, F> {
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) out: &'a mut Pooled<'b, T>,
}

impl<T: Real, F: Function<T>> Striped<T> for Settle<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.out.y.width()
    }

    fn parts(&self) -> usize {
        parts(self.out.y.rows())
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let (simd, channels) = (strip.simd, self.channels.of(strip));
        let windows = rows_of(part, self.out.y.rows());
        let mut y = strip.rows_mut(&mut self.out.y);
        let mut bests = strip.rows_mut(&mut self.out.best);
        let zero = T::splat(simd, T::ZERO);
        by_fours!(windows, |window, N| {
            let mut given = [zero; N];
            for i in 0..N {
                given[i] = bests.load(window + i);
            }
            let line = each!(given, |i| channels.line(given[i]));
            let [value, _] = self.after.both(simd, line);
            if F::NEVER_FALLS {
                for i in 0..N {
                    y.store(window + i, value[i]);
                }
            } else {
                let mut least = [zero; N];
                for i in 0..N {
                    least[i] = y.load(window + i);
                }
                let line = each!(least, |i| channels.line(least[i]));
                let [other, _] = self.after.both(simd, line);
                for i in 0..N {
                    let last = T::above(simd, other[i], value[i]);
                    y.store(window + i, T::choose_each(simd, last, other[i], value[i]));
                    bests.store(window + i, T::choose_each(simd, last, least[i], given[i]));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;
    use crate::activation::Activation;
    use crate::cpu::epilogue::{EpilogueSpec, choose, settle};

    /// From -3 to 3, all different in the first thousand.
    fn numbers<T: Real>(count: usize, seed: usize) -> Vec<T> {
        let number = |i: usize| ((i + seed) * 7919 % 1009) as f64 / 168.0 - 3.0;
        (0..count).map(|i| T::of(number(i))).collect()
    }

    /// `y`, and what the norm was given at the winners.
    fn pooled<T: Real>(
        activation: Activation,
        windows: Windows,
        x: &[T],
        [scale, center]: [&[T]; 2],
    ) -> [Vec<T>; 2] {
        let spec = EpilogueSpec {
            activation,
            epsilon: Some(0.0),
            position: Position::Before,
            dropout: None,
            pool: true,
        };
        let c = scale.len();
        let (mean, variance) = (vec![T::ZERO; c], vec![T::ONE; c]);
        let channels = Channels::new(&mean, &variance, 0.0, Some(scale), Some(center));
        let size = windows.lines() * (windows.width / 2) * c;
        let mut out = [(); 2].map(|()| vec![T::ZERO; size]);
        let [y, best] = &mut out;
        let mut pooled = Pooled::whole(y, best, c);
        let x = Columns::whole(x, c);
        choose(&spec, Some(scale), windows, x, &mut pooled);
        settle(&spec, &channels, &mut pooled);
        out
    }

    /// The corners of every window of images of this size, in `c` channels: each with its channel.
    fn corners<T: Copy>(windows: Windows, x: &[T], c: usize) -> Vec<(usize, [T; 4])> {
        let mut all = Vec::new();
        for line in 0..windows.lines() {
            each_window!(windows, line, |_window, corners| {
                for k in 0..c {
                    all.push((k, corners.map(|place| x[place * c + k])));
                }
            });
        }
        all
    }

    fn holds<T: Real + Into<f64>>(tolerance: f64) {
        for activation in Activation::ALL
            .into_iter()
            .filter(|a| EpilogueSpec::has_kernel(*a))
        {
            for (c, [images, height, width]) in [(3, [1, 2, 2]), (16, [2, 5, 3]), (37, [3, 4, 9])] {
                let windows = Windows {
                    images,
                    height,
                    width,
                };
                let x = numbers::<T>(images * height * width * c, 3);
                let (mut scale, center) = (numbers::<T>(c, 5), numbers::<T>(c, 11));
                scale[1] = T::ZERO;
                let [y, best] = pooled(activation, windows, &x, [&scale, &center]);
                for (i, (k, corners)) in corners(windows, &x, c).into_iter().enumerate() {
                    let line = corners.map(|x| x.into() * scale[k].into() + center[k].into());
                    let values = line.map(|x| activation.value(x));
                    let most = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
                    let context = format!("{activation:?}, {c} channels: {line:?}");
                    let near = |value: f64| (value - most).abs() < tolerance * most.abs().max(1.0);
                    assert!(near(y[i].into()), "{context}");
                    let winner = corners.iter().position(|x| (*x).into() == best[i].into());
                    let winner = winner.expect("it is one of the corners");
                    assert!(near(values[winner]), "{context}");
                    if k == 1 {
                        assert_eq!(winner, 0, "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_wins_is_largest_behind_the_norm_and_the_activation() {
        holds::<f32>(2e-6);
        holds::<f64>(1e-12);
    }

    #[test]
    fn of_equal_corners_the_first_wins_and_what_is_not_a_number_stays() {
        let windows = Windows {
            images: 1,
            height: 2,
            width: 2,
        };
        let nan = f32::NAN;
        for activation in [Activation::Relu, Activation::Gelu] {
            for (x, winner) in [
                ([1.0, 2.0, 2.0, 1.0], 2.0),
                ([-0.0, 0.0, -0.0, 0.0], -0.0),
                ([1.0, nan, 2.0, 1.0], nan),
                ([nan, 1.0, 2.0, 3.0], nan),
                ([1.0, 2.0, 3.0, nan], nan),
            ] {
                let [y, best] = pooled(activation, windows, &x, [&[1.0], &[0.0]]);
                let same = best[0].to_bits() == f32::to_bits(winner);
                assert!(
                    same || best[0].is_nan() && winner.is_nan(),
                    "{activation:?}, {x:?}"
                );
                assert_eq!(y[0].is_nan(), winner.is_nan(), "{activation:?}, {x:?}");
            }
        }
    }

    #[test]
    fn where_the_activation_falls_the_smallest_can_win() {
        let windows = Windows {
            images: 1,
            height: 2,
            width: 2,
        };
        let x = [-0.8f32, -0.9, -3.0, -0.7];
        let [y, best] = pooled(Activation::Silu, windows, &x, [&[1.0], &[0.0]]);
        assert_eq!(best, [-3.0]);
        assert!((f64::from(y[0]) - Activation::Silu.value(-3.0)).abs() < 1e-6);
    }
}
