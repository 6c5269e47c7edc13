//! Dots of seeds that do not hide each other.

use super::canvas::{Anchor, Canvas, Type};
use super::style::{SMALL, SOFT};
use plotters::style::RGBColor;

/// Height of a strip of dots.
pub(super) const STRIP: f64 = 46.0;
/// Radius of a dot.
const DOT: f64 = 3.0;
/// Largest distance between the highest and the lowest dot of a strip.
const SWARM: f64 = STRIP - 24.0;

/// Draws a dot at each pixel of `positions`. Dots that would overlap are stacked vertically; a stack too
/// high for the strip is compressed and labelled with its count.
pub(super) fn draw_swarm(
    canvas: &mut Canvas<'_>,
    positions: &[f64],
    middle: f64,
    color: RGBColor,
    is_open: bool,
) {
    let stacks = stacks(positions);
    for (k, stack) in stacks.iter().enumerate() {
        let step = (SWARM / (stack.len().max(2) - 1) as f64).min(2.0 * DOT);
        let top = middle - step * (stack.len() - 1) as f64 / 2.0;
        for (j, x) in stack.iter().enumerate() {
            let at = (*x, top + step * j as f64);
            match is_open {
                true => canvas.ring(at, DOT, color),
                false => canvas.dot(at, DOT, color, 0.55),
            }
        }
        let right = stack.iter().copied().fold(f64::NEG_INFINITY, f64::max) + DOT;
        let free = stacks
            .get(k + 1)
            .map_or(canvas.theme().width(), |next| next[0] - DOT)
            - right;
        if step < DOT && free > 34.0 {
            let count = format!("×{}", stack.len());
            canvas.text(
                &count,
                (right + 5.0, middle),
                Type::new(SMALL, SOFT, Anchor::Start),
            );
        }
    }
}

/// Sorts `positions` into stacks of those within a dot's width of the first one.
fn stacks(positions: &[f64]) -> Vec<Vec<f64>> {
    let mut sorted = positions.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut stacks: Vec<Vec<f64>> = Vec::new();
    for x in sorted {
        match stacks.last_mut() {
            Some(stack) if x - stack[0] < 2.0 * DOT => stack.push(x),
            _ => stacks.push(vec![x]),
        }
    }
    stacks
}

#[cfg(test)]
mod tests {
    use super::stacks;

    #[test]
    fn close_positions_share_a_stack() {
        let stacks = stacks(&[10.0, 300.0, 12.0, 10.0, 40.0]);
        assert_eq!(stacks, [vec![10.0, 10.0, 12.0], vec![40.0], vec![300.0]]);
    }
}
