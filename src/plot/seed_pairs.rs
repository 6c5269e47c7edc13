//! Scores of two compared arms, a line per seed: which seeds gain, and how much seeds differ anyway.

use super::PlotError;
use super::axis::{Frame, Range, labelled};
use super::canvas::{Anchor, Canvas, Type, shorten, wrap_to};
use super::drawing::{Drawing, Table};
use super::page::Page;
use super::style::{BLUE, EDGE, INK, RGBColor, SMALL, SOFT, TITLE_ROW, VERMILLION};
use super::theme::Theme;
use super::{FigureKind, Section};
use crate::analysis::{ContrastSummary, PairedScores, Summary};
use crate::spec::{ContrastKind, When};
use crate::text::capitalized;

/// Reports for a browser have this figure inside the page; it is no file of a results folder.
pub(super) const KIND: FigureKind = FigureKind {
    file: "seed-pairs.svg",
    alt: "Scores of the two arms of every primary contrast, a line per seed",
    section: Section::Results,
};

/// Most contrasts that are drawn.
const MOST_FACETS: usize = 6;
const MOST_COLUMNS: usize = 3;
/// Least width of a facet with its tick labels.
const LEAST: f64 = 190.0;
/// Space for tick labels at the left of a facet.
const LEFT: f64 = 52.0;
const GAP: f64 = 18.0;
const HEIGHT: f64 = 190.0;
/// Space below a facet for the names of the arms.
const BELOW: f64 = 42.0;
const MOST_TITLE_LINES: usize = 2;

/// The scores of control and treatment at every seed that has both.
struct Facet<'a> {
    contrast: &'a ContrastSummary,
    /// Labels of control and treatment.
    arms: [String; 2],
    pairs: Vec<[f64; 2]>,
    /// The seed of each pair.
    seeds: Vec<u64>,
}

/// Draws a facet per primary contrast of two arms after the last evaluation, the first few. `None`
/// without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn seed_pairs(
    scores: &PairedScores<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let facets = summary
        .primary()
        .filter_map(|c| Facet::of(scores, summary, c));
    let facets: Vec<Facet<'_>> = facets.take(MOST_FACETS).collect();
    if facets.is_empty() {
        return Ok(None);
    }
    let columns = theme.columns(facets.len().clamp(2, MOST_COLUMNS), LEAST);
    let width = width(theme, columns);
    let titles = facets.iter().map(|facet| facet.title(width).len());
    let above = TITLE_ROW * titles.max().unwrap_or(1) as f64 + 12.0;
    let row = above + HEIGHT + BELOW;
    let height = row * facets.len().div_ceil(columns) as f64;
    let page = Page::new(theme, &summary.title, None, CAPTION).showing("score of every seed");
    let title = format!("{}: scores by seed", summary.title);
    let svg = page.draw(&title, height, |canvas, top| {
        for (k, facet) in facets.iter().enumerate() {
            let left = EDGE + LEFT + (k % columns) as f64 * (width + LEFT + GAP);
            let top = top + row * (k / columns) as f64 + above;
            facet.draw(canvas, (left, left + width), top);
        }
    })?;
    let data = data(&facets);
    Ok(Some(Drawing { svg, data }))
}

