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
    /// Calls `f` with every window and the places of its corners, row-major.
    #[inline(always)]
    pub(super) fn each(self, mut f: impl FnMut(usize, [usize; 4])) {
        let mut window = 0;
        for image in 0..self.images {
            for i in 0..self.height / 2 {
                let line = (image * self.height + 2 * i) * self.width;
                for j in 0..self.width / 2 {
                    let first = line + 2 * j;
                    let below = first + self.width;
                    f(window, [first, first + 1, below, below + 1]);
                    window += 1;
                }
            }
        }
    }

    /// Calls `f` with every place that is in no window.
    #[inline(always)]
    pub(super) fn each_outside(self, mut f: impl FnMut(usize)) {
        if self.height.is_multiple_of(2) && self.width.is_multiple_of(2) {
            return;
        }
        for line in 0..self.images * self.height {
            let last = self.height % 2 == 1 && line % self.height == self.height - 1;
            let from = if last { 0 } else { self.width / 2 * 2 };
            for column in from..self.width {
                f(line * self.width + column);
            }
        }
    }
}

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
            windows.each(|window, corners| {
                assert_eq!(window, count);
                count += 1;
                let [a, b, c, d] = corners;
                assert_eq!([b - a, c - a, d - a], [1, width, width + 1]);
                for place in corners {
                    seen[place] += 1;
                }
            });
            assert_eq!(count, 2 * (height / 2) * (width / 2));
            windows.each_outside(|place| {
                seen[place] += 1;
                let (row, column) = (place / width % height, place % width);
                assert!(row >= height / 2 * 2 || column >= width / 2 * 2);
            });
            assert!(seen.iter().all(|&n| n == 1), "{height}x{width}: {seen:?}");
        }
    }
}
