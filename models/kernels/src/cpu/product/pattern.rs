//! Sparsity pattern of a matrix: which elements differ from the most frequent value.

use crate::cpu::kernel::Kernel;
use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;

/// Elements that one word of bits describes.
pub(super) const WORD: usize = u64::BITS as usize;

/// Rows per task.
const TASK: usize = 32;

/// The most frequent value of a matrix (its background), and which elements differ from it.
///
/// ReLU and dropout produce zeros, and images have a background: zero, or the standardized value of
/// a zero pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SparsityPattern<T> {
    background: T,
    rows: usize,
    columns: usize,
    /// Bit `j % WORD` of word `j / WORD` of row `i` is set if element `(i, j)` differs.
    bits: Vec<u64>,
}

impl<T: Real> SparsityPattern<T> {
    /// The pattern of a row-major matrix; `None` if so many elements differ that a sparse product is
    /// not faster.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub(crate) fn of(values: &[T], columns: usize) -> Option<Self> {
        assert!(columns > 0 && values.len().is_multiple_of(columns));
        let background = background(values.get(..columns)?);
        let words = columns.div_ceil(WORD);
        let rows = values.len() / columns;
        let mut bits = vec![0; rows * words];
        let values_of_tasks = values.chunks(TASK * columns);
        let tasks = values_of_tasks.zip(bits.chunks_mut(TASK * words)).collect();
        for_each(tasks, |(values, bits)| {
            T::run(Compare {
                values,
                columns,
                background,
                bits,
            });
        });
        let pattern = Self {
            background,
            rows,
            columns,
            bits,
        };
        (pattern.count() <= max_count(values.len(), background)).then_some(pattern)
    }

    /// The pattern of the transpose.
    pub(crate) fn transposed(&self) -> Self {
        let words = self.rows.div_ceil(WORD);
        let mut bits = vec![0; self.columns * words];
        for i in 0..words {
            for j in 0..self.words() {
                let mut square = [0; WORD];
                let rows = (self.rows - i * WORD).min(WORD);
                for k in 0..rows {
                    square[k] = self.row(i * WORD + k)[j];
                }
                transpose_bits(&mut square);
                let columns = (self.columns - j * WORD).min(WORD);
                for k in 0..columns {
                    bits[(j * WORD + k) * words + i] = square[k];
                }
            }
        }
        Self {
            background: self.background,
            rows: self.columns,
            columns: self.rows,
            bits,
        }
    }

    pub(super) fn background(&self) -> T {
        self.background
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Words per row.
    pub(super) fn words(&self) -> usize {
        self.columns.div_ceil(WORD)
    }

    /// The words of row `i`.
    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> &[u64] {
        let words = self.words();
        &self.bits[i * words..][..words]
    }

    /// Number of elements that differ from the background.
    fn count(&self) -> usize {
        self.bits
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }
}

/// The first value if more than half of the row equals it (the corner of an image belongs to its
/// background), else zero.
fn background<T: Real>(row: &[T]) -> T {
    let first = row[0];
    let same = row.iter().filter(|&&v| v == first).count();
    if 2 * same > row.len() { first } else { T::ZERO }
}

/// Largest number of elements of `count` that may differ.
///
/// Skipping zeros leaves every sum unchanged. Skipping another value changes the order of additions,
/// so it is done only where the gain is large.
fn max_count<T: Real>(count: usize, background: T) -> usize {
    if background == T::ZERO {
        count * 5 / 8
    } else {
        count / 3
    }
}

/// Sets the bits of elements that differ from the background.
struct Compare<'a, T> {
    values: &'a [T],
    columns: usize,
    background: T,
    bits: &'a mut [u64],
}

