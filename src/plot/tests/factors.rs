//! Figures of crossed designs.

use super::super::effect::effect;
use super::super::factorial::{dose_response, interaction};
use super::*;
use crate::analysis::PairedScores;
use crate::analysis::fixture::{crossed, diverge, set_accuracy};
use crate::spec::{ContrastKind, Figure, Metric, Panels, When};

fn factorial(spec: &Spec, records: &[CellRecord]) -> (Option<String>, Option<String>) {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let scores = PairedScores::new(spec, &cells, &summary.arms);
    (
        svg(interaction(&summary, &scores, Theme::Screen).expect("a figure")),
        svg(dose_response(&summary, &scores, Theme::Screen).expect("a figure")),
    )
}

#[test]
fn interaction_plot_has_lines_facets_and_dots() {
    let spec = crossed(5, 1);
    let svg = factorial(&spec, &records(&spec)).0.expect("two factors");
    assert_sound(&svg);
    // Norm on the axis, a line per activation, a facet per width.
    assert_eq!(count(&svg, "class=\"series\""), 4);
    assert_eq!(count(&svg, "class=\"interval\""), 8);
    assert_eq!(count(&svg, "<circle"), 8 * 5 + 8);
    let texts = texts(&svg);
    for label in [
        "norm factor",
        "none label",
        "batch label",
        "relu label",
        "tanh label",
        "8 label (n = 5)",
        "32 label (n = 5)",
        "test accuracy (%) by norm factor",
    ] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
    let caption = texts.join(" ");
    assert!(
        caption.contains("95 % t interval over n seeds"),
        "{caption}"
    );
}

/// [`crossed`] with the widths 8, 32 and `last`.
fn three_widths(last: f64) -> Spec {
    let mut spec = crossed(5, 1);
    let mut level = spec.factors[2].levels[0].clone();
    (level.name, level.value) = ("last".to_owned(), Some(last));
    spec.factors[2].levels.push(level);
    let mut arms: Vec<_> = spec
        .arms
        .iter()
        .filter(|arm| arm.levels[2] == 0)
        .cloned()
        .collect();
    for arm in &mut arms {
        arm.levels[2] = 2;
        arm.name = arm.name.replace("-8", "-last");
    }
    spec.arms.extend(arms);
    spec
}

#[test]
fn wide_doses_get_a_logarithmic_axis() {
    let spec = three_widths(16.0);
    let svg = factorial(&spec, &records(&spec)).1.expect("a width");
    assert_sound(&svg);
    assert!(texts(&svg).contains(&"width factor"));
    let spec = three_widths(128.0);
    let svg = factorial(&spec, &records(&spec)).1.expect("a width");
    let texts = texts(&svg);
    assert!(texts.contains(&"width factor (log scale)"), "{texts:?}");
    assert!(texts.contains(&"8") && texts.contains(&"128"), "{texts:?}");
}

#[test]
fn two_doses_are_compared_like_other_levels() {
    let spec = crossed(5, 1);
    assert_eq!(factorial(&spec, &records(&spec)).1, None);
}

#[test]
fn same_two_factors_are_drawn_once() {
    let mut spec = three_widths(128.0);
    // The planned interaction is that of norm and width.
    for contrast in &mut spec.contrasts {
        if let ContrastKind::Effect { between, .. } = &mut contrast.comparison {
            for pair in between {
                pair.factor = "width".to_owned();
                (pair.first, pair.second) = ("8".to_owned(), "32".to_owned());
            }
        }
    }
    spec.contrasts.retain(|c| c.comparison.is_interaction());
    let (interaction, dose_response) = factorial(&spec, &records(&spec));
    assert!(interaction.is_none() && dose_response.is_some());
}

#[test]
fn long_labels_are_wrapped_not_cut() {
    let mut spec = crossed(3, 1);
    for level in &mut spec.factors[0].levels {
        level.label = "only the layer behind the corrupted units is trained".to_owned();
    }
    let svg = factorial(&spec, &records(&spec)).0.expect("two factors");
    assert_sound(&svg);
    let texts = texts(&svg);
    assert!(!texts.iter().any(|t| t.ends_with('…')), "{texts:?}");
}

#[test]
fn planned_interaction_decides_the_axes() {
    let mut spec = crossed(4, 1);
    let level = spec.factors[2].levels[0].clone();
    spec.factors[2].levels.extend(vec![level; 3]);
    for (k, level) in spec.factors[2].levels.iter_mut().enumerate() {
        level.name = k.to_string();
        level.value = None;
    }
    // Five levels are too many for facets, and three of them have no cells to average.
    assert_eq!(factorial(&spec, &records(&spec)), (None, None));
    spec.factors[2].levels.truncate(2);
    spec.contrasts.remove(2);
    let svg = factorial(&spec, &records(&spec)).0.expect("two factors");
    assert!(texts(&svg).contains(&"norm factor"), "the first factor");
}

