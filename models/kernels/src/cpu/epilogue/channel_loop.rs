//! Loops over channels, one SIMD vector of channels at a time.

use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::simd::{SimdElement, VectorFacts};
use pulp::{Simd, WithSimd};
use std::marker::PhantomData;
use std::ops::Range;

/// The channels of one vector. With `PARTIAL`, the last channels, which do not fill a vector.
#[derive(Clone, Copy)]
pub(super) struct ChannelVector<T: SimdElement, S: Simd, const PARTIAL: bool> {
    pub(super) simd: S,
    /// The first channel.
    from: usize,
    /// Number of channels.
    count: usize,
    mask: T::Mask<S>,
}

impl<T: SimdElement, S: Simd, const PARTIAL: bool> ChannelVector<T, S, PARTIAL> {
    /// Loads the vector's channels from values with one element per channel.
    #[inline(always)]
    pub(super) fn load(&self, values: &[T]) -> T::Vector<S> {
        self.rows(Columns::whole(values, values.len())).load(0)
    }

    /// Stores the vector's channels to values with one element per channel.
    #[inline(always)]
    pub(super) fn store(&self, values: &mut [T], value: T::Vector<S>) {
        let width = values.len();
        self.rows_mut(&mut ColumnsMut::whole(values, width))
            .store(0, value);
    }

    /// The vector's channels in the rows of `x`.
    ///
    /// # Panics
    /// If `x` lacks some of the channels.
    #[inline(always)]
    pub(super) fn rows<'a>(&self, x: Columns<'a, T>) -> Rows<'a, T, S, PARTIAL> {
        assert!(self.from + self.count <= x.width());
        Rows {
            vector: *self,
            start: x.as_ptr().wrapping_add(self.from),
            rows: x.rows(),
            stride: x.stride(),
            of: PhantomData,
        }
    }

    /// The vector's channels in the rows of `x`, writable.
    ///
    /// # Panics
    /// If `x` lacks some of the channels.
    #[inline(always)]
    pub(super) fn rows_mut<'a>(&self, x: &'a mut ColumnsMut<T>) -> RowsMut<'a, T, S, PARTIAL> {
        let Rows {
            vector,
            rows,
            stride,
            ..
        } = self.rows(x.read());
        RowsMut {
            vector,
            start: x.as_mut_ptr().wrapping_add(self.from),
            rows,
            stride,
            of: PhantomData,
        }
    }
}

/// A vector's channels in the rows of a matrix.
///
/// Holds pointer and stride by value: behind a reference they would be reloaded after every store.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T: SimdElement, S: Simd, const PARTIAL: bool> {
    vector: ChannelVector<T, S, PARTIAL>,
    start: *const T,
    rows: usize,
    stride: usize,
    of: PhantomData<&'a [T]>,
}

impl<T: SimdElement, S: Simd, const PARTIAL: bool> Rows<'_, T, S, PARTIAL> {
    #[inline(always)]
    pub(super) fn load(&self, row: usize) -> T::Vector<S> {
        assert!(row < self.rows);
        let from = self.start.wrapping_add(row * self.stride);
        // SAFETY: `from` points to the vector's first channel in the row, and `ChannelVector::rows` has
        // checked that the row has all `count` channels: the lanes of the mask, or without `PARTIAL`
        // a whole vector.
        unsafe {
            if PARTIAL {
                T::load_partial(self.vector.simd, self.vector.mask, from)
            } else {
                T::load(self.vector.simd, from)
            }
        }
    }
}

/// A vector's channels in the rows of a matrix, writable.
pub(super) struct RowsMut<'a, T: SimdElement, S: Simd, const PARTIAL: bool> {
    vector: ChannelVector<T, S, PARTIAL>,
    start: *mut T,
    rows: usize,
    stride: usize,
    of: PhantomData<&'a mut [T]>,
}

impl<T: SimdElement, S: Simd, const PARTIAL: bool> RowsMut<'_, T, S, PARTIAL> {
    #[inline(always)]
    pub(super) fn load(&self, row: usize) -> T::Vector<S> {
        let &Self {
            vector,
            start,
            rows,
            stride,
            ..
        } = self;
        let read = Rows {
            vector,
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
            if PARTIAL {
                T::store_partial(self.vector.simd, self.vector.mask, to, value);
            } else {
                T::store(self.vector.simd, to, value);
            }
        }
    }
}

