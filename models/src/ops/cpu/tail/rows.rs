//! Loops over rows of channels: a norm's line, moments and sums.

use crate::ops::cpu::real::Real;

#[inline(always)]
pub(super) fn map<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

/// `1 / sqrt(variance + epsilon)`.
pub(super) fn inverse<T: Real>(variance: &[T], epsilon: f64) -> Vec<T> {
    let epsilon = T::of(epsilon);
    variance
        .iter()
        .map(|&v| T::ONE / (v + epsilon).sqrt())
        .collect()
}

/// What a norm does to each channel: `(x - shift) * slope + offset`.
pub(super) struct Line<T> {
    shift: Vec<T>,
    pub(super) slope: Vec<T>,
    offset: Vec<T>,
}

impl<T: Real> Line<T> {
    pub(super) fn new(mean: &[T], variance: &[T], epsilon: f64, scale: &[T], center: &[T]) -> Self {
        let mut slope = inverse(variance, epsilon);
        for (slope, &scale) in slope.iter_mut().zip(scale) {
            *slope *= scale;
        }
        let mut offset = center.to_vec();
        offset.resize(mean.len(), T::ZERO);
        Self {
            shift: mean.to_vec(),
            slope,
            offset,
        }
    }

    /// Calls `f` with the place and the value on the line of every element of `x`.
    #[inline(always)]
    fn each(&self, x: &[T], out: &mut [T], f: impl Fn(&mut T, T)) {
        let c = self.shift.len();
        let (shift, slope, offset) = (&self.shift[..c], &self.slope[..c], &self.offset[..c]);
        for (x, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
            for i in 0..c {
                f(&mut out[i], (x[i] - shift[i]) * slope[i] + offset[i]);
            }
        }
    }

    #[inline(always)]
    pub(super) fn map(&self, x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
        self.each(x, y, |y, z| *y = f(z));
    }

    #[inline(always)]
    pub(super) fn multiply(&self, x: &[T], d: &mut [T], f: impl Fn(T) -> T) {
        self.each(x, d, |d, z| *d *= f(z));
    }

    #[inline(always)]
    pub(super) fn map_in_place(&self, y: &mut [T]) {
        let c = self.shift.len();
        let (shift, slope, offset) = (&self.shift[..c], &self.slope[..c], &self.offset[..c]);
        for y in y.chunks_exact_mut(c) {
            for i in 0..c {
                y[i] = (y[i] - shift[i]) * slope[i] + offset[i];
            }
        }
    }
}

/// Rows summed directly before they enter a sum of blocks, which keeps rounding errors small.
const ROWS: usize = 64;

/// Mean and biased variance of each channel, in two passes.
#[inline(always)]
pub(super) fn moments<T: Real>(x: &[T], mean: &mut [T], variance: &mut [T]) {
    let c = mean.len();
    let share = T::of(c as f64 / x.len() as f64);
    let zeros = vec![T::ZERO; c];
    let mut unused = vec![T::ZERO; c];
    in_blocks(
        [x, x],
        [&zeros, &zeros],
        |x, _, _, _| (x, T::ZERO),
        mean,
        &mut unused,
    );
    for m in mean.iter_mut() {
        *m *= share;
    }
    let square = |x: T, _, mean: T, _| ((x - mean) * (x - mean), T::ZERO);
    in_blocks([x, x], [mean, &zeros], square, variance, &mut unused);
    for v in variance.iter_mut() {
        *v *= share;
    }
}

/// Channels summed side by side.
const LANES: usize = 32;

/// Channel by channel sums of two terms over all rows, in blocks of [`ROWS`]. A term is made of the
/// elements of two arrays and of two numbers a channel.
#[inline(always)]
pub(super) fn in_blocks<T: Real>(
    rows: [&[T]; 2],
    channels: [&[T]; 2],
    terms: impl Fn(T, T, T, T) -> (T, T),
    first: &mut [T],
    second: &mut [T],
) {
    let c = first.len();
    let whole = c - c % LANES;
    for from in (0..whole).step_by(LANES) {
        let side = |i: usize| -> [T; LANES] {
            channels[i][from..from + LANES]
                .try_into()
                .expect("LANES channels")
        };
        let (p, q) = (side(0), side(1));
        let mut totals = [[T::ZERO; LANES]; 2];
        for (a, b) in rows[0].chunks(ROWS * c).zip(rows[1].chunks(ROWS * c)) {
            let mut sums = [[T::ZERO; LANES]; 2];
            for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(c)) {
                let (a, b) = (&a[from..from + LANES], &b[from..from + LANES]);
                for i in 0..LANES {
                    let (x, y) = terms(a[i], b[i], p[i], q[i]);
                    sums[0][i] += x;
                    sums[1][i] += y;
                }
            }
            for i in 0..LANES {
                totals[0][i] += sums[0][i];
                totals[1][i] += sums[1][i];
            }
        }
        first[from..from + LANES].copy_from_slice(&totals[0]);
        second[from..from + LANES].copy_from_slice(&totals[1]);
    }
    rest_in_blocks(whole, rows, channels, terms, first, second);
}

/// The channels from `from` on, fewer than [`LANES`].
#[inline(always)]
fn rest_in_blocks<T: Real>(
    from: usize,
    rows: [&[T]; 2],
    channels: [&[T]; 2],
    terms: impl Fn(T, T, T, T) -> (T, T),
    first: &mut [T],
    second: &mut [T],
) {
    let c = first.len();
    let n = c - from;
    if n == 0 {
        return;
    }
    let (p, q) = (&channels[0][from..from + n], &channels[1][from..from + n]);
    let mut totals = [[T::ZERO; LANES]; 2];
    for (a, b) in rows[0].chunks(ROWS * c).zip(rows[1].chunks(ROWS * c)) {
        let mut sums = [[T::ZERO; LANES]; 2];
        let (s, t) = sums.split_at_mut(1);
        let (s, t) = (&mut s[0][..n], &mut t[0][..n]);
        for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(c)) {
            let (a, b) = (&a[from..from + n], &b[from..from + n]);
            for i in 0..n {
                let (x, y) = terms(a[i], b[i], p[i], q[i]);
                s[i] += x;
                t[i] += y;
            }
        }
        for i in 0..n {
            totals[0][i] += s[i];
            totals[1][i] += t[i];
        }
    }
    first[from..].copy_from_slice(&totals[0][..n]);
    second[from..].copy_from_slice(&totals[1][..n]);
}