#[test]
fn missing_cells_leave_gaps() {
    let spec = crossed(2, 1);
    let mut records = records(&spec);
    (0..2).for_each(|seed| diverge(&mut records, "none-relu-8", seed));
    let svg = factorial(&spec, &records).0.expect("seven cells");
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 3, "one point is no line");
    for arm in &spec.arms {
        (0..2).for_each(|seed| diverge(&mut records, &arm.name, seed));
    }
    assert_eq!(factorial(&spec, &records), (None, None));
    let plain = self::spec(2, 3, 1);
    assert_eq!(factorial(&plain, &self::records(&plain)), (None, None));
}

#[test]
fn outlying_seed_is_counted_not_drawn() {
    let spec = crossed(40, 8);
    let mut records = records(&spec);
    set_accuracy(&mut records, "none-relu-8", 0, 12.0);
    let svg = factorial(&spec, &records).0.expect("a figure");
    assert_sound(&svg);
    let caption = texts(&svg).join(" ");
    assert!(caption.contains("One dot lies outside."), "{caption}");
}

/// The effect of the norm along the width, a line per activation, after 1, 2 and 3 epochs.
fn asked() -> Figure {
    Figure {
        title: "What the norm brings".into(),
        effect: "norm".into(),
        treatment: "batch".into(),
        control: "none".into(),
        along: "width".into(),
        lines: Some("act".into()),
        panels: Panels::Times(vec![When::Epoch(1), When::Epoch(2), When::Epoch(3)]),
        metric: Metric::TestAccuracy,
        margin: 0.25,
    }
}

fn effect_of(spec: &Spec, records: &[CellRecord]) -> Option<String> {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let scores = PairedScores::new(spec, &cells, &summary.arms);
    svg(effect(spec, &scores, Theme::Screen).expect("a figure or none"))
}

#[test]
fn effect_figure_has_facets_lines_and_intervals() {
    let mut spec = crossed(5, 3);
    assert_eq!(effect_of(&spec, &records(&spec)), None);
    spec.figure = Some(asked());
    let svg = effect_of(&spec, &records(&spec)).expect("a figure");
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 3 * 2);
    assert_eq!(count(&svg, "class=\"interval\""), 3 * 2 * 2);
    assert_eq!(count(&svg, "class=\"zero\""), 3);
    assert_eq!(count(&svg, "class=\"key\""), 2);
    let texts = texts(&svg);
    for text in [
        "after 1 epoch (n = 5)",
        "after 3 epochs (n = 5)",
        "relu label",
        "tanh label",
        "8",
        "32",
    ] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    let caption = texts.join(" ");
    assert!(
        caption.contains("Batch label (norm factor) against none label (norm factor)"),
        "{caption}"
    );
    assert!(
        caption.contains("above 0, batch label (norm factor) is better"),
        "{caption}"
    );
}

#[test]
fn effect_figure_averages_unused_factors() {
    let mut spec = crossed(4, 1);
    let mut figure = asked();
    (figure.lines, figure.panels) = (None, Panels::Factor("act".into()));
    spec.figure = Some(figure.clone());
    let svg = effect_of(&spec, &records(&spec)).expect("a figure");
    assert_eq!(count(&svg, "class=\"series\""), 2);
    assert_eq!(count(&svg, "class=\"key\""), 0);
    assert!(texts(&svg).contains(&"tanh label (n = 4)"));
    figure.panels = Panels::One;
    spec.figure = Some(figure);
    let svg = effect_of(&spec, &records(&spec)).expect("a figure");
    assert_eq!(count(&svg, "class=\"series\""), 1);
    assert!(texts(&svg).join(" ").contains("Mean over act factor"));
}

#[test]
fn points_without_a_seed_are_left_out() {
    let mut spec = crossed(2, 3);
    spec.figure = Some(asked());
    let mut records = records(&spec);
    let lost = records.iter().filter(|r| r.arm == "batch-relu-8");
    let lost: Vec<u64> = lost.map(|r| r.seed).collect();
    lost.iter()
        .for_each(|&seed| diverge(&mut records, "batch-relu-8", seed));
    let svg = effect_of(&spec, &records).expect("the others are there");
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"interval\""), 3 * 2 * 2 - 3);
}
