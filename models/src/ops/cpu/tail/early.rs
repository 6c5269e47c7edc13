//! Pooling before the statistics are known.
//!
//! A norm keeps the order of a channel's numbers, or turns it round where the scale is negative: in
//! exact numbers, the corner of a window that wins is known as soon as what the norm is given. So
//! the pass that takes the moments chooses it, and what comes later works on windows alone.
//!
//! Rounding keeps order too, but may make equal what was not, and of equals the first corner wins.
//! So the choice keeps the largest of the corners before the winner, its rival. Where both come out
//! equal, or not as numbers, the window is in doubt and has to be taken anew.

use super::channels::Channels;
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, Striped, parts, rows_of, strips};
use super::{Pooled, Real, TailSpec, apply_pooled};
use crate::ops::cpu::buffers::Buffer;
use crate::ops::cpu::columns::Columns;
use pulp::Simd;

/// Whether [`choose`] can tell which corners win: where nothing follows the norm but pooling.
pub(crate) fn chooses_early(spec: &TailSpec) -> bool {
    spec.pool && spec.norm_last()
}

/// Chooses the winners from what the norm is given, by the learned scale of each channel (1 where
/// there is none), for [`settle`]: `out` gets them, what the norm is given there, and in `y` what it
/// is given at their rivals.
pub(crate) fn choose<T: Real>(
    scale: Option<&[T]>,
    windows: Windows,
    given: Columns<T>,
    out: &mut Pooled<T>,
) {
    let sign = |&scale: &T| T::choose(scale < T::ZERO, -T::ONE, T::ONE);
    let signs: Vec<T> = match scale {
        Some(scale) => scale.iter().map(sign).collect(),
        None => vec![T::ONE; given.width()],
    };
    strips(Choose {
        signs: &signs,
        windows,
        x: given,
        out,
    });
}

/// What [`apply_pooled`] makes of the windows that [`choose`] chose from; the windows that are in
/// doubt and have to be [taken anew](apply_in_doubt).
pub(crate) fn settle<T: Real>(channels: &Channels<T>, out: &mut Pooled<T>) -> Vec<usize> {
    let mut doubts = vec![false; out.y.rows()];
    strips(Settle {
        channels,
        out,
        doubts: &mut doubts,
    });
    let windows = doubts.iter().enumerate();
    let in_doubt = windows.filter_map(|(window, &doubt)| doubt.then_some(window));
    in_doubt.collect()
}

/// [`apply_pooled`] for some windows alone.
pub(crate) fn apply_in_doubt<T: Real>(
    spec: &TailSpec,
    channels: &Channels<T>,
    windows: Windows,
    in_doubt: &[usize],
    x: Columns<T>,
    out: &mut Pooled<T>,
) {
    let (count, width) = (in_doubt.len(), x.width());
    let mut corners = Buffer::unspecified(4 * count * width);
    let places = in_doubt.iter().flat_map(|&window| windows.corners(window));
    for (corner, place) in corners.chunks_exact_mut(width).zip(places) {
        corner.copy_from_slice(x.row(place));
    }
    let [mut y, mut winners, mut best] = [(); 3].map(|()| Buffer::unspecified(count * width));
    let mut anew = Pooled::whole(&mut y, &mut winners, &mut best, width);
    let apart = Windows {
        images: count,
        height: 2,
        width: 2,
    };
    let x = Columns::whole(&corners, width);
    apply_pooled(spec, channels, apart, x, &mut anew);
    for (i, &window) in in_doubt.iter().enumerate() {
        for (from, to) in [
            (&anew.y, &mut out.y),
            (&anew.winners, &mut out.winners),
            (&anew.best, &mut out.best),
        ] {
            to.row_mut(window).copy_from_slice(from.read().row(i));
        }
    }
}

/// See [`choose`].
struct Choose<'a, 'b, T> {
    /// 1, or -1 where the scale of a channel is negative.
    signs: &'a [T],
    windows: Windows,
    x: Columns<'a, T>,
    out: &'a mut Pooled<'b, T>,
}

impl<T: Real> Striped<T> for Choose<'_, '_, T> {
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
        let mut rivals = strip.rows_mut(&mut self.out.y);
        let mut winners = strip.rows_mut(&mut self.out.winners);
        let mut bests = strip.rows_mut(&mut self.out.best);
        let none = T::splat(simd, -T::INFINITY);
        each_window!(self.windows, part, |window, corners| {
            let keys = each_corner!(|k| T::times(simd, x.load(corners[k]), sign));
            let (mut winner, mut best, mut rival) = (T::splat(simd, T::ZERO), keys[0], none);
            for corner in 1..4 {
                let wins = T::above(simd, keys[corner], best);
                let number = T::splat(simd, T::of(corner as f64));
                winner = T::choose_each(simd, wins, number, winner);
                rival = T::choose_each(simd, wins, best, rival);
                best = T::choose_each(simd, wins, keys[corner], best);
            }
            rivals.store(window, T::times(simd, rival, sign));
            winners.store(window, winner);
            bests.store(window, T::times(simd, best, sign));
        });
    }
}

