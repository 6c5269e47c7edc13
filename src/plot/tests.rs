use super::curves::curves;
use super::differences::differences;
use super::distributions::distributions;
use super::effect::effect;
use super::factorial::{dose_response, interaction};
use super::matrices::matrices;
use super::traces::{probe_series, traces};
use crate::analysis::fixture::{crossed, diverge, records, set_accuracy, spec};
use crate::analysis::{Cells, PairedScores, summarize};
use crate::recipe::{Evaluate, Length};
use crate::record::CellRecord;
use crate::spec::{Expect, Figure, Metric, Panels, Spec, When};
use ablate_models::zoo::ModelConfig;
use std::collections::HashSet;

fn drawn(spec: &Spec, records: &[CellRecord]) -> (Option<String>, Option<String>) {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let curves = curves(spec, &cells, &summary).expect("a figure");
    (curves, differences(&summary).expect("a figure"))
}

fn curves_of(spec: &Spec, records: &[CellRecord]) -> String {
    drawn(spec, records).0.expect("finished cells")
}

fn differences_of(spec: &Spec, records: &[CellRecord]) -> String {
    drawn(spec, records).1.expect("pairs")
}

/// The drawn texts of a figure.
fn texts(svg: &str) -> Vec<&str> {
    svg.split("<text")
        .skip(1)
        .filter_map(|t| t.split('\n').nth(1))
        .collect()
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

/// Every drawn point and the size of the view box, both in its units.
fn points(svg: &str) -> (Vec<(f64, f64)>, (f64, f64)) {
    let lists = svg
        .split("points=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let points = lists.flat_map(str::split_whitespace).map(|p| {
        let (x, y) = p.split_once(',').expect("a pair");
        (x.parse().expect("a number"), y.parse().expect("a number"))
    });
    let size = svg
        .split("viewBox=\"0 0 ")
        .nth(1)
        .and_then(|s| s.split('"').next())
        .expect("a size");
    let (width, height) = size.split_once(' ').expect("two numbers");
    (
        points.collect(),
        (
            width.parse().expect("a width"),
            height.parse().expect("a height"),
        ),
    )
}

fn assert_sound(svg: &str) {
    for bad in ["NaN", "inf", "-214748364", "214748364"] {
        assert!(!svg.contains(bad), "{bad} in\n{svg}");
    }
    let (points, (width, height)) = points(svg);
    assert!(!points.is_empty());
    for (x, y) in points {
        assert!(
            (0.0..=width).contains(&x) && (0.0..=height).contains(&y),
            "{x}, {y}"
        );
    }
}

#[test]
fn curves_have_a_line_and_band_per_arm() {
    let spec = spec(3, 5, 3);
    let svg = curves_of(&spec, &records(&spec));
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 6);
    assert_eq!(count(&svg, "class=\"key\""), 3);
    assert_eq!(count(&svg, "<polygon"), 6 + 3);
    let texts = texts(&svg);
    for label in [
        "Validation",
        "Test",
        "epoch",
        "accuracy (%)",
        "a label",
        "b label",
        "c label",
        "1",
        "2",
        "3",
    ] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
    let caption = texts.join(" ");
    assert!(
        caption.contains("mean over 5 seeds; band: 95 % t interval"),
        "{caption}"
    );
}

#[test]
fn without_validation_there_is_one_facet() {
    let mut spec = spec(2, 3, 3);
    spec.arms
        .iter_mut()
        .for_each(|arm| arm.data.validation = 0.0);
    let svg = curves_of(&spec, &records(&spec));
    assert_eq!(count(&svg, "class=\"series\""), 2);
    assert!(!texts(&svg).contains(&"Validation"));
}

#[test]
fn lines_of_35_arms_differ() {
    let looks: HashSet<_> = (0..35)
        .map(super::style::series)
        .map(|(c, d)| ((c.0, c.1, c.2), d))
        .collect();
    assert_eq!(looks.len(), 35);
    let spec = spec(8, 3, 2);
    let svg = curves_of(&spec, &records(&spec));
    let dashed = svg
        .split("<polyline class=\"key\"")
        .filter(|p| p.starts_with(" stroke-dasharray"));
    assert_eq!(
        dashed.count(),
        6,
        "two of eight lines are solid, in different colours"
    );
}

