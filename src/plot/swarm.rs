//! One dot a seed, none hidden behind another.

use super::canvas::{Anchor, Canvas, Type};
use super::differences::STRIP;
use super::style::{SMALL, SOFT, WIDTH};
use plotters::style::RGBColor;

/// Radius of a dot.
const DOT: f64 = 3.0;
/// Distance of the highest and the lowest dot of a strip.
const SWARM: f64 = STRIP - 24.0;

/// Dots that would cover each other stand above each other; a heap too high for the strip is pressed
/// together and counted.
pub(super) fn draw_swarm(canvas: &mut Canvas<'_>, places: &[f64], middle: f64, color: RGBColor) {
    let heaps = heaps(places);
    for (k, heap) in heaps.iter().enumerate() {
        let step = (SWARM / (heap.len().max(2) - 1) as f64).min(2.0 * DOT);
        let top = middle - step * (heap.len() - 1) as f64 / 2.0;
        for (j, x) in heap.iter().enumerate() {
            canvas.dot((*x, top + step * j as f64), DOT, color, 0.55);
        }
        let right = heap.iter().copied().fold(f64::NEG_INFINITY, f64::max) + DOT;
        let free = heaps.get(k + 1).map_or(WIDTH, |next| next[0] - DOT) - right;
        if step < DOT && free > 34.0 {
            let count = format!("×{}", heap.len());
            canvas.text(
                &count,
                (right + 5.0, middle),
                Type::new(SMALL, SOFT, Anchor::Start),
            );
        }
    }
}

/// Places in order, those closer than a dot's width to the first of a heap in one heap.
fn heaps(places: &[f64]) -> Vec<Vec<f64>> {
    let mut sorted = places.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut heaps: Vec<Vec<f64>> = Vec::new();
    for x in sorted {
        match heaps.last_mut() {
            Some(heap) if x - heap[0] < 2.0 * DOT => heap.push(x),
            _ => heaps.push(vec![x]),
        }
    }
    heaps
}

#[cfg(test)]
mod tests {
    use super::heaps;

    #[test]
    fn close_places_share_a_heap_and_none_is_lost() {
        let heaps = heaps(&[10.0, 300.0, 12.0, 10.0, 40.0]);
        assert_eq!(heaps, [vec![10.0, 10.0, 12.0], vec![40.0], vec![300.0]]);
    }
}
