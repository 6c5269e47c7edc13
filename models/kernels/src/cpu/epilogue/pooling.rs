//! Windows of 2x2 max pooling with stride 2.

use crate::cpu::columns::ColumnsMut;

/// Windows over row-major images. An odd last row or column belongs to no window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolWindows {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl PoolWindows {
    /// Rows of windows, counted over all images.
    pub(super) fn rows(self) -> usize {
        self.images * (self.height / 2)
    }

    /// The pixels that belong to no window.
    pub(super) fn outside(self) -> impl Iterator<Item = usize> {
        let Self {
            images,
            height,
            width,
        } = self;
        let all_inside = height.is_multiple_of(2) && width.is_multiple_of(2);
        let rows = if all_inside { 0 } else { images * height };
        (0..rows).flat_map(move |row| {
            let last = height % 2 == 1 && row % height == height - 1;
            let from = if last { 0 } else { width / 2 * 2 };
            (from..width).map(move |column| row * width + column)
        })
    }
}

/// Runs `$body` for every window in row `$row` of `$windows` (counted over all images), with the
/// pixels of its corners in row-major order.
macro_rules! each_window {
    ($windows:expr, $row:expr, |$window:ident, $corners:ident| $body:block) => {{
        let windows: $crate::cpu::epilogue::pooling::PoolWindows = $windows;
        let (row, rows) = ($row, windows.height / 2);
        let mut $window = row * (windows.width / 2);
        let above = (row / rows * windows.height + 2 * (row % rows)) * windows.width;
        for j in 0..windows.width / 2 {
            let first = above + 2 * j;
            let below = first + windows.width;
            let $corners = [first, first + 1, below, below + 1];
            $body
            $window += 1;
        }
    }};
}

/// An array of `$value` for every `$corner` from 0 to 3.
macro_rules! each_corner {
    (|$corner:ident| $value:expr) => {
        [
            {
                let $corner = 0;
                $value
            },
            {
                let $corner = 1;
                $value
            },
            {
                let $corner = 2;
                $value
            },
            {
                let $corner = 3;
                $value
            },
        ]
    };
}

pub(super) use {each_corner, each_window};

/// Output of the pooling, one element per window and channel.
pub(crate) struct Pooled<'a, T> {
    /// The maxima.
    pub(crate) y: ColumnsMut<'a, T>,
    /// The norm's input at the corners that hold the maxima.
    pub(crate) argmax: ColumnsMut<'a, T>,
}

impl<'a, T> Pooled<'a, T> {
    /// Matrices of `width` channels.
    pub(crate) fn whole(y: &'a mut [T], argmax: &'a mut [T], width: usize) -> Self {
        Self {
            y: ColumnsMut::whole(y, width),
            argmax: ColumnsMut::whole(argmax, width),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_in_one_window_or_none() {
        for (height, width) in [(4, 6), (5, 3), (1, 4), (3, 1), (2, 2)] {
            let windows = PoolWindows {
                images: 2,
                height,
                width,
            };
            let mut seen = vec![0; 2 * height * width];
            let mut count = 0;
            for row in 0..windows.rows() {
                each_window!(windows, row, |window, corners| {
                    assert_eq!(window, count);
                    count += 1;
                    let [a, b, c, d] = corners;
                    assert_eq!([b - a, c - a, d - a], [1, width, width + 1]);
                    for pixel in corners {
                        seen[pixel] += 1;
                    }
                });
            }
            assert_eq!(count, 2 * (height / 2) * (width / 2));
            for pixel in windows.outside() {
                seen[pixel] += 1;
                let (row, column) = (pixel / width % height, pixel % width);
                assert!(row >= height / 2 * 2 || column >= width / 2 * 2);
            }
            assert!(seen.iter().all(|&n| n == 1), "{height}x{width}: {seen:?}");
        }
    }
}