/// A row per seed and one for the means.
fn data(facets: &[Facet<'_>]) -> Table {
    let mut table = Table::new(&[
        "contrast",
        "metric",
        "unit",
        "left_arm",
        "right_arm",
        "shown",
        "seed",
        "left",
        "right",
    ]);
    for facet in facets {
        let asked = &facet.contrast.contrast;
        let mut add = |shown: &str, seed: Option<u64>, [left, right]: [f64; 2]| {
            table.row([
                (&asked.name).into(),
                asked.metric.label().as_ref().into(),
                asked.metric.scale().into(),
                (&facet.arms[0]).into(),
                (&facet.arms[1]).into(),
                shown.into(),
                seed.into(),
                left.into(),
                right.into(),
            ]);
        };
        for (pair, seed) in facet.pairs.iter().zip(&facet.seeds) {
            add("seed", Some(*seed), *pair);
        }
        add("mean", None, facet.means());
    }
    table
}

const CAPTION: &str = "Thin line: one seed in both arms, solid blue if the arm on the right is better, \
dashed orange if it is worse, gray if they are equal. Thick line: means. Steep lines in one direction show a \
difference; a wide spread of parallel lines is what pairing removes.";

/// Width of each of the facets in a row, without its tick labels.
fn width(theme: Theme, columns: usize) -> f64 {
    let columns = columns as f64;
    (theme.inner() - columns * LEFT - (columns - 1.0) * GAP) / columns
}

impl<'a> Facet<'a> {
    fn of(
        scores: &PairedScores<'_>,
        summary: &Summary,
        contrast: &'a ContrastSummary,
    ) -> Option<Self> {
        let asked = &contrast.contrast;
        let ContrastKind::Arms { treatment, control } = &asked.comparison else {
            return None;
        };
        if asked.when != When::Last || !contrast.paired {
            return None;
        }
        let of = |arm: &str| scores.scores(arm, &asked.metric);
        let both = of(control)?.into_iter().zip(of(treatment)?);
        let both = both.zip(&summary.seeds);
        let (pairs, seeds): (Vec<[f64; 2]>, Vec<u64>) = both
            .filter_map(|((a, b), seed)| Some(([a?, b?], *seed)))
            .unzip();
        let label = |name: &str| Some(summary.arm(name)?.label.clone());
        (!pairs.is_empty()).then_some(Self {
            contrast,
            arms: [label(control)?, label(treatment)?],
            pairs,
            seeds,
        })
    }

    /// The means of control and treatment.
    fn means(&self) -> [f64; 2] {
        [0, 1].map(|k| {
            let sum: f64 = self.pairs.iter().map(|pair| pair[k]).sum();
            sum / self.pairs.len() as f64
        })
    }

    fn title(&self, width: f64) -> Vec<String> {
        let metric = &self.contrast.contrast.metric;
        let text = capitalized(&metric.label_in(metric.scale()));
        let text = format!("{text} (n\u{a0}=\u{a0}{})", self.pairs.len());
        wrap_to(&text, SMALL, width + 0.7 * LEFT, MOST_TITLE_LINES)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, (left, right): (f64, f64), top: f64) {
        let Some(y) = Range::of(self.pairs.iter().flatten().copied()) else {
            return;
        };
        let frame = Frame {
            left,
            top,
            right,
            bottom: top + HEIGHT,
            x: Range {
                low: -0.25,
                high: 1.25,
            },
            y: y.padded(0.05, 0.5),
        };
        canvas.title(&self.title(right - left), frame.middle(), top);
        frame.y_ticks(canvas, &labelled(frame.y, 5), true);
        for pair in &self.pairs {
            let (color, dash) = self.look(*pair);
            canvas.line(&ends(&frame, *pair), color, 1.0, dash, "seed");
        }
        let means = ends(&frame, self.means());
        canvas.line(&means, INK, 3.0, &[], "mean");
        for at in means {
            canvas.dot(at, 4.0, INK, 1.0);
        }
        frame.edges(canvas);
        // One row each, because most names are wider than half a facet.
        let places = [(left, Anchor::Start, "left"), (right, Anchor::End, "right")];
        for (k, ((x, anchor, end), arm)) in places.into_iter().zip(&self.arms).enumerate() {
            let name = shorten(&format!("{end}: {arm}"), SMALL, right - left);
            let at = (x, frame.bottom + 13.0 + 15.0 * k as f64);
            canvas.text(&name, at, Type::new(SMALL, INK, anchor));
        }
    }

    /// Color and dashes of a seed.
    fn look(&self, [control, treatment]: [f64; 2]) -> (RGBColor, &'static [u32]) {
        let gain = match self.contrast.contrast.metric.higher_is_better() {
            true => treatment - control,
            false => control - treatment,
        };
        match gain {
            gain if gain > 0.0 => (BLUE, &[]),
            gain if gain < 0.0 => (VERMILLION, &[5, 3]),
            _ => (SOFT, &[]),
        }
    }
}

/// Where the line of a seed starts and ends.
fn ends(frame: &Frame, [control, treatment]: [f64; 2]) -> [(f64, f64); 2] {
    [frame.at((0.0, control)), frame.at((1.0, treatment))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Cells, fixture, summarize};
    use crate::spec::Spec;

    fn drawn(spec: &Spec, gains: [f64; 3]) -> Option<String> {
        let mut records = fixture::records(spec);
        for (seed, gain) in (0..).zip(gains) {
            fixture::set_accuracy(&mut records, "a", seed, 90.0);
            fixture::set_accuracy(&mut records, "b", seed, 90.0 + gain);
        }
        let summary = summarize(spec, &records).unwrap();
        let cells = Cells::new(spec, &records).unwrap();
        let scores = PairedScores::new(spec, &cells, &summary.arms);
        let drawn = seed_pairs(&scores, &summary, Theme::Screen).unwrap();
        drawn.map(|drawing| drawing.svg)
    }

    #[test]
    fn every_seed_has_a_line_in_the_color_of_its_sign() {
        let svg = drawn(&fixture::spec(2, 3, 1), [1.0, -1.0, 0.0]).unwrap();
        let lines: Vec<&str> = (svg.lines())
            .filter(|line| line.contains("class=\"seed\""))
            .collect();
        let has = |k: usize, text: &str| lines[k].contains(text);
        assert_eq!(lines.len(), 3);
        assert!(has(0, "#0072B2") && !has(0, "dasharray"), "{lines:?}");
        assert!(has(1, "#D55E00") && has(1, "dasharray"), "{lines:?}");
        assert!(has(2, "#555555"), "{lines:?}");
        assert!(svg.contains("left: a label") && svg.contains("right: b label"));
    }

    #[test]
    fn unpaired_and_secondary_contrasts_are_not_drawn() {
        let mut spec = fixture::spec(2, 3, 1);
        spec.contrasts[0].primary = false;
        assert_eq!(drawn(&spec, [1.0, 1.0, 1.0]), None);
        spec.contrasts[0].primary = true;
        spec.contrasts[0].when = When::Epoch(1);
        assert_eq!(drawn(&spec, [1.0, 1.0, 1.0]), None);
    }
}
