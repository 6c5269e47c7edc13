//! Where the windows of 2x2 max pooling with stride 2 lie.

/// The windows over images whose places lie one after the other, row-major. An odd last row or
/// column is in no window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Windows {
    /// Lines of windows, of all images.
    pub(super) fn lines(self) -> usize {
        self.images * (self.height / 2)
    }

    /// Every place that is in no window.
    pub(super) fn outside(self) -> impl Iterator<Item = usize> {
        let Self {
            images,
            height,
            width,
        } = self;
        let all_inside = height.is_multiple_of(2) && width.is_multiple_of(2);
        let lines = if all_inside { 0 } else { images * height };
        (0..lines).flat_map(move |line| {
            let last = height % 2 == 1 && line % height == height - 1;
            let from = if last { 0 } else { width / 2 * 2 };
            (from..width).map(move |column| line * width + column)
        })
    }
}

/// Runs `$body` for every window of line `$line` of `$windows` (the lines of all images are counted)
/// and the places of its corners, row-major.
macro_rules! each_window {
    ($windows:expr, $line:expr, |$window:ident, $corners:ident| $body:block) => {{
        let windows: $crate::cpu::epilogue::pooling::Windows = $windows;
        let (line, lines) = ($line, windows.height / 2);
        let mut $window = line * (windows.width / 2);
        let above = (line / lines * windows.height + 2 * (line % lines)) * windows.width;
        for j in 0..windows.width / 2 {
            let first = above + 2 * j;
            let below = first + windows.width;
            let $corners = [first, first + 1, below, below + 1];
            $body
            $window += 1;
        }
    }};
}

/// An array of `$value` for the corners `$corner` from 0 to 3.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_in_one_window_or_outside_of_all() {
        for (height, width) in [(4, 6), (5, 3), (1, 4), (3, 1), (2, 2)] {
            let windows = Windows {
                images: 2,
                height,
                width,
            };
            let mut seen = vec![0; 2 * height * width];
            let mut count = 0;
            for line in 0..windows.lines() {
                each_window!(windows, line, |window, corners| {
                    assert_eq!(window, count);
                    count += 1;
                    let [a, b, c, d] = corners;
                    assert_eq!([b - a, c - a, d - a], [1, width, width + 1]);
                    for place in corners {
                        seen[place] += 1;
                    }
                });
            }
            assert_eq!(count, 2 * (height / 2) * (width / 2));
            for place in windows.outside() {
                seen[place] += 1;
                let (row, column) = (place / width % height, place % width);
                assert!(row >= height / 2 * 2 || column >= width / 2 * 2);
            }
            assert!(seen.iter().all(|&n| n == 1), "{height}x{width}: {seen:?}");
        }
    }
}
