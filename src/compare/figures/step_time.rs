//! Step times by arm, one row per device: a point with its interval on a logarithmic axis, and the
//! number.

use super::cost::cost_ticks;
use crate::plot::PlotError;
use crate::plot::axis::{Frame, Range};
use crate::plot::canvas::{Anchor, BOLD, Canvas, Type, figure, shorten, text_width, wrap};
use crate::plot::style::{
    CAPTION_ROW, EDGE, GRID, HEADING, HEADING_ROW, INK, LABEL, SMALL, WIDTH, series,
};
use crate::plot::theme::Theme;
use crate::stats::Estimate;
use crate::text::number::compact;

const TITLE_ROW: f64 = 24.0;
const ROW: f64 = 22.0;
/// Space for the numbers on the right.
const NUMBERS: f64 = 150.0;
/// Largest space for names on the left.
const NAMES: f64 = 240.0;

/// Step time of a device.
pub(super) struct DeviceTime {
    /// Index of its style, the same in every arm.
    pub(super) style: usize,
    pub(super) name: String,
    pub(super) value: Estimate,
}

/// Step times of an arm.
pub(super) struct ArmTimes {
    pub(super) title: String,
    pub(super) rows: Vec<DeviceTime>,
}

/// Draws `arms` below each other on one axis with label `axis`.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn step_time(
    heading: &str,
    axis: &str,
    caption: &str,
    arms: &[ArmTimes],
) -> Result<String, PlotError> {
    let lines = wrap(heading, HEADING * BOLD, WIDTH - 2.0 * EDGE);
    let caption = wrap(caption, SMALL, WIDTH - 2.0 * EDGE);
    let rows = || arms.iter().flat_map(|arm| &arm.rows);
    let heights = arms
        .iter()
        .map(|arm| TITLE_ROW + ROW * arm.rows.len() as f64);
    let names = rows()
        .map(|row| text_width(&row.name, SMALL))
        .fold(0.0, f64::max);
    let top = 19.0 + HEADING_ROW * lines.len() as f64;
    let ends = rows().flat_map(|row| {
        let interval = row.value.interval.into_iter();
        interval
            .flat_map(|i| [i.low, i.high])
            .chain([row.value.value])
    });
    let range = Range::of(ends.map(f64::log10));
    let frame = Frame {
        left: EDGE + names.min(NAMES) + 14.0,
        top,
        right: WIDTH - EDGE - NUMBERS,
        bottom: top + heights.sum::<f64>(),
        x: range
            .unwrap_or(Range {
                low: 0.0,
                high: 1.0,
            })
            .padded(0.06, 0.3),
        y: Range {
            low: 0.0,
            high: 1.0,
        },
    };
    let height = frame.bottom + 56.0 + CAPTION_ROW * caption.len() as f64;
    let ticks = cost_ticks(frame.x);
    figure(Theme::Screen, height, heading, |canvas| {
        canvas.heading(&lines);
        let mut y = top;
        for arm in arms {
            y = draw_arm(canvas, arm, &frame, &ticks, y);
        }
        let number = Type::new(SMALL, INK, Anchor::Middle);
        for (value, label) in &ticks {
            canvas.text(label, (frame.px(*value), frame.bottom + 12.0), number);
        }
        let label = Type::new(LABEL, INK, Anchor::Middle);
        let middle = (frame.left + frame.right) / 2.0;
        canvas.text(axis, (middle, frame.bottom + 32.0), label);
        canvas.caption(&caption, frame.bottom + 56.0);
    })
}

/// Draws an arm from `y` on and returns where the next one starts.
fn draw_arm(
    canvas: &mut Canvas<'_>,
    arm: &ArmTimes,
    frame: &Frame,
    ticks: &[(f64, String)],
    y: f64,
) -> f64 {
    let bold = Type::new(LABEL, INK, Anchor::Start).bold();
    let title = shorten(&arm.title, LABEL * BOLD, WIDTH - 2.0 * EDGE);
    canvas.text(&title, (EDGE, y + TITLE_ROW / 2.0 + 2.0), bold);
    let frame = Frame {
        top: y + TITLE_ROW,
        bottom: y + TITLE_ROW + ROW * arm.rows.len() as f64,
        ..*frame
    };
    for (value, _) in ticks {
        let x = frame.px(*value);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
    }
    for (k, row) in arm.rows.iter().enumerate() {
        draw_row(canvas, row, &frame, frame.top + ROW * (k as f64 + 0.5));
    }
    frame.edges(canvas);
    frame.bottom
}

fn draw_row(canvas: &mut Canvas<'_>, row: &DeviceTime, frame: &Frame, y: f64) {
    let name = shorten(&row.name, SMALL, NAMES);
    let names = Type::new(SMALL, INK, Anchor::End);
    canvas.text(&name, (frame.left - 8.0, y), names);
    let (color, _) = series(row.style);
    let px = |value: f64| frame.px(value.log10());
    let point = px(row.value.value);
    canvas.line(&[(frame.left, y), (frame.right, y)], GRID, 1.0, &[], "grid");
    let mut numbers = compact(row.value.value);
    if let Some(interval) = row.value.interval {
        let (low, high) = (px(interval.low), px(interval.high));
        canvas.line(&[(low, y), (high, y)], color, 2.0, &[], "interval");
        for end in [low, high] {
            canvas.line(
                &[(end, y - 5.0), (end, y + 5.0)],
                color,
                2.0,
                &[],
                "interval",
            );
        }
        numbers += &format!(" ({} to {})", compact(interval.low), compact(interval.high));
    }
    canvas.dot((point, y), 4.0, color, 1.0);
    let at = (frame.right + 10.0, y);
    canvas.text(&numbers, at, Type::new(SMALL, INK, Anchor::Start));
}