/// See [`settle`].
struct Settle<'a, 'b, T> {
    channels: &'a Channels<T>,
    out: &'a mut Pooled<'b, T>,
    /// Set where a window is in doubt.
    doubts: &'a mut [bool],
}

impl<T: Real> Striped<T> for Settle<'_, '_, T> {
    fn width(&self) -> usize {
        self.out.y.width()
    }

    fn parts(&self) -> usize {
        parts(self.doubts.len())
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let channels = self.channels.of(strip);
        let best = strip.rows(self.out.best.read());
        let mut y = strip.rows_mut(&mut self.out.y);
        for window in rows_of(part, self.doubts.len()) {
            let value = channels.line(best.load(window));
            let rival = channels.line(y.load(window));
            self.doubts[window] |= !strip.all(T::above(strip.simd, value, rival));
            y.store(window, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::block::Position;
    use crate::ops::cpu::tail::given;
    use std::fmt::Debug;

    /// From -0.5 to 0.5, all different in the first thousand.
    fn numbers<T: Real>(count: usize, seed: usize) -> Vec<T> {
        let number = |i: usize| ((i + seed) * 7919 % 1009) as f64 / 1008.0 - 0.5;
        (0..count).map(|i| T::of(number(i))).collect()
    }

    /// The windows that are in doubt, of so many images of this size and channels with these scales
    /// and centers. What comes of all windows is what [`apply_pooled`] makes of them.
    fn in_doubt<T: Real + Debug>(
        [images, height, width]: [usize; 3],
        x: &[T],
        scale: &[T],
        center: &[T],
    ) -> Vec<usize> {
        let spec = TailSpec {
            activation: Activation::Sigmoid,
            epsilon: Some(1e-5),
            position: Position::After,
            dropout: None,
            pool: true,
        };
        assert!(chooses_early(&spec));
        let windows = Windows {
            images,
            height,
            width,
        };
        let c = scale.len();
        let (x, mean, variance) = (Columns::whole(x, c), numbers(c, 7), vec![T::ONE; c]);
        let channels = Channels::new(&mean, &variance, 1e-5, Some(scale), Some(center));
        let size = images * (height / 2) * (width / 2) * c;
        let [mut early, mut late] = [(); 2].map(|()| [(); 3].map(|()| vec![T::ZERO; size]));
        let [y, winners, best] = &mut early;
        let mut out = Pooled::whole(y, winners, best, c);
        let mut room = None;
        choose(Some(scale), windows, given(&spec, x, &mut room), &mut out);
        let in_doubt = settle(&channels, &mut out);
        apply_in_doubt(&spec, &channels, windows, &in_doubt, x, &mut out);
        let [y, winners, best] = &mut late;
        let mut out = Pooled::whole(y, winners, best, c);
        apply_pooled(&spec, &channels, windows, x, &mut out);
        for (early, late) in early.iter().flatten().zip(late.iter().flatten()) {
            let same = early == late || early.is_nan() && late.is_nan();
            assert!(same, "{early:?} in place of {late:?}");
        }
        in_doubt
    }

    fn holds<T: Real + Debug>() {
        for c in [3, 7, 16, 33, 40] {
            for size @ [images, height, width] in [[1, 2, 2], [2, 5, 3], [3, 4, 7]] {
                let windows: Vec<_> = (0..images * (height / 2) * (width / 2)).collect();
                let mut x = numbers::<T>(images * height * width * c, 3);
                // Some are negative, none is zero.
                let (mut scale, center) = (numbers::<T>(c, 5), numbers::<T>(c, 11));
                assert!(in_doubt(size, &x, &scale, &center).is_empty());
                // Next to this, what tells the corners apart is lost; a first one that wins has no
                // rival.
                let large = vec![T::of(1.0 / f64::from(f32::EPSILON).powi(3)); c];
                assert!(!in_doubt(size, &x, &scale, &large).is_empty());
                x[c / 2] = T::of(f64::NAN);
                assert_eq!(in_doubt(size, &x, &scale, &center), [0]);
                scale[c - 1] = T::ZERO;
                assert_eq!(in_doubt(size, &x, &scale, &center), windows);
            }
        }
    }

    #[test]
    fn what_is_chosen_early_is_what_pooling_gives() {
        holds::<f32>();
        holds::<f64>();
    }
}
