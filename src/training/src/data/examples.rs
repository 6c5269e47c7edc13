//! Labelled examples: images of bytes, or rows of numbers.

/// Examples and their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// Values, row-major as `[example, row, column, channel]`.
    pub values: Values,
    /// One label per example.
    pub labels: Vec<u8>,
}

/// Values of examples.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels of images.
    Bytes(Vec<u8>),
    /// Numbers of a table, all of them finite.
    Numbers(Vec<f32>),
}

/// Values of some examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// Pixels of images.
    Bytes(&'a [u8]),
    /// Numbers of a table.
    Numbers(&'a [f32]),
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// True if there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Row<'_> {
    /// The memory that holds the values.
    pub(crate) fn memory(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Numbers(numbers) => bytemuck::cast_slice(numbers),
        }
    }
}

impl Examples {
    /// Images of bytes, row-major as `[image, row, column, channel]`, with one label each.
    pub const fn images(pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        Self {
            values: Values::Bytes(pixels),
            labels,
        }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there are no examples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of all images; `None` if the examples are rows of numbers.
    pub fn pixels(&self) -> Option<&[u8]> {
        match &self.values {
            Values::Bytes(bytes) => Some(bytes),
            Values::Numbers(_) => None,
        }
    }

    /// The values of example `index`, given `features` values per example.
    ///
    /// # Panics
    /// If `index` is out of range.
    pub fn row(&self, index: usize, features: usize) -> Row<'_> {
        let range = index * features..(index + 1) * features;
        match &self.values {
            Values::Bytes(bytes) => Row::Bytes(&bytes[range]),
            Values::Numbers(numbers) => Row::Numbers(&numbers[range]),
        }
    }

    /// The pixels of image `index`, given `features` values per image.
    ///
    /// # Panics
    /// If `index` is out of range, or the examples are rows of numbers.
    pub fn image(&self, index: usize, features: usize) -> &[u8] {
        let pixels = self.pixels().expect("the examples are images");
        &pixels[index * features..(index + 1) * features]
    }
}
