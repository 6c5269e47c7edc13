//! The difference of every primary contrast against epoch or step, with the fit that judges whether it has
//! settled: one panel per contrast.

use super::axis::{Frame, Range, epoch_ticks, labelled};
use super::canvas::{Anchor, Canvas, Type, wrap};
use super::clip;
use super::drawing::{Cell, Drawing, Table};
use super::lines::{Line, draw_lines, early};
use super::page::Page;
use super::style::{EDGE, INK, LABEL, SHADE, SMALL, SOFT, TITLE_ROW, VERMILLION};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::subject::subject;
use crate::analysis::{ContrastSummary, Course, FittedChange, PairedScores, Summary};
use crate::spec::When;
use crate::stats::{Movement, Sample, t_interval};
use crate::text::counted;
use crate::text::number::{grouped, level};

pub(super) const KIND: FigureKind = FigureKind {
    file: "settling.svg",
    alt: "Improvement against the length of training, with the margin and the fit at the end",
    section: Section::Results,
};

/// Space for tick labels at the left of a panel.
const LEFT: f64 = 62.0;
/// Space between two panels of a row.
const GAP: f64 = 18.0;
const PANEL_HEIGHT: f64 = 190.0;
/// Space below a panel for ticks and the name of the axis.
const BELOW: f64 = 56.0;
/// Most lines that say what a panel compares.
const MOST_SUBJECT_LINES: usize = 4;
/// Least width of a panel with its tick labels.
const LEAST: f64 = 300.0;

/// A contrast with its course.
struct Panel<'a> {
    contrast: &'a ContrastSummary,
    /// Lines of the title, and whether each is bold.
    title: Vec<(String, bool)>,
    line: Line,
    margin: f64,
    fitted: Option<&'a FittedChange>,
    /// The fitted line, if there is one.
    fit: Vec<(f64, f64)>,
    unit: &'static str,
    y: Range,
    /// Whether early differences lie outside the axis.
    cut: bool,
}

/// Draws the primary contrasts that are read at the last of several evaluations. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn settling(
    scores: &PairedScores<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let primary = (summary.contrasts.iter()).filter(|c| c.contrast.primary);
    let shown: Vec<&ContrastSummary> = primary
        .filter(|c| c.contrast.when == When::Last && c.decision.is_some())
        .collect();
    let columns = if shown.len() == 1 { 1 } else { 2 };
    let columns = theme.columns(columns, LEAST);
    let width = panel_width(theme, columns);
    let panels: Vec<Panel<'_>> = (shown.into_iter())
        .filter_map(|contrast| Panel::new(scores, summary, contrast, width))
        .collect();
    if panels.is_empty() {
        return Ok(None);
    }
    let lines = panels.iter().map(|panel| panel.title.len()).max();
    let above = TITLE_ROW * lines.unwrap_or(1) as f64 + 12.0;
    let row = above + PANEL_HEIGHT + BELOW;
    let rows = panels.len().div_ceil(columns);
    let page = Page::new(theme, &summary.title, None, &caption(summary, &panels));
    let title = format!("{}: improvement along training", summary.title);
    let svg = page.draw(&title, row * rows as f64 + 4.0, |canvas, top| {
        for (k, panel) in panels.iter().enumerate() {
            let left = EDGE + LEFT + (k % columns) as f64 * (width + LEFT + GAP);
            let top = top + row * (k / columns) as f64 + above;
            panel.draw(canvas, (left, left + width), top);
        }
    })?;
    let data = data(&panels);
    Ok(Some(Drawing { svg, data }))
}

