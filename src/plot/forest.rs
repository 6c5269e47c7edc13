//! The forest plot of a claim: a row per condition with effect, interval, margin, seeds and verdict.

use super::PlotError;
use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, Canvas, Type};
use super::drawing::{Drawing, Table};
use super::page::Page;
use super::style::RGBColor;
use super::style::{BLUE, EDGE, GRID, INK, LABEL, SHADE, SMALL, SOFT, VERMILLION, WHITE};
use super::text_size::{BOLD, text_width, wrap};
use super::theme::Theme;
use crate::spec::Metric;
use crate::stats::{Interval, Verdict};
use crate::text::capitalized;
use crate::text::number::signed;

/// One row: a contrast under one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestRow {
    /// The metric; rows of different metrics are in different panels.
    pub metric: Metric,
    /// The metric and its evaluation in words, which name the panel.
    pub quantity: String,
    /// Stratum of the claim; rows of a panel with equal strata are consecutive.
    pub stratum: Option<String>,
    /// Data set, net and training length.
    pub condition: String,
    /// What is compared, in plain words.
    pub compared: String,
    /// Mean difference.
    pub estimate: f64,
    /// Its interval.
    pub interval: Interval,
    /// Smallest difference that matters.
    pub margin: f64,
    /// Estimate and interval as text.
    pub numbers: String,
    /// Number of seeds.
    pub seeds: usize,
    /// The verdict, for symbol and colour; `None` if it does not count.
    pub verdict: Option<Verdict>,
    /// The verdict in words.
    pub words: String,
}

/// Left and right edge of the axes.
const fn axis(theme: Theme) -> [f64; 2] {
    match theme {
        Theme::Screen => [300.0, 566.0],
        Theme::Paper => [172.0, 332.0],
        Theme::Slide => [230.0, 456.0],
    }
}

/// Left edge of the numbers at the right.
const fn numbers(theme: Theme) -> f64 {
    axis(theme)[1] + 14.0
}

/// Pixels per tick label.
const TICK: f64 = 66.0;
/// From one line of a row to the next.
const LINE: f64 = 15.0;
/// Space above and below the lines of a row.
const ROW_PAD: f64 = 6.0;
/// Height of the heading of a panel: its name, then the sides of its axis.
const PANEL_HEAD: f64 = 60.0;
/// Height of the name of a stratum.
const STRATUM: f64 = 22.0;
/// Height of tick labels, the axis label and a gap.
const PANEL_FOOT: f64 = 56.0;
/// The axis ends at this multiple of the median extent; longer intervals are cut and end in an arrow.
const CUT: f64 = 5.0;

const CAPTION: &str = "A row is one primary contrast under one condition, with its mean and the interval \
that decides. Shaded: differences smaller than the margin. Disc: supports the claim. Diamond: contradicts \
it. Ring: undecided. Triangle: the interval goes on; the numbers give its end.";

/// Draws the rows in one panel per quantity. `sides` say what a negative and a positive difference mean.
/// `None` without rows.
///
/// # Errors
/// If the drawing library fails.
pub fn forest(
    title: &str,
    sides: [&str; 2],
    rows: &[ForestRow],
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let panels = panels(rows, theme);
    if panels.is_empty() {
        return Ok(None);
    }
    let height = panels.iter().map(Panel::height).sum();
    let svg = Page::new(theme, title, None, CAPTION).draw(title, height, |canvas, top| {
        let mut y = top;
        for panel in &panels {
            panel.draw(canvas, sides, y);
            y += panel.height();
        }
    })?;
    let data = data(&panels);
    Ok(Some(Drawing { svg, data }))
}

/// A row per row.
fn data(panels: &[Panel<'_>]) -> Table {
    let mut table = Table::new(&[
        "metric",
        "unit",
        "stratum",
        "condition",
        "compared",
        "mean",
        "low",
        "high",
        "n",
        "margin",
        "verdict",
    ]);
    for row in panels.iter().flat_map(|panel| &panel.rows) {
        table.row([
            (&row.quantity).into(),
            row.metric.unit().into(),
            row.stratum.as_deref().into(),
            (&row.condition).into(),
            (&row.compared).into(),
            row.estimate.into(),
            row.interval.low.into(),
            row.interval.high.into(),
            row.seeds.into(),
            row.margin.into(),
            (&row.words).into(),
        ]);
    }
    table
}

/// The rows of one quantity.
struct Panel<'a> {
    theme: Theme,
    rows: Vec<&'a ForestRow>,
}