/// A kernel that runs on every vector of channels.
///
/// Implementations mark `run` and everything it calls `#[inline(always)]`: a function that is not
/// inlined is not compiled for the instruction set. For the same reason their loops use no closures.
pub(super) trait ChannelKernel<T: SimdElement> {
    /// Number of channels.
    fn width(&self) -> usize;
    /// Number of row blocks. All channels of a block are processed before the next block, so that
    /// whole rows are read from memory.
    fn row_blocks(&self) -> usize {
        1
    }
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        block: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    );
}

/// Runs `kernel` on all vectors of channels, for the best available instruction set.
pub(super) fn for_each_channel_vector<T: SimdElement>(kernel: impl ChannelKernel<T>) {
    T::dispatch(ChannelLoop {
        kernel,
        of: PhantomData,
    });
}

struct ChannelLoop<T, K> {
    kernel: K,
    of: PhantomData<T>,
}

impl<T: SimdElement, K: ChannelKernel<T>> WithSimd for ChannelLoop<T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (width, lanes) = (self.kernel.width(), T::lanes::<S>());
        for block in 0..self.kernel.row_blocks() {
            let mut from = 0;
            while width - from >= lanes {
                let vector = ChannelVector::<T, S, false> {
                    simd,
                    from,
                    count: lanes,
                    mask: T::first_lanes(simd, lanes),
                };
                self.kernel.run(block, vector);
                from += lanes;
            }
            // A vector of one element is never partial.
            if const { !VectorFacts::<T, S>::IS_SCALAR } && from < width {
                let vector = ChannelVector::<T, S, true> {
                    simd,
                    from,
                    count: width - from,
                    mask: T::first_lanes(simd, width - from),
                };
                self.kernel.run(block, vector);
            }
        }
    }
}

/// Rows per block, in kernels that treat rows independently.
const ROW_BLOCK: usize = 32;

/// Number of row blocks of `rows` rows.
pub(super) fn row_blocks(rows: usize) -> usize {
    rows.div_ceil(ROW_BLOCK)
}

/// The rows of a row block.
#[inline(always)]
pub(super) fn rows_of(block: usize, rows: usize) -> Range<usize> {
    block * ROW_BLOCK..rows.min((block + 1) * ROW_BLOCK)
}

/// Rows per block of a blocked sum, which keeps rounding errors small.
pub(super) const SUM_BLOCK: usize = 64;

/// The sum of the vectors `$value` for every `$row` below `$rows`, in blocks of [`SUM_BLOCK`] rows.
macro_rules! sum_in_blocks {
    ($t:ty, $simd:expr, $rows:expr, |$row:ident| $value:expr) => {{
        use $crate::cpu::epilogue::channel_loop::SUM_BLOCK;
        let (simd, rows) = ($simd, $rows);
        let zero = <$t>::splat(simd, <$t>::ZERO);
        let (mut total, mut from) = (zero, 0);
        // Four independent sums hide the latency of an addition.
        while rows - from >= 4 * SUM_BLOCK {
            let mut sums = [zero; 4];
            for i in 0..SUM_BLOCK {
                for block in 0..4 {
                    let $row = from + block * SUM_BLOCK + i;
                    sums[block] = <$t>::plus(simd, sums[block], $value);
                }
            }
            for block in 0..4 {
                total = <$t>::plus(simd, total, sums[block]);
            }
            from += 4 * SUM_BLOCK;
        }
        while from < rows {
            let to = rows.min(from + SUM_BLOCK);
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

/// Runs `$body` for all `$rows`: four rows at a time (`$n` is 4, from `$row` on), then the remaining
/// rows one by one (`$n` is 1). Without vectors, four rows at a time only take longer to compile.
macro_rules! in_fours {
    ($t:ty, $s:ty, $rows:expr, |$row:ident, $n:ident| $body:expr) => {{
        use $crate::cpu::simd::VectorFacts;
        let rows: std::ops::Range<usize> = $rows;
        let mut $row = rows.start;
        while const { !VectorFacts::<$t, $s>::IS_SCALAR } && rows.end - $row >= 4 {
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

pub(super) use {in_fours, sum_in_blocks};
