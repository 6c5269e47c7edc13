use super::{
    curves, differences, distributions, dose_response, effect, interaction, matrices, probe_series,
    traces,
};
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

/// The texts of a figure, as drawn.
fn texts(svg: &str) -> Vec<&str> {
    svg.split("<text")
        .skip(1)
        .filter_map(|t| t.split('\n').nth(1))
        .collect()
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

/// Every drawn point, in units of the view box, and the size of the view box.
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
fn every_arm_has_a_line_and_a_band_in_both_panels_and_a_key_in_the_legend() {
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
fn without_validation_there_is_one_panel() {
    let mut spec = spec(2, 3, 3);
    spec.arms
        .iter_mut()
        .for_each(|arm| arm.data.validation = 0.0);
    let svg = curves_of(&spec, &records(&spec));
    assert_eq!(count(&svg, "class=\"series\""), 2);
    assert!(!texts(&svg).contains(&"Validation"));
}

#[test]
fn no_two_of_many_arms_look_alike() {
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
fn the_first_epochs_do_not_squash_the_rest_and_the_caption_says_so() {
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
fn an_arm_far_below_the_others_stays_in_the_figure() {
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
fn a_legend_entry_says_how_many_seeds_an_arm_lost() {
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
fn labels_of_any_kind_stay_text() {
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
fn every_pair_is_a_dot_and_every_contrast_has_its_numbers() {
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
        texts.iter().filter(|t| t.contains("(predicted: ")).count(),
        2
    );
}

#[test]
fn each_metric_has_its_own_axis_and_so_do_differences_of_another_size() {
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
fn pairs_that_never_differ_are_drawn_at_zero_and_counted() {
    let spec = spec(2, 20, 1);
    let mut records = records(&spec);
    for seed in 0..20 {
        set_accuracy(&mut records, "a", seed, 90.0);
        set_accuracy(&mut records, "b", seed, 90.0);
    }
    let svg = differences_of(&spec, &records);
    assert_sound(&svg);
    assert_eq!(count(&svg, "<circle"), 20);
    assert!(texts(&svg).contains(&"×20") && texts(&svg).contains(&"all pairs exactly equal"));
}

#[test]
fn figures_are_the_same_bytes_each_time() {
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
fn an_interaction_plot_has_a_line_a_level_a_panel_a_level_and_a_dot_a_seed() {
    let spec = crossed(5, 1);
    let svg = factorial(&spec, &records(&spec)).0.expect("two factors");
    assert_sound(&svg);
    // Norm on the axis, a line for each activation, a panel for each width.
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
fn a_dose_stands_at_its_place_on_the_axis() {
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
fn the_planned_interaction_decides_the_axes_and_further_factors_are_averaged_over() {
    let mut spec = crossed(4, 1);
    let level = spec.factors[2].levels[0].clone();
    spec.factors[2].levels.extend(vec![level; 3]);
    for (k, level) in spec.factors[2].levels.iter_mut().enumerate() {
        level.name = k.to_string();
        level.value = None;
    }
    // Five levels are too many for panels; three of them have no cells, so no mean can be taken.
    assert_eq!(factorial(&spec, &records(&spec)), (None, None));
    spec.factors[2].levels.truncate(2);
    spec.contrasts.remove(2);
    let svg = factorial(&spec, &records(&spec)).0.expect("two factors");
    assert!(texts(&svg).contains(&"norm factor"), "the first factor");
}

#[test]
fn cells_without_results_leave_gaps_and_none_at_all_no_figure() {
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
fn a_seed_far_off_does_not_squash_the_cells_and_is_counted() {
    let spec = crossed(40, 8);
    let mut records = records(&spec);
    set_accuracy(&mut records, "none-relu-8", 0, 12.0);
    let svg = factorial(&spec, &records).0.expect("a figure");
    assert_sound(&svg);
    let caption = texts(&svg).join(" ");
    assert!(caption.contains("One dot lies outside."), "{caption}");
}

#[test]
fn interactions_have_their_own_axis_of_differences() {
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

/// The effect of the norm along the width, a line for each activation, after 1, 2 and 3 epochs.
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
fn an_asked_for_figure_has_a_panel_a_time_a_line_a_level_and_a_bar_a_point() {
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
fn a_factor_can_make_the_panels_and_what_has_no_place_is_averaged_over() {
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
fn points_without_a_seed_are_left_out_of_a_figure() {
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
fn curves_by_steps_stand_at_their_steps() {
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

/// The two figures of probes: along training, and of the trained nets.
fn probed(spec: &Spec, records: &[CellRecord]) -> [Option<String>; 2] {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let along = traces(spec, &cells, &summary).expect("a figure");
    let trained = probe_series(spec, &cells, &summary).expect("a figure");
    [along, trained]
}

/// Records with two traces, one of them of the whole net and of a block, and a curve of two blocks.
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
fn figures_of_probes_have_a_panel_a_quantity_and_a_line_an_arm() {
    let spec = spec(3, 4, 5);
    let [along, trained] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    for svg in [&along, &trained] {
        assert_sound(svg);
        // Two panels of three arms: the block of a quantity of the whole net has none of its own.
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
fn a_crossed_design_with_many_arms_has_a_line_a_level_and_panels_for_the_other_factors() {
    let spec = crossed(3, 2);
    let [along, _] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    assert_sound(&along);
    // The norm is varied; two activations and two widths make four panels for each quantity.
    assert_eq!(count(&along, "class=\"series\""), 2 * 4 * 2);
    assert_eq!(count(&along, "class=\"key\""), 2);
    let group = "relu label, 8 label";
    assert_eq!(texts(&along).iter().filter(|t| **t == group).count(), 2);
}

#[test]
fn a_distribution_has_a_panel_an_arm_and_a_line_a_block_and_is_left_out_of_the_traces() {
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
    let [(name, svg)] = &figures[..] else {
        panic!("{} figures", figures.len());
    };
    assert_eq!(*name, "scales.svg");
    assert_sound(svg);
    assert_eq!(count(svg, "class=\"series\""), 2 * 2);
    assert_eq!(count(svg, "class=\"key\""), 2);
    let texts = texts(svg);
    for arm in ["a label", "b label"] {
        assert_eq!(texts.iter().filter(|t| **t == arm).count(), 1, "{arm}");
    }
    assert!(!texts.contains(&"c label"));
    let caption = "Of learned scales: line, median over the units of a block; band, from the 5 %";
    assert!(texts.iter().any(|t| t.starts_with(caption)), "{texts:?}");
    // Both panels have the same ticks.
    let ticks = texts.iter().filter(|t| **t == "1.0").count();
    assert_eq!(ticks, 2, "{texts:?}");

    let along = traces(&spec, &cells, &summary).expect("a figure");
    let along = along.expect("something else was traced");
    assert_eq!(count(&along, "class=\"series\""), 2);
}

#[test]
fn interactions_of_units_have_a_panel_an_arm_and_leave_out_what_fits_nowhere() {
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
    // Beside each matrix and under it.
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