fn panels(rows: &[ForestRow], theme: Theme) -> Vec<Panel<'_>> {
    let key = |row: &ForestRow| (row.metric.clone(), row.quantity.clone());
    let mut keys: Vec<(Metric, String)> = rows.iter().map(key).collect();
    keys.sort();
    keys.dedup();
    let panel = |wanted: (Metric, String)| Panel {
        theme,
        rows: rows.iter().filter(|row| key(row) == wanted).collect(),
    };
    keys.into_iter().map(panel).collect()
}

/// The wrapped texts of a row.
struct RowText {
    left: Vec<String>,
    /// Number of lines of `left` that are the condition.
    condition: usize,
    right: Vec<String>,
    /// The lines of `right` that are the verdict.
    verdict: std::ops::Range<usize>,
}

impl RowText {
    fn of(row: &ForestRow, theme: Theme) -> Self {
        let room = axis(theme)[0] - EDGE - 14.0;
        let mut left = wrap(&row.condition, SMALL, room);
        let condition = left.len();
        left.extend(wrap(&row.compared, SMALL, room));
        let room = theme.width() - EDGE - numbers(theme);
        let mut right = wrap(&row.numbers, SMALL, room);
        let first = right.len();
        right.extend(wrap(&row.words, SMALL * BOLD, room));
        let verdict = first..right.len();
        right.push(format!("n = {}", row.seeds));
        Self {
            left,
            condition,
            right,
            verdict,
        }
    }

    fn height(&self) -> f64 {
        LINE * self.left.len().max(self.right.len()) as f64 + 2.0 * ROW_PAD
    }
}

impl Panel<'_> {
    /// Whether row `k` is the first of a named stratum.
    fn opens_stratum(&self, k: usize) -> bool {
        let stratum = &self.rows[k].stratum;
        let before = k.checked_sub(1).map(|k| &self.rows[k].stratum);
        stratum.is_some() && before != Some(stratum)
    }

    fn height(&self) -> f64 {
        let rows: f64 = (0..self.rows.len())
            .map(|k| {
                let heading = if self.opens_stratum(k) { STRATUM } else { 0.0 };
                heading + RowText::of(self.rows[k], self.theme).height()
            })
            .sum();
        PANEL_HEAD + rows + PANEL_FOOT
    }

    /// The values on the axis: all intervals and margins, cut where a few are much longer than the others.
    fn range(&self) -> Range {
        let extent = |row: &&ForestRow| {
            let ends = [row.interval.low, row.interval.high, row.margin];
            ends.into_iter().map(f64::abs).fold(0.0, f64::max)
        };
        let mut extents: Vec<f64> = self.rows.iter().map(extent).collect();
        extents.sort_by(f64::total_cmp);
        let most = CUT * extents[extents.len() / 2];
        let values = self.rows.iter().flat_map(|row| {
            let ends = [row.interval.low, row.interval.high, -row.margin, row.margin];
            ends.map(|v| v.clamp(-most, most))
        });
        let range = Range::of(values).unwrap_or(Range {
            low: -1.0,
            high: 1.0,
        });
        range.padded(0.06, 1.0)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, sides: [&str; 2], top: f64) {
        let Some(first) = self.rows.first() else {
            return;
        };
        let bold = Type::new(LABEL, INK, Anchor::Start).bold();
        canvas.text(&capitalized(&first.quantity), (EDGE, top + 12.0), bold);
        let [left, right] = axis(self.theme);
        let mut frame = Frame {
            left,
            top: top + PANEL_HEAD,
            right,
            bottom: top + self.height() - PANEL_FOOT,
            x: self.range(),
            y: Range {
                low: 0.0,
                high: 1.0,
            },
        };
        draw_sides(canvas, sides, &frame);
        let (values, decimals) = ticks(frame.x, ((right - left) / TICK) as usize);
        let whole = frame;
        let mut y = frame.top;
        // Margins first, so that grid lines are not hidden by the shading of a row.
        for k in 0..self.rows.len() {
            let (from, to) = self.place(k, &mut y);
            frame.top = from;
            frame.bottom = to;
            let margin = self.rows[k].margin;
            let shown = |v: f64| frame.px(v.clamp(frame.x.low, frame.x.high));
            canvas.rectangle((shown(-margin), from), (shown(margin), to), SHADE);
        }
        for value in &values {
            let x = whole.px(*value);
            canvas.line(&[(x, whole.top), (x, whole.bottom)], GRID, 1.0, &[], "grid");
            let at = (x, whole.bottom + 12.0);
            let kind = Type::new(SMALL, INK, Anchor::Middle);
            canvas.text(&signed(*value, decimals), at, kind);
        }
        let zero = whole.px(0.0);
        canvas.line(
            &[(zero, whole.top), (zero, whole.bottom)],
            INK,
            1.0,
            &[],
            "zero",
        );
        let base = [(whole.left, whole.bottom), (whole.right, whole.bottom)];
        canvas.line(&base, INK, 1.0, &[], "axis");
        let unit = format!("difference ({})", first.metric.unit());
        whole.x_name(canvas, &unit, 30.0);
        y = whole.top;
        for (k, row) in self.rows.iter().enumerate() {
            if self.opens_stratum(k) {
                let name = format!("With {}", row.stratum.as_deref().unwrap_or_default());
                let end = EDGE + text_width(&name, SMALL * BOLD);
                if end > whole.left {
                    // No lines of the axis behind the name.
                    canvas.rectangle((EDGE, y), (end, y + STRATUM), WHITE);
                }
                canvas.text(
                    &name,
                    (EDGE, y + STRATUM / 2.0 + 2.0),
                    Type::new(SMALL, INK, Anchor::Start).bold(),
                );
            }
            let (from, to) = self.place(k, &mut y);
            draw_row(canvas, row, &whole, (from, to));
        }
    }

    /// Top and bottom of row `k`, if `y` is the end of the previous row; moves `y` to its end.
    fn place(&self, k: usize, y: &mut f64) -> (f64, f64) {
        let from = *y + if self.opens_stratum(k) { STRATUM } else { 0.0 };
        *y = from + RowText::of(self.rows[k], self.theme).height();
        (from, *y)
    }
}

