//! Operands of a matrix product.

/// A dimension with a stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strided {
    pub(crate) count: usize,
    /// Elements from one index to the next.
    pub(crate) stride: usize,
}

impl Strided {
    pub(crate) const fn new(count: usize, stride: usize) -> Self {
        Self { count, stride }
    }

    /// Offset of the last index.
    fn last(self) -> usize {
        self.count.saturating_sub(1) * self.stride
    }
}

/// Left operand of a product: a matrix in strided layout.
///
/// Rows have three dimensions: images, groups of an image and rows of a group. The inner dimension has
/// two, segments and elements of a segment. So the patches of a convolution are a left operand without
/// being copied (im2col is implicit).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeftOperand<'a, T> {
    pub(super) values: &'a [T],
    pub(super) images: Strided,
    pub(super) groups: Strided,
    /// Rows of a group.
    pub(super) rows: Strided,
    pub(super) segments: Strided,
    /// Elements of a segment.
    pub(super) elements: Strided,
}

impl<'a, T> LeftOperand<'a, T> {
    /// Element `(s, e)` of row `(g, r)` is the value at `g * groups.stride + r * rows.stride +
    /// s * segments.stride + e * elements.stride`.
    ///
    /// # Panics
    /// If an element lies outside of `values`.
    pub(crate) fn new(values: &'a [T], rows: [Strided; 2], inner: [Strided; 2]) -> Self {
        Self::of_images(values, Strided::new(1, 0), rows, inner)
    }

    /// [`Self::new`] for several images: the rows of all images, one after the other.
    ///
    /// # Panics
    /// If an element lies outside of `values`.
    pub(crate) fn of_images(
        values: &'a [T],
        images: Strided,
        [groups, rows]: [Strided; 2],
        [segments, elements]: [Strided; 2],
    ) -> Self {
        let all = [images, groups, rows, segments, elements];
        let last: usize = all.iter().map(|dim| dim.last()).sum();
        let empty = all.iter().any(|dim| dim.count == 0);
        assert!(
            empty || last < values.len(),
            "left operand reads index {last} of {} values",
            values.len()
        );
        Self {
            values,
            images,
            groups,
            rows,
            segments,
            elements,
        }
    }

    /// A row-major matrix of `rows` by `columns`.
    ///
    /// # Panics
    /// If `values` has fewer elements.
    pub(crate) fn row_major(values: &'a [T], rows: usize, columns: usize) -> Self {
        let [once, rows, elements] = [(1, 0), (rows, columns), (columns, 1)].map(strided);
        Self::new(values, [once, rows], [once, elements])
    }

    /// The transpose of a row-major matrix of `rows` by `columns`.
    ///
    /// # Panics
    /// If `values` has fewer elements.
    pub(crate) fn transposed(values: &'a [T], rows: usize, columns: usize) -> Self {
        let [once, rows, elements] = [(1, 0), (columns, 1), (rows, columns)].map(strided);
        Self::new(values, [once, rows], [once, elements])
    }

    pub(super) fn rows(&self) -> usize {
        self.images.count * self.groups.count * self.rows.count
    }

    /// Length of the inner dimension.
    pub(super) fn inner(&self) -> usize {
        self.segments.count * self.elements.count
    }
}

fn strided((count, stride): (usize, usize)) -> Strided {
    Strided::new(count, stride)
}

/// Matrix that is added to a product.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Addend<'a, T> {
    None,
    /// The current values of the output.
    Output,
    /// The same row for all rows, such as a bias.
    Row(&'a [T]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "of 11")]
    fn operand_beyond_its_values_is_rejected() {
        LeftOperand::row_major(&[0.0f32; 11], 3, 4);
    }
}
