//! A data set of one's own: points on two rings around one center.

use ablate::data::{DataSource, Examples, Images};
use ablate_models::streams::{Purpose, Stream};

/// Points per ring.
const POINTS: usize = 300;

pub(crate) struct Rings;

impl DataSource for Rings {
    const TITLE: &'static str = "Two rings";
    const SOURCE: &'static str = "drawn by this program";

    fn load() -> Result<Images, String> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for (label, radius) in [(0, 45.0), (1, 90.0)] {
            let mut normals = Stream::new(u64::from(label), Purpose::Resample, "rings").normals(0);
            let mut draw = || normals.next().unwrap_or_default();
            for _ in 0..POINTS {
                // A direction is a normal vector without its length.
                let (x, y) = (draw(), draw());
                let scale = (radius + 12.0 * draw()) / f64::hypot(x, y);
                // Two bytes per point: an image of 1 x 2 pixels.
                pixels.extend([x, y].map(|side| (128.0 + scale * side) as u8));
                labels.push(label);
            }
        }
        Ok(Images {
            shape: [1, 2, 1],
            classes: 2,
            max_pixel: 255,
            train: Examples::images(pixels, labels),
            test: None,
        })
    }
}