impl<T: Real> Kernel for Compare<'_, T> {
    #[inline(always)]
    fn run(self) {
        let words = self.columns.div_ceil(WORD);
        for (row, bits) in self
            .values
            .chunks_exact(self.columns)
            .zip(self.bits.chunks_exact_mut(words))
        {
            let whole = row.len() / WORD;
            for word in 0..whole {
                let row: &[T; WORD] = row[word * WORD..][..WORD].try_into().expect("a word");
                let mut marks = [0; WORD];
                for i in 0..WORD {
                    // Written as a negation: NaN differs from everything.
                    marks[i] = u8::from(!(row[i] == self.background));
                }
                bits[word] = pack(&marks);
            }
            if whole < words {
                let mut marks = [0; WORD];
                for (mark, &value) in marks.iter_mut().zip(&row[whole * WORD..]) {
                    *mark = u8::from(!(value == self.background));
                }
                bits[whole] = pack(&marks);
            }
        }
    }
}

/// Packs marks of 0 or 1 into bits.
#[inline(always)]
fn pack(marks: &[u8; WORD]) -> u64 {
    let mut word = 0;
    for i in 0..8 {
        let eight = u64::from_le_bytes(marks[8 * i..][..8].try_into().expect("eight marks"));
        // The product moves every mark to its own bit of the highest byte.
        word |= (eight.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    word
}

/// Transposes a square of bits: bit `j` of word `i` becomes bit `i` of word `j`.
fn transpose_bits(square: &mut [u64; WORD]) {
    let mut size = WORD / 2;
    let mut low: u64 = u64::MAX >> size;
    while size > 0 {
        // Swap the off-diagonal squares of `size` bits.
        for i in (0..WORD).filter(|i| i & size == 0) {
            let difference = ((square[i] >> size) ^ square[i + size]) & low;
            square[i] ^= difference << size;
            square[i + size] ^= difference;
        }
        size /= 2;
        low ^= low << size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix of which about a quarter differs from `background`.
    fn matrix(rows: usize, columns: usize, background: f32) -> Vec<f32> {
        let value = |i: usize| match (i * 7919) % 31 {
            k @ 2..10 => background + k as f32,
            _ => background,
        };
        (0..rows * columns).map(value).collect()
    }

    #[test]
    fn bits_mark_differing_elements_also_after_transpose() {
        for (rows, columns) in [(1, 40), (3, 64), (70, 65), (128, 100), (40, 200)] {
            for background in [0.0, -0.4] {
                let values = matrix(rows, columns, background);
                let pattern = SparsityPattern::of(&values, columns).expect("the matrix is sparse");
                assert_eq!(pattern.background(), background);
                let transposed = pattern.transposed();
                assert_eq!((transposed.rows(), transposed.columns()), (columns, rows));
                for i in 0..rows {
                    for j in 0..columns {
                        let bit = |p: &SparsityPattern<f32>, i: usize, j: usize| {
                            p.row(i)[j / WORD] >> (j % WORD) & 1 == 1
                        };
                        let differs = values[i * columns + j] != background;
                        assert_eq!(bit(&pattern, i, j), differs);
                        assert_eq!(bit(&transposed, j, i), differs);
                    }
                }
                assert_eq!(transposed.transposed(), pattern);
            }
        }
    }

    #[test]
    fn dense_matrices_have_no_pattern() {
        let all: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        assert_eq!(SparsityPattern::of(&all, 100), None);
        // Half of the elements are zeros, or ones.
        let half = |other: f32| -> Vec<f32> {
            let value = |i: usize| if i.is_multiple_of(2) { other } else { i as f32 };
            (0..1000).map(value).collect()
        };
        assert!(SparsityPattern::of(&half(0.0), 100).is_some());
        assert_eq!(SparsityPattern::of(&half(1.0), 100), None);
        assert_eq!(SparsityPattern::<f32>::of(&[], 100), None);
    }

    #[test]
    fn nan_differs_from_background() {
        let mut values = vec![0.0; 64];
        values[3] = f64::NAN;
        let pattern = SparsityPattern::of(&values, 64).expect("the matrix is sparse");
        assert_eq!(pattern.row(0), [8]);
        values[0] = f64::NAN;
        let pattern = SparsityPattern::of(&values, 64).expect("the matrix is sparse");
        assert_eq!(pattern.background(), 0.0);
    }
}