#[test]
fn first_epochs_do_not_flatten_the_rest() {
    let spec = spec(2, 4, 20);
    let mut records = records(&spec);
    for record in &mut records {
        record.epochs[0].test.accuracy = 3.0;
        record.epochs[0]
            .validation
            .as_mut()
            .expect("a split")
            .accuracy = 3.0;
    }
    let svg = curves_of(&spec, &records);
    assert_sound(&svg);
    let texts = texts(&svg);
    assert!(texts.join(" ").contains("leaves out lower accuracies"));
    assert!(
        texts.contains(&"97.0") && !texts.contains(&"50"),
        "{texts:?}"
    );
    assert_eq!(
        count(&svg, "class=\"series\""),
        4,
        "lines are cut, not dropped"
    );
}

#[test]
fn arm_far_below_the_others_is_shown() {
    let spec = spec(3, 4, 20);
    let mut records = records(&spec);
    for epoch in records
        .iter_mut()
        .filter(|r| r.arm == "c")
        .flat_map(|r| &mut r.epochs)
    {
        epoch.test.accuracy = 11.35;
        epoch.validation.as_mut().expect("a split").accuracy = 11.35;
    }
    let svg = curves_of(&spec, &records);
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 6);
    assert!(texts(&svg).contains(&"20"), "{:?}", texts(&svg));
}

#[test]
fn extreme_designs_can_be_drawn() {
    for (arms, seeds, epochs) in [(1, 1, 1), (2, 1, 2), (2, 2, 60), (8, 2, 1), (12, 3, 5)] {
        let spec = spec(arms, seeds, epochs);
        let (curves, differences) = drawn(&spec, &records(&spec));
        assert_sound(&curves.expect("a figure"));
        assert_eq!(differences.is_some(), arms > 1);
        differences.iter().for_each(|svg| assert_sound(svg));
    }
}

#[test]
fn legend_has_the_number_of_finished_seeds() {
    let spec = spec(2, 4, 2);
    let mut records = records(&spec);
    diverge(&mut records, "b", 1);
    assert!(texts(&curves_of(&spec, &records)).contains(&"b label (n = 3)"));
    (0..4).for_each(|seed| diverge(&mut records, "b", seed));
    let svg = curves_of(&spec, &records);
    assert!(texts(&svg).contains(&"b label (no seed finished)"));
    assert_eq!(count(&svg, "class=\"series\""), 2);
    (0..4).for_each(|seed| diverge(&mut records, "a", seed));
    assert_eq!(drawn(&spec, &records), (None, None));
}

#[test]
fn labels_are_escaped() {
    let mut spec = spec(2, 3, 2);
    spec.arms[0].label = "<polyline class=\"series\"> & a pipe |\u{1}".to_owned();
    spec.arms[1].label = "a label that is far too long for one line ".repeat(9);
    spec.title = "p < 0.05 & so on".to_owned();
    let svg = curves_of(&spec, &records(&spec));
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 4);
    assert!(svg.contains("<title>p &lt; 0.05 &amp; so on"));
    assert!(!svg.contains('\u{1}'));
    assert!(texts(&svg).iter().any(|t| t.ends_with('…')));
}

#[test]
fn contrasts_have_a_dot_per_pair_and_numbers() {
    let mut spec = spec(3, 6, 2);
    spec.contrasts[1].expect = Expect::Better;
    let svg = differences_of(&spec, &records(&spec));
    assert_sound(&svg);
    assert_eq!(count(&svg, "<circle"), 12);
    assert_eq!(count(&svg, "class=\"zero\""), 2);
    let texts = texts(&svg);
    for label in [
        "b-vs-a",
        "c-vs-a",
        "improvement (points)",
        "treatment better →",
    ] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
    assert_eq!(
        texts.iter().filter(|t| t.contains("(predicted ")).count(),
        2
    );
}

#[test]
fn metrics_and_sizes_have_their_own_axes() {
    let mut spec = spec(4, 4, 2);
    spec.contrasts[0].metric = Metric::TestNll;
    let mut records = records(&spec);
    for seed in 0..4 {
        set_accuracy(&mut records, "d", seed, 20.0);
    }
    let svg = differences_of(&spec, &records);
    let axes: Vec<&str> = texts(&svg)
        .into_iter()
        .filter(|t| t.starts_with("improvement ("))
        .collect();
    assert_eq!(
        axes,
        [
            "improvement (points)",
            "improvement (points)",
            "improvement (nats)"
        ]
    );
}