/// Writes what the sides of the axis mean above it, on two lines if one is too short.
fn draw_sides(canvas: &mut Canvas<'_>, [left, right]: [&str; 2], frame: &Frame) {
    let (left, right) = (format!("← {left}"), format!("{right} →"));
    let fits =
        text_width(&left, SMALL) + text_width(&right, SMALL) + 10.0 < frame.right - frame.left;
    let high = frame.top - if fits { 12.0 } else { 27.0 };
    let kind = |anchor| Type::new(SMALL, SOFT, anchor);
    canvas.text(&left, (frame.left, high), kind(Anchor::Start));
    canvas.text(&right, (frame.right, frame.top - 12.0), kind(Anchor::End));
}

fn draw_row(canvas: &mut Canvas<'_>, row: &ForestRow, axis: &Frame, (from, to): (f64, f64)) {
    let text = RowText::of(row, canvas.theme());
    let color = color(row.verdict);
    let line = |k: usize| from + ROW_PAD + LINE * (k as f64 + 0.5);
    for (k, words) in text.left.iter().enumerate() {
        let ink = if k < text.condition { INK } else { SOFT };
        canvas.text(words, (EDGE, line(k)), Type::new(SMALL, ink, Anchor::Start));
    }
    for (k, words) in text.right.iter().enumerate() {
        let kind = match text.verdict.contains(&k) {
            true => Type::new(SMALL, color, Anchor::Start).bold(),
            false => Type::new(SMALL, INK, Anchor::Start),
        };
        canvas.text(words, (numbers(canvas.theme()), line(k)), kind);
    }
    let y = (from + to) / 2.0;
    draw_interval(canvas, row, axis, y, color);
}

fn draw_interval(canvas: &mut Canvas<'_>, row: &ForestRow, axis: &Frame, y: f64, color: RGBColor) {
    let Range { low, high } = axis.x;
    let shown = |v: f64| axis.px(v.clamp(low, high));
    let ends = [(shown(row.interval.low), y), (shown(row.interval.high), y)];
    canvas.line(&ends, color, 2.0, &[], "interval");
    for (end, (x, y), out) in [
        (row.interval.low, ends[0], -1.0),
        (row.interval.high, ends[1], 1.0),
    ] {
        match (low..=high).contains(&end) {
            true => canvas.line(&[(x, y - 4.0), (x, y + 4.0)], color, 2.0, &[], "cap"),
            false => canvas.shape(
                &[(x, y - 5.0), (x + 7.0 * out, y), (x, y + 5.0)],
                color,
                1.0,
            ),
        }
    }
    if !(low..=high).contains(&row.estimate) {
        return;
    }
    let (x, r) = (axis.px(row.estimate), 5.5);
    match row.verdict {
        Some(Verdict::Supported) => canvas.dot((x, y), 5.0, color, 1.0),
        Some(Verdict::Contradicted) => {
            canvas.shape(
                &[(x - r, y), (x, y - r), (x + r, y), (x, y + r)],
                color,
                1.0,
            );
        }
        Some(Verdict::Undecided) | None => {
            canvas.dot((x, y), 5.0, WHITE, 1.0);
            canvas.ring((x, y), 5.0, color);
        }
    }
}

