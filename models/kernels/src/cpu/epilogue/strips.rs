//! Loops over channels, a vector of them at a time, with what their vectors are loaded from.

use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::vectors::Vectors;
use pulp::{Arch, Simd, WithSimd};
use std::marker::PhantomData;
use std::ops::Range;

/// The channels of a vector: all it holds or, with `SOME`, the last ones, which do not fill it.
#[derive(Clone, Copy)]
pub(super) struct Strip<T: Vectors, S: Simd, const SOME: bool> {
    pub(super) simd: S,
    /// The first channel.
    from: usize,
    /// How many.
    count: usize,
    mask: T::Mask<S>,
}

impl<T: Vectors, S: Simd, const SOME: bool> Strip<T, S, SOME> {
    /// The strip's numbers of what has one a channel.
    #[inline(always)]
    pub(super) fn load(&self, values: &[T]) -> T::Vector<S> {
        self.rows(Columns::whole(values, values.len())).load(0)
    }

    /// Writes the strip's numbers of what has one a channel.
    #[inline(always)]
    pub(super) fn store(&self, values: &mut [T], value: T::Vector<S>) {
        let width = values.len();
        self.rows_mut(&mut ColumnsMut::whole(values, width))
            .store(0, value);
    }

    /// The strip's part of the rows of `x`.
    ///
    /// # Panics
    /// If `x` has not all of its channels.
    #[inline(always)]
    pub(super) fn rows<'a>(&self, x: Columns<'a, T>) -> Rows<'a, T, S, SOME> {
        assert!(self.from + self.count <= x.width());
        Rows {
            strip: *self,
            start: x.as_ptr().wrapping_add(self.from),
            rows: x.rows(),
            stride: x.stride(),
            of: PhantomData,
        }
    }

    /// The strip's part of the rows of `x`, to be written.
    ///
    /// # Panics
    /// If `x` has not all of its channels.
    #[inline(always)]
    pub(super) fn rows_mut<'a>(&self, x: &'a mut ColumnsMut<T>) -> RowsMut<'a, T, S, SOME> {
        let Rows {
            strip,
            rows,
            stride,
            ..
        } = self.rows(x.read());
        RowsMut {
            strip,
            start: x.as_mut_ptr().wrapping_add(self.from),
            rows,
            stride,
            of: PhantomData,
        }
    }
}

/// A strip's part of rows. Its own copy of where they lie: what is behind a reference would be read
/// anew after every store.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T: Vectors, S: Simd, const SOME: bool> {
    strip: Strip<T, S, SOME>,
    start: *const T,
    rows: usize,
    stride: usize,
    of: PhantomData<&'a [T]>,
}

impl<T: Vectors, S: Simd, const SOME: bool> Rows<'_, T, S, SOME> {
    #[inline(always)]
    pub(super) fn load(&self, row: usize) -> T::Vector<S> {
        assert!(row < self.rows);
        let from = self.start.wrapping_add(row * self.stride);
        // SAFETY: the row's numbers from the strip's first channel on, of which there are the
        // strip's `count`, as `Strip::rows` has seen: those in the lanes of the mask or, without
        // `SOME`, a vector's (`Strips`).
        unsafe {
            if SOME {
                T::load_some(self.strip.simd, self.strip.mask, from)
            } else {
                T::load(self.strip.simd, from)
            }
        }
    }
}

/// A strip's part of rows, to be written.
pub(super) struct RowsMut<'a, T: Vectors, S: Simd, const SOME: bool> {
    strip: Strip<T, S, SOME>,
    start: *mut T,
    rows: usize,
    stride: usize,
    of: PhantomData<&'a mut [T]>,
}

impl<T: Vectors, S: Simd, const SOME: bool> RowsMut<'_, T, S, SOME> {
    #[inline(always)]
    pub(super) fn load(&self, row: usize) -> T::Vector<S> {
        let &Self {
            strip,
            start,
            rows,
            stride,
            ..
        } = self;
        let read = Rows {
            strip,
            start: start.cast_const(),
            rows,
            stride,
            of: PhantomData,
        };
        read.load(row)
    }

    #[inline(always)]
    pub(super) fn store(&mut self, row: usize, value: T::Vector<S>) {
        assert!(row < self.rows);
        let to = self.start.wrapping_add(row * self.stride);
        // SAFETY: as for `Rows::load`, and the rows are borrowed exclusively.
        unsafe {
            if SOME {
                T::store_some(self.strip.simd, self.strip.mask, to, value);
            } else {
                T::store(self.strip.simd, to, value);
            }
        }
    }
}

