//! Which numbers of a matrix differ from the one that most of them are.

use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;
use crate::cpu::vector::Kernel;

/// Numbers that a word says something of.
pub(super) const WORD: usize = u64::BITS as usize;

/// Rows of a task.
const TASK: usize = 32;

/// The number that most of a matrix are, and which ones differ from it.
///
/// ReLU and dropout leave zeros, and images have a background: zero, or what zero became when the
/// pixels were standardized.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern<T> {
    background: T,
    rows: usize,
    columns: usize,
    /// Bit `j % WORD` of word `j / WORD` of row `i`: whether number `j` of row `i` differs.
    bits: Vec<u64>,
}

impl<T: Real> Pattern<T> {
    /// The pattern of rows of `columns` numbers; `None` where too many differ for a product to gain
    /// by passing over the others.
    ///
    /// # Panics
    /// If the values are not whole rows.
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
        let found = Self {
            background,
            rows,
            columns,
            bits,
        };
        (found.differ() <= most(values.len(), background)).then_some(found)
    }

    /// That of the transpose.
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
                turn(&mut square);
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

    /// Words of a row.
    pub(super) fn words(&self) -> usize {
        self.columns.div_ceil(WORD)
    }

    /// The words of row `i`.
    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> &[u64] {
        let words = self.words();
        &self.bits[i * words..][..words]
    }

    fn differ(&self) -> usize {
        self.bits
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }
}

/// The first number where it is that of most of a row (the corner of an image belongs to the
/// background), else zero.
fn background<T: Real>(row: &[T]) -> T {
    let first = row[0];
    let same = row.iter().filter(|&&v| v == first).count();
    if 2 * same > row.len() { first } else { T::ZERO }
}

/// Numbers that may differ, of `count`.
///
/// Passing over zeros leaves every sum as it was; passing over another number adds in another
/// order, and is left to matrices that gain much by it.
fn most<T: Real>(count: usize, background: T) -> usize {
    if background == T::ZERO {
        count * 5 / 8
    } else {
        count / 3
    }
}

/// Marks what differs from the background.
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
                    // NaN differs from everything.
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

/// A bit for each mark of 0 or 1.
#[inline(always)]
fn pack(marks: &[u8; WORD]) -> u64 {
    let mut word = 0;
    for i in 0..8 {
        let eight = u64::from_le_bytes(marks[8 * i..][..8].try_into().expect("eight marks"));
        // Each factor takes one of the marks to its bit of the highest byte; no two meet.
        word |= (eight.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    word
}

/// Turns a square of bits over: bit `j` of word `i` becomes bit `i` of word `j`.
fn turn(square: &mut [u64; WORD]) {
    let mut size = WORD / 2;
    let mut low: u64 = u64::MAX >> size;
    while size > 0 {
        // Squares of `size` bits on either side of the diagonal change places.
        for i in (0..WORD).filter(|i| i & size == 0) {
            let apart = ((square[i] >> size) ^ square[i + size]) & low;
            square[i] ^= apart << size;
            square[i + size] ^= apart;
        }
        size /= 2;
        low ^= low << size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `columns` numbers a row, of which about a third differ from `background`.
    fn numbers(rows: usize, columns: usize, background: f32) -> Vec<f32> {
        let number = |i: usize| match (i * 7919) % 31 {
            k @ 2..10 => background + k as f32,
            _ => background,
        };
        (0..rows * columns).map(number).collect()
    }

    #[test]
    fn bits_and_those_of_the_transpose_say_what_differs() {
        for (rows, columns) in [(1, 40), (3, 64), (70, 65), (128, 100), (40, 200)] {
            for background in [0.0, -0.4] {
                let values = numbers(rows, columns, background);
                let pattern = Pattern::of(&values, columns).expect("most are the same");
                assert_eq!(pattern.background(), background);
                let turned = pattern.transposed();
                assert_eq!((turned.rows(), turned.columns()), (columns, rows));
                for i in 0..rows {
                    for j in 0..columns {
                        let bit = |p: &Pattern<f32>, i: usize, j: usize| {
                            p.row(i)[j / WORD] >> (j % WORD) & 1 == 1
                        };
                        let differs = values[i * columns + j] != background;
                        assert_eq!(bit(&pattern, i, j), differs);
                        assert_eq!(bit(&turned, j, i), differs);
                    }
                }
                assert_eq!(turned.transposed(), pattern);
            }
        }
    }

    #[test]
    fn numbers_that_mostly_differ_have_no_pattern() {
        let all: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        assert_eq!(Pattern::of(&all, 100), None);
        // Half of the numbers are zeros, or ones.
        let half = |other: f32| -> Vec<f32> {
            let number = |i: usize| if i.is_multiple_of(2) { other } else { i as f32 };
            (0..1000).map(number).collect()
        };
        assert!(Pattern::of(&half(0.0), 100).is_some());
        assert_eq!(Pattern::of(&half(1.0), 100), None);
        assert_eq!(Pattern::<f32>::of(&[], 100), None);
    }

    #[test]
    fn nan_always_differs() {
        let mut values = vec![0.0; 64];
        values[3] = f64::NAN;
        let pattern = Pattern::of(&values, 64).expect("nearly all are zeros");
        assert_eq!(pattern.row(0), [8]);
        values[0] = f64::NAN;
        let pattern = Pattern::of(&values, 64).expect("nearly all are zeros");
        assert_eq!(pattern.background(), 0.0);
    }
}