fn color(verdict: Option<Verdict>) -> RGBColor {
    match verdict {
        Some(Verdict::Supported) => BLUE,
        Some(Verdict::Contradicted) => VERMILLION,
        Some(Verdict::Undecided) | None => SOFT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(metric: Metric, stratum: &str, low: f64, high: f64, verdict: Verdict) -> ForestRow {
        ForestRow {
            quantity: metric.label().into_owned(),
            metric,
            stratum: Some(stratum.to_owned()),
            condition: "digits, dense net 128-128, 20 epochs".to_owned(),
            compared: "norm before ReLU against norm after ReLU".to_owned(),
            estimate: (low + high) / 2.0,
            interval: Interval { low, high },
            margin: 0.5,
            numbers: format!("{low} to {high}"),
            seeds: 20,
            verdict: Some(verdict),
            words: "some verdict".to_owned(),
        }
    }

    fn accuracy(stratum: &str, low: f64, high: f64, verdict: Verdict) -> ForestRow {
        row(Metric::TestAccuracy, stratum, low, high, verdict)
    }

    fn drawn(rows: &[ForestRow]) -> String {
        let drawn = forest("C5: title", ["worse", "better"], rows, Theme::Screen).unwrap();
        drawn.expect("rows").svg
    }

    #[test]
    fn no_rows_give_no_figure() {
        assert_eq!(forest("t", ["a", "b"], &[], Theme::Screen).unwrap(), None);
    }

    #[test]
    fn each_row_has_interval_numbers_seeds_and_verdict() {
        let rows = [
            accuracy("ReLU", 0.1, 0.4, Verdict::Supported),
            accuracy("sigmoid", -1.3, -0.5, Verdict::Contradicted),
            accuracy("sigmoid", -0.8, 0.6, Verdict::Undecided),
        ];
        let svg = drawn(&rows);
        assert_eq!(svg.matches("class=\"interval\"").count(), 3);
        assert_eq!(svg.matches("class=\"cap\"").count(), 6);
        assert_eq!(svg.matches("\nsome verdict\n").count(), 3);
        assert_eq!(svg.matches("\nn = 20\n").count(), 3);
        assert_eq!(svg.matches("With ReLU").count(), 1);
        assert_eq!(svg.matches("With sigmoid").count(), 1);
        for text in ["0.1 to 0.4", "← worse", "better →", "difference (points)"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn metrics_have_panels_of_their_own() {
        let rows = [
            accuracy("ReLU", 0.1, 0.4, Verdict::Supported),
            row(Metric::TestNll, "ReLU", 0.01, 0.02, Verdict::Supported),
        ];
        let svg = drawn(&rows);
        assert!(svg.contains("difference (points)") && svg.contains("difference (nats)"));
        assert_eq!(svg.matches("class=\"zero\"").count(), 2);
    }

    #[test]
    fn much_longer_interval_is_cut_with_an_arrow() {
        let mut rows = vec![accuracy("ReLU", -0.3, 0.4, Verdict::Undecided); 4];
        rows.push(accuracy("ReLU", -40.0, -1.0, Verdict::Undecided));
        let panel = &panels(&rows, Theme::Screen)[0];
        assert!(panel.range().low > -3.0, "{:?}", panel.range());
        // One end of the last row has no cap.
        assert_eq!(drawn(&rows).matches("class=\"cap\"").count(), 9);
    }

    #[test]
    fn long_texts_are_wrapped_not_cut() {
        let mut long = accuracy("ReLU", 0.1, 0.4, Verdict::Supported);
        long.compared = "many words ".repeat(20).trim().to_owned();
        long.words = "supported, but too small to matter (fragile)".to_owned();
        long.numbers = "0.000000 (\u{2212}0.000028 to +0.000028)".to_owned();
        let text = RowText::of(&long, Theme::Screen);
        assert!(text.left.len() > 4, "{:?}", text.left);
        let whole = text.left[text.condition..].join(" ");
        assert_eq!(whole, long.compared);
        assert!(text.right.len() > 4, "{:?}", text.right);
        let fits = |lines: &[String], room: f64| lines.iter().all(|l| text_width(l, SMALL) <= room);
        let theme = Theme::Screen;
        let room = (theme.width() - EDGE - numbers(theme)) / BOLD;
        assert!(fits(&text.left, axis(theme)[0] - EDGE) && fits(&text.right, room));
    }
}