/// What is done with every strip. Implementations mark `strip` and all it calls
/// `#[inline(always)]`: what is not inlined is not compiled for the machine's vectors. So their
/// loops hold no closures, which no attribute makes inline.
pub(super) trait Striped<T: Vectors> {
    /// Channels.
    fn width(&self) -> usize;
    /// Parts that the rows are taken in, one after the other with all strips of each, so that rows
    /// come from memory whole.
    fn parts(&self) -> usize {
        1
    }
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>);
}

/// Runs `kernel` on all strips, with the widest vectors the machine has.
pub(super) fn strips<T: Vectors>(kernel: impl Striped<T>) {
    Arch::new().dispatch(Strips {
        kernel,
        of: PhantomData,
    });
}

struct Strips<T, K> {
    kernel: K,
    of: PhantomData<T>,
}

impl<T: Vectors, K: Striped<T>> WithSimd for Strips<T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (width, lanes) = (self.kernel.width(), T::lanes::<S>());
        for part in 0..self.kernel.parts() {
            let mut from = 0;
            while width - from >= lanes {
                let strip = Strip::<T, S, false> {
                    simd,
                    from,
                    count: lanes,
                    mask: T::first(simd, lanes),
                };
                self.kernel.strip(part, strip);
                from += lanes;
            }
            if from < width {
                let strip = Strip::<T, S, true> {
                    simd,
                    from,
                    count: width - from,
                    mask: T::first(simd, width - from),
                };
                self.kernel.strip(part, strip);
            }
        }
    }
}

/// Rows of a part, where those of one are independent of the others'.
const PART: usize = 32;

/// Parts of so many rows.
pub(super) fn parts(rows: usize) -> usize {
    rows.div_ceil(PART)
}

/// Which of so many rows are in a part.
#[inline(always)]
pub(super) fn rows_of(part: usize, rows: usize) -> Range<usize> {
    part * PART..rows.min((part + 1) * PART)
}

/// Rows summed directly before they enter a sum of blocks, which keeps rounding errors small.
pub(super) const ROWS: usize = 64;

/// The sum of the vectors `$value` of every `$row` below `$rows`, in blocks of [`ROWS`].
macro_rules! in_blocks {
    ($t:ty, $simd:expr, $rows:expr, |$row:ident| $value:expr) => {{
        use $crate::cpu::epilogue::strips::ROWS;
        let (simd, rows) = ($simd, $rows);
        let zero = <$t>::splat(simd, <$t>::ZERO);
        let (mut total, mut from) = (zero, 0);
        // Blocks side by side: a sum waits for its last addition, others fill the wait.
        while rows - from >= 4 * ROWS {
            let mut sums = [zero; 4];
            for i in 0..ROWS {
                for block in 0..4 {
                    let $row = from + block * ROWS + i;
                    sums[block] = <$t>::plus(simd, sums[block], $value);
                }
            }
            for block in 0..4 {
                total = <$t>::plus(simd, total, sums[block]);
            }
            from += 4 * ROWS;
        }
        while from < rows {
            let to = rows.min(from + ROWS);
            let mut sum = zero;
            for $row in from..to {
                sum = <$t>::plus(simd, sum, $value);
            }
            total = <$t>::plus(simd, total, sum);
            from = to;
        }
        total
    }};
}

/// Runs `$body` with `$n` the number of rows to take together from `$row` on, 4 or 1, until all of
/// `$rows` are taken.
macro_rules! by_fours {
    ($rows:expr, |$row:ident, $n:ident| $body:expr) => {{
        let rows: std::ops::Range<usize> = $rows;
        let mut $row = rows.start;
        while rows.end - $row >= 4 {
            const $n: usize = 4;
            $body;
            $row += 4;
        }
        while $row < rows.end {
            const $n: usize = 1;
            $body;
            $row += 1;
        }
    }};
}

pub(super) use {by_fours, in_blocks};