#[test]
fn equal_pairs_are_counted_at_zero() {
    let spec = spec(2, 20, 1);
    let mut records = records(&spec);
    for seed in 0..20 {
        set_accuracy(&mut records, "a", seed, 90.0);
        set_accuracy(&mut records, "b", seed, 90.0);
    }
    let svg = differences_of(&spec, &records);
    assert_sound(&svg);
    assert_eq!(count(&svg, "<circle"), 20);
    assert!(texts(&svg).contains(&"×20") && texts(&svg).contains(&"exactly equal in all pairs"));
}

#[test]
fn figures_are_deterministic() {
    let spec = spec(3, 4, 5);
    let records = records(&spec);
    assert_eq!(drawn(&spec, &records), drawn(&spec, &records));
}

fn factorial(spec: &Spec, records: &[CellRecord]) -> (Option<String>, Option<String>) {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let scores = PairedScores::new(spec, &cells, &summary.arms);
    (
        interaction(&summary, &scores).expect("a figure"),
        dose_response(&summary, &scores).expect("a figure"),
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
        "8 label",
        "32 label",
        "test accuracy (%)",
    ] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
    let caption = texts.join(" ");
    assert!(
        caption.contains("95 % t interval over 5 seeds"),
        "{caption}"
    );
}

#[test]
fn wide_doses_get_a_logarithmic_axis() {
    let mut spec = crossed(5, 1);
    let svg = factorial(&spec, &records(&spec)).1.expect("a width");
    assert_sound(&svg);
    assert!(texts(&svg).contains(&"width factor"));
    spec.factors[2].levels[1].value = Some(800.0);
    let svg = factorial(&spec, &records(&spec)).1.expect("a width");
    let texts = texts(&svg);
    assert!(
        texts.contains(&"width factor, logarithmic scale"),
        "{texts:?}"
    );
    assert!(texts.contains(&"8") && texts.contains(&"800"), "{texts:?}");
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

#[test]
fn interactions_have_their_own_axis() {
    let spec = crossed(6, 1);
    let svg = differences_of(&spec, &records(&spec));
    assert_sound(&svg);
    let texts = texts(&svg);
    for label in [
        "Improvement in test accuracy",
        "Interaction in test accuracy",
        "difference of improvements (points)",
        "gains more at the first level →",
    ] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
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
    effect(spec, &scores).expect("a figure or none")
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
        "after 1 epoch",
        "after 3 epochs",
        "relu label",
        "tanh label",
        "8",
        "32",
    ] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    let caption = texts.join(" ");
    assert!(
        caption.contains("Batch label against none label"),
        "{caption}"
    );
    assert!(caption.contains("over 5 seeds"), "{caption}");
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
    assert!(texts(&svg).contains(&"tanh label"));
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

#[test]
fn curves_by_steps_have_a_step_axis() {
    let mut spec = spec(2, 3, 1);
    for arm in &mut spec.arms {
        arm.train.length = Length::Steps(250);
        arm.train.evaluate = Evaluate::Every(100);
    }
    let svg = curves_of(&spec, &records(&spec));
    assert_sound(&svg);
    let texts = texts(&svg);
    for text in ["step", "100", "200"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
}

/// The traces and the series of a figure of probes.
fn probed(spec: &Spec, records: &[CellRecord]) -> [Option<String>; 2] {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let along = traces(spec, &cells, &summary).expect("a figure");
    let trained = probe_series(spec, &cells, &summary).expect("a figure");
    [along, trained]
}

/// Records with two traces (one of them of the whole net and of a block) and one curve per block.
fn with_probes(spec: &Spec) -> Vec<CellRecord> {
    let mut records = records(spec);
    for record in &mut records {
        let epochs = record.epochs.len();
        let trace = |from: f64| {
            (0..epochs)
                .map(|e| from + e as f64 / 10.0)
                .collect::<Vec<_>>()
        };
        for name in ["update_gini", "update_gini.blocks.0", "cancellation"] {
            record
                .traces
                .insert(name.to_owned(), trace(record.seed as f64));
        }
        for name in ["ablation_curve.blocks.0", "ablation_curve.blocks.1"] {
            let curve = vec![98.0 - record.seed as f64, 70.0, 10.0];
            record.series.insert(name.to_owned(), curve);
        }
    }
    records
}

#[test]
fn probe_figures_have_a_facet_per_quantity() {
    let spec = spec(3, 4, 5);
    let [along, trained] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    for svg in [&along, &trained] {
        assert_sound(svg);
        // Two facets of three arms. The block has none, because the whole net was measured too.
        assert_eq!(count(svg, "class=\"series\""), 6);
        assert_eq!(count(svg, "class=\"key\""), 3);
        assert!(
            texts(svg)
                .iter()
                .any(|t| t.starts_with("Line: mean over 4 seeds"))
        );
    }
    assert_eq!(texts(&along).iter().filter(|t| **t == "epoch").count(), 2);
    let removed = |t: &&&str| t.starts_with("share of the block");
    assert_eq!(texts(&trained).iter().filter(removed).count(), 2);
    assert_eq!(probed(&spec, &records(&spec)), [None, None]);
}

#[test]
fn many_crossed_arms_are_grouped_by_factors() {
    let spec = crossed(3, 2);
    let [along, _] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    assert_sound(&along);
    // The norm is varied; two activations and two widths make four facets per quantity.
    assert_eq!(count(&along, "class=\"series\""), 2 * 4 * 2);
    assert_eq!(count(&along, "class=\"key\""), 2);
    let group = "relu label, 8 label";
    assert_eq!(texts(&along).iter().filter(|t| **t == group).count(), 2);
}

#[test]
fn distributions_have_a_facet_per_arm() {
    let spec = spec(3, 4, 5);
    let mut records = records(&spec);
    // The last arm has no scales.
    for record in records.iter_mut().filter(|record| record.arm != "c") {
        for (point, at) in [("low", 0.5), ("median", 1.0), ("high", 1.5)] {
            for block in ["blocks.0", "blocks.1"] {
                let trace = (0..5).map(|e| at + f64::from(e) / 100.0).collect();
                record
                    .traces
                    .insert(format!("scale_{point}.{block}"), trace);
            }
        }
        for name in ["scale_sd.blocks.0", "cancellation"] {
            record.traces.insert(name.to_owned(), vec![0.25; 5]);
        }
    }
    let summary = summarize(&spec, &records).expect("records of one run");
    let cells = Cells::new(&spec, &records).expect("records of one run");
    let figures = distributions(&spec, &cells, &summary).expect("figures");
    let [(kind, svg)] = &figures[..] else {
        panic!("{} figures", figures.len());
    };
    assert_eq!(kind.file, "scales.svg");
    assert_sound(svg);
    assert_eq!(count(svg, "class=\"series\""), 2 * 2);
    assert_eq!(count(svg, "class=\"key\""), 2);
    let texts = texts(svg);
    for arm in ["a label", "b label"] {
        assert_eq!(texts.iter().filter(|t| **t == arm).count(), 1, "{arm}");
    }
    assert!(!texts.contains(&"c label"));
    let caption =
        "Line: median of the learned scales over the units of a block. Band: from the 5 %";
    assert!(texts.iter().any(|t| t.starts_with(caption)), "{texts:?}");
    // Both facets have the same ticks.
    let ticks = texts.iter().filter(|t| **t == "1.0").count();
    assert_eq!(ticks, 2, "{texts:?}");

    let along = traces(&spec, &cells, &summary).expect("a figure");
    let along = along.expect("something else was traced");
    assert_eq!(count(&along, "class=\"series\""), 2);
}

#[test]
fn matrices_have_a_facet_per_arm() {
    let mut spec = spec(2, 3, 2);
    for arm in &mut spec.arms {
        let ModelConfig::Mlp(mlp) = &mut arm.model else {
            unreachable!("the fixture's models are MLPs")
        };
        mlp.hidden = vec![2, 2];
    }
    let mut records = records(&spec);
    let drawn = |records: &[CellRecord]| {
        let summary = summarize(&spec, records).expect("records of one run");
        let cells = Cells::new(&spec, records).expect("records of one run");
        matrices(&spec, &cells, &summary).expect("a figure")
    };
    assert_eq!(drawn(&records), None);
    for record in &mut records {
        let matrix = vec![0.5, -1.0, -1.0, 0.25];
        for name in ["within.blocks.0", "across.blocks.0", "within.blocks.1"] {
            let name = format!("interaction_{name}");
            record.series.insert(name, matrix.clone());
        }
    }
    let svg = drawn(&records).expect("matrices");
    assert_sound(&svg);
    let named = |name: &str| texts(&svg).iter().filter(|t| **t == name).count();
    // At the left of each matrix and below it.
    assert_eq!([named("blocks.0"), named("blocks.1")], [4, 4]);
    let first = records.iter().map(|r| r.seed).min().expect("records");
    let caption = format!("of the net of seed {first}");
    let words = texts(&svg).join(" ");
    assert!(words.contains(&caption), "{words}");
    for record in &mut records {
        record.series.remove("interaction_across.blocks.0");
    }
    assert_eq!(drawn(&records), None);
}
