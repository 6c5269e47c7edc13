//! Kernel size, stride and padding of convolutions.

use serde::{Deserialize, Serialize};

/// Kernel size, stride and padding of a 2-d convolution, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Width and height of the kernel.
    pub kernel: usize,
    /// Pixels from one patch to the next.
    pub stride: usize,
    /// Padding of the image.
    pub padding: Padding,
}

/// Padding of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Zeros, so that stride 1 keeps the size; an even kernel has one more at the bottom and right.
    #[default]
    Same,
    /// No padding: patches lie inside the image.
    Valid,
}

impl Geometry {
    /// Stride 1 and padding that keeps the image size.
    pub const fn same(kernel: usize) -> Self {
        Self {
            kernel,
            stride: 1,
            padding: Padding::Same,
        }
    }

    /// Number of zeros before the first and after the last pixel, in each direction.
    pub const fn around(&self) -> (usize, usize) {
        match self.padding {
            Padding::Same => ((self.kernel - 1) / 2, self.kernel / 2),
            Padding::Valid => (0, 0),
        }
    }

    /// Output size along an input of `size`; 0 if no patch fits.
    pub const fn output(&self, size: usize) -> usize {
        let (before, after) = self.around();
        match (before + size + after).checked_sub(self.kernel) {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_sizes_match_the_formula() {
        let geometry = |kernel, stride, padding| Geometry {
            kernel,
            stride,
            padding,
        };
        // kernel, stride, padding, input, output
        let cases = [
            (3, 1, Padding::Same, 28, 28),
            (4, 1, Padding::Same, 28, 28),
            (3, 2, Padding::Same, 28, 14),
            (3, 2, Padding::Same, 7, 4),
            (3, 1, Padding::Valid, 28, 26),
            (5, 2, Padding::Valid, 28, 12),
            (3, 1, Padding::Valid, 2, 0),
            (1, 1, Padding::Valid, 1, 1),
        ];
        for (kernel, stride, padding, input, output) in cases {
            let geometry = geometry(kernel, stride, padding);
            assert_eq!(geometry.output(input), output, "{geometry:?} on {input}");
        }
    }
}