/// A row per evaluation of a contrast; `fit` is the fitted line in its window.
fn data(panels: &[Panel<'_>]) -> Table {
    let mut table = Table::new(&[
        "contrast", "metric", "unit", "axis", "at", "mean", "low", "high", "n", "margin", "fit",
    ]);
    for panel in panels {
        let asked = &panel.contrast.contrast;
        for ((at, mean), band) in panel.line.means.iter().zip(&panel.line.bands) {
            table.row([
                (&asked.name).into(),
                asked.metric.label().as_ref().into(),
                asked.metric.unit().into(),
                panel.unit.into(),
                (*at).into(),
                (*mean).into(),
                band.map_or(Cell::NONE, |band| band.low.into()),
                band.map_or(Cell::NONE, |band| band.high.into()),
                panel.line.seeds[1].into(),
                panel.margin.into(),
                panel.fitted_at(*at).into(),
            ]);
        }
    }
    table
}

/// Width of a panel without its tick labels.
fn panel_width(theme: Theme, columns: usize) -> f64 {
    let columns = columns as f64;
    (theme.inner() - columns * LEFT - (columns - 1.0) * GAP) / columns
}

impl<'a> Panel<'a> {
    /// `None` if the quantity is not measured along training, or only once.
    fn new(
        scores: &PairedScores<'_>,
        summary: &Summary,
        contrast: &'a ContrastSummary,
        width: f64,
    ) -> Option<Self> {
        let course = Course::of(scores, &contrast.contrast).ok()?;
        if course.places.len() < 2 {
            return None;
        }
        let samples = (course.places.iter().enumerate()).map(|(k, &place)| {
            let values = course.seeds.iter().map(|seed| seed[k]);
            Some((place as f64, Sample::new(values.collect()).ok()?))
        });
        let samples: Vec<(f64, Sample)> = samples.collect::<Option<_>>()?;
        let confidence = contrast.decision.as_ref()?.confidence;
        let line = Line {
            style: 0,
            means: samples.iter().map(|(x, s)| (*x, s.mean())).collect(),
            seeds: [course.seeds.len(); 2],
            bands: (samples.iter().map(|(_, s)| t_interval(s, confidence))).collect(),
        };
        let fitted = contrast.fitted_change();
        let (y, cut) = vertical(&line, contrast.contrast.margin)?;
        Some(Self {
            contrast,
            title: title(summary, contrast, course.seeds.len(), width),
            fit: fitted.map_or(Vec::new(), |fitted| fit(&line, fitted)),
            line,
            margin: contrast.contrast.margin,
            fitted,
            unit: course.length.unit(),
            y,
            cut,
        })
    }

    fn draw(&self, canvas: &mut Canvas<'_>, (left, right): (f64, f64), top: f64) {
        let places = || self.line.means.iter().map(|p| p.0);
        let Some(span) = Range::of(places()) else {
            return;
        };
        let frame = Frame {
            left,
            top,
            right,
            bottom: top + PANEL_HEIGHT,
            x: span.padded(0.02, 0.5),
            y: self.y,
        };
        let (low, high) = (frame.py(-self.margin), frame.py(self.margin));
        canvas.rectangle((left, high), (right, low), SHADE);
        let marked = epoch_ticks(span.high as usize, 5).into_iter();
        let x = marked.filter(|&at| at as f64 >= span.low);
        let x: Vec<_> = x.map(|at| (at as f64, grouped(at as u64))).collect();
        frame.y_ticks(canvas, &labelled(self.y, 5), true);
        frame.x_ticks(canvas, &x);
        let zero = [(left, frame.py(0.0)), (right, frame.py(0.0))];
        canvas.line(&zero, INK, 1.0, &[], "zero");
        if let Some(fitted) = self.fitted {
            self.draw_window(canvas, &frame, fitted);
        }
        draw_lines(canvas, std::slice::from_ref(&self.line), &frame, 2.0);
        for part in clip::polyline(&self.fit, self.y) {
            canvas.line(&frame.all(&part), VERMILLION, 2.5, &[6, 3], "fit");
        }
        frame.edges(canvas);
        let kind = Type::new(SMALL, INK, Anchor::Middle);
        for (k, (line, bold)) in self.title.iter().enumerate() {
            let from_the_last = (self.title.len() - 1 - k) as f64;
            let at = (frame.middle(), top - 10.0 - TITLE_ROW * from_the_last);
            let kind = if *bold { kind.bold() } else { kind };
            canvas.text(line, at, kind);
        }
        let below = (frame.middle(), frame.bottom + 30.0);
        canvas.text(self.unit, below, Type::new(LABEL, INK, Anchor::Middle));
    }

    /// The fitted line at `x`, if that is in its window.
    fn fitted_at(&self, x: f64) -> Option<f64> {
        let [first, last] = self.fit[..] else {
            return None;
        };
        let slope = (last.1 - first.1) / (last.0 - first.0);
        let inside = (first.0..=last.0).contains(&x);
        inside.then_some(first.1 + slope * (x - first.0))
    }

    /// Draws the window of the fit as a bar at the foot of the panel, and the ends of the window as lines.
    fn draw_window(&self, canvas: &mut Canvas<'_>, frame: &Frame, fitted: &FittedChange) {
        let [from, to] = [fitted.from, fitted.length.count()].map(|x| frame.px(x as f64));
        let bar = [(from, frame.bottom - 3.0), (to, frame.bottom - 3.0)];
        canvas.line(&bar, SOFT, 4.0, &[], "window");
        for x in [from, to] {
            canvas.line(
                &[(x, frame.top), (x, frame.bottom)],
                SOFT,
                1.0,
                &[2, 3],
                "window",
            );
        }
    }
}

/// The fitted line through the window: it passes through the mean of the means there.
fn fit(line: &Line, fitted: &FittedChange) -> Vec<(f64, f64)> {
    let window = line.means.iter().filter(|p| p.0 >= fitted.from as f64);
    let window: Vec<(f64, f64)> = window.copied().collect();
    let n = window.len() as f64;
    let middle = [0, 1].map(|k| window.iter().map(|p| [p.0, p.1][k]).sum::<f64>() / n);
    let (Some(first), Some(last)) = (window.first(), window.last()) else {
        return Vec::new();
    };
    let slope = fitted.change / (last.0 - first.0);
    let at = |x: f64| (x, middle[1] + slope * (x - middle[0]));
    vec![at(first.0), at(last.0)]
}

/// The vertical axis, and whether means lie outside it. Early evaluations do not set it, see [`early`].
fn vertical(line: &Line, margin: f64) -> Option<(Range, bool)> {
    let means = |from: usize| line.means[from..].iter().map(|p| p.1);
    let early = early([line], margin);
    let late = Range::of(means(early).chain([-margin, margin]))?;
    let room = 0.6 * late.span();
    let bands = line.bands[early..].iter().flatten();
    let ends = bands.flat_map(|band| [band.low, band.high]);
    let ends = ends.map(|y| y.clamp(late.low - room, late.high + room));
    let shown = Range::of(ends.chain([late.low, late.high]))?;
    let all = Range::of(means(0).chain([shown.low, shown.high]))?;
    let y = match all.span() > 1.6 * shown.span() {
        true => shown,
        false => all,
    };
    let y = y.padded(0.06, margin);
    let cut = means(0).any(|mean| !(y.low..=y.high).contains(&mean));
    Some((y, cut))
}

/// What is compared, and below it the metric, the number of seeds and the result. The lines are centered
/// over the panel and stay inside the figure.
fn title(
    summary: &Summary,
    contrast: &ContrastSummary,
    n: usize,
    width: f64,
) -> Vec<(String, bool)> {
    let asked = &contrast.contrast;
    let compared = subject(summary, &asked.comparison, &asked.weights);
    let mut lines = wrap(&compared.replace('`', ""), SMALL * 1.16, width + EDGE);
    if lines.len() > MOST_SUBJECT_LINES {
        lines.truncate(MOST_SUBJECT_LINES);
        lines
            .iter_mut()
            .last()
            .into_iter()
            .for_each(|l| l.push('…'));
    }
    let result = match contrast.fitted_change().map(|fitted| fitted.movement) {
        Some(Movement::Moves) => "still moves",
        Some(Movement::Settled) => "settled",
        Some(Movement::Unclear) => "settled or not: unclear",
        None => "not judged",
    };
    let measured = format!(
        "{}, n = {n}: {result}",
        asked.metric.label_in(asked.metric.unit())
    );
    let measured = wrap(&measured, SMALL, width + EDGE).into_iter();
    let lines = lines.into_iter().map(|line| (line, true));
    lines.chain(measured.map(|line| (line, false))).collect()
}

fn caption(summary: &Summary, panels: &[Panel<'_>]) -> String {
    let mut primary = summary.contrasts.iter().filter(|c| c.contrast.primary);
    let decision = primary.find_map(|contrast| contrast.decision.as_ref());
    let level = decision.map_or(String::new(), |decision| level(decision.confidence));
    let n = panels.len();
    let cut = match panels.iter().any(|panel| panel.cut) {
        true => " An axis may leave out the differences of the first evaluations.",
        false => "",
    };
    format!(
        "{}. Line: mean improvement over seeds; up is better for the first of the two compared. Band: its \
         {level} % t interval at each evaluation. Shaded: the margin. Dotted lines and bar: the window of \
         the fit. Dashed: the fitted line.{cut}",
        counted(n, "primary contrast")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{crossed, records, spec, test_scores};
    use crate::analysis::{Cells, summarize};
    use crate::recipe::Evaluate;
    use crate::record::CellRecord;
    use crate::spec::{Metric, Spec};

    fn drawn(spec: &Spec, records: &[CellRecord]) -> Option<String> {
        let summary = summarize(spec, records).expect("records of one run");
        let cells = Cells::new(spec, records).expect("records of one run");
        let scores = PairedScores::new(spec, &cells, &summary.arms);
        let drawn = settling(&scores, &summary, Theme::Screen).expect("a figure");
        drawn.map(|drawing| drawing.svg)
    }

    fn count(svg: &str, what: &str) -> usize {
        svg.matches(what).count()
    }

    #[test]
    fn every_primary_contrast_has_a_panel_with_band_zero_and_window() {
        let mut spec = spec(4, 8, 20);
        spec.contrasts[2].primary = false;
        let svg = drawn(&spec, &records(&spec)).expect("a figure");
        assert_eq!(count(&svg, "class=\"series\""), 2);
        assert_eq!(count(&svg, "class=\"zero\""), 2);
        assert_eq!(
            count(&svg, "class=\"window\""),
            6,
            "a bar and two ends each"
        );
        assert_eq!(count(&svg, "class=\"fit\""), 2);
        assert_eq!(count(&svg, "<polygon"), 2);
        for part in ["b label against a label", "n = 8: ", "97.5 %", ">\nepoch"] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn two_evaluations_are_drawn_without_a_fit() {
        let spec = spec(2, 4, 2);
        let svg = drawn(&spec, &records(&spec)).expect("a figure");
        assert_eq!(count(&svg, "class=\"series\""), 1);
        assert_eq!(
            count(&svg, "class=\"fit\"") + count(&svg, "class=\"window\""),
            0
        );
        assert!(svg.contains("not judged"));
    }

    #[test]
    fn nothing_is_drawn_without_a_course() {
        let one = spec(2, 4, 1);
        assert_eq!(drawn(&one, &records(&one)), None, "one evaluation");
        let mut other = spec(2, 4, 5);
        other.contrasts[0].when = When::Epoch(3);
        assert_eq!(drawn(&other, &records(&other)), None);
        other.contrasts[0].when = When::Last;
        other.contrasts[0].primary = false;
        assert_eq!(drawn(&other, &records(&other)), None);
        let mut unlike = spec(2, 4, 4);
        unlike.contrasts[0].metric = Metric::TestNll;
        unlike.arms[1].net_mut().unwrap().train.evaluate = Evaluate::At(vec![2]);
        let svg = drawn(&unlike, &records(&unlike)).expect("evaluations 2 and 4 are common");
        assert!(svg.contains("not judged"));
    }

    #[test]
    fn first_differences_do_not_flatten_the_rest() {
        let spec = spec(2, 6, 20);
        let mut records = records(&spec);
        for record in records.iter_mut().filter(|record| record.arm == "b") {
            test_scores(&mut record.epochs[0]).accuracy -= 60.0;
        }
        let svg = drawn(&spec, &records).expect("a figure");
        assert!(svg.contains("may leave out"), "{svg}");
    }

    #[test]
    fn effects_and_interactions_have_panels() {
        let spec = crossed(5, 6);
        let svg = drawn(&spec, &records(&spec)).expect("a figure");
        assert_eq!(count(&svg, "class=\"series\""), 3);
        assert!(svg.contains("n = 5"));
    }

    #[test]
    fn fitted_line_ends_at_the_ends_of_the_window() {
        let line = Line {
            style: 0,
            seeds: [4; 2],
            means: (1..=5)
                .map(|x| (f64::from(x), 10.0 + 2.0 * f64::from(x)))
                .collect(),
            bands: vec![None; 5],
        };
        let spec = spec(2, 4, 5);
        let summary = summarize(&spec, &records(&spec)).unwrap();
        let mut fitted = summary.contrasts[0].fitted_change().unwrap().clone();
        (fitted.from, fitted.change) = (3, 4.0);
        assert_eq!(fit(&line, &fitted), [(3.0, 16.0), (5.0, 20.0)]);
    }
}
