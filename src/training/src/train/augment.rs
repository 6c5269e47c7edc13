//! Random shifts and flips of training images.
//!
//! The change of an image depends on the seed, the epoch and the image alone, so arms of one seed see the
//! same images on every device.

use crate::recipe::Augmentation;
use ablate_streams::{Purpose, Stream};

/// Change of one image in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Pixels by which the image moves down and to the right.
    shift: [isize; 2],
    /// Whether left and right are exchanged, before the shift.
    flip: bool,
}

impl Change {
    /// The change of image `example` (its index in the training file) in `epoch`.
    pub(super) fn draw(config: Augmentation, seed: u64, epoch: usize, example: u32) -> Self {
        let stream = Stream::new(seed, Purpose::Augment, "");
        let [down, right, flip, _] = stream.block(epoch as u64, u64::from(example));
        let most = config.shift as isize;
        let shift = |word: u32| {
            let choices = 2 * config.shift as u64 + 1;
            ((u64::from(word) * choices) >> 32) as isize - most
        };
        Self {
            shift: [shift(down), shift(right)],
            flip: config.flip && flip >> 31 == 1,
        }
    }

    /// Writes the changed `image` (height, width and channels in `shape`) to `out`. Pixels from outside
    /// the image are 0.
    pub(super) fn apply(self, image: &[u8], shape: [usize; 3], out: &mut Vec<u8>) {
        let [height, width, channels] = shape;
        out.clear();
        out.resize(image.len(), 0);
        let [down, right] = self.shift;
        for y in 0..height {
            let Some(from_y) = y.checked_add_signed(-down).filter(|&y| y < height) else {
                continue;
            };
            for x in 0..width {
                let Some(from_x) = x.checked_add_signed(-right).filter(|&x| x < width) else {
                    continue;
                };
                let from_x = if self.flip {
                    width - 1 - from_x
                } else {
                    from_x
                };
                let (to, from) = (
                    (y * width + x) * channels,
                    (from_y * width + from_x) * channels,
                );
                out[to..to + channels].copy_from_slice(&image[from..from + channels]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// 2 rows of 3 pixels with 2 channels.
    const IMAGE: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    fn changed(shift: [isize; 2], flip: bool) -> Vec<u8> {
        let mut out = Vec::new();
        Change { shift, flip }.apply(&IMAGE, [2, 3, 2], &mut out);
        out
    }

    #[test]
    fn images_move_and_flip_with_zeros_outside() {
        assert_eq!(changed([0, 0], false), IMAGE);
        assert_eq!(
            changed([0, 0], true),
            [5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8]
        );
        assert_eq!(changed([1, 0], false), [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(
            changed([0, -1], false),
            [3, 4, 5, 6, 0, 0, 9, 10, 11, 12, 0, 0]
        );
        assert_eq!(
            changed([0, 1], true),
            [0, 0, 5, 6, 3, 4, 0, 0, 11, 12, 9, 10]
        );
        assert_eq!(changed([5, 5], false), [0; 12]);
    }

    #[test]
    fn changes_depend_on_seed_epoch_and_image_and_fill_the_range() {
        let config = Augmentation {
            shift: 2,
            flip: true,
        };
        let draw = |seed, epoch, example| Change::draw(config, seed, epoch, example);
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        let all: Vec<Change> = (0..2000).map(|example| draw(1, 0, example)).collect();
        let shifts: HashSet<[isize; 2]> = all.iter().map(|change| change.shift).collect();
        assert_eq!(shifts.len(), 25);
        assert!(shifts.iter().flatten().all(|shift| shift.abs() <= 2));
        let flips = all.iter().filter(|change| change.flip).count();
        assert!((900..1100).contains(&flips), "{flips}");
        for other in [
            (0..2000)
                .map(|example| draw(2, 0, example))
                .collect::<Vec<_>>(),
            (0..2000).map(|example| draw(1, 1, example)).collect(),
        ] {
            let same = all.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same < 120, "{same}");
        }
    }
}
