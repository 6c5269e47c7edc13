//! Accuracy curves.

use super::*;
use crate::analysis::fixture::{crossed, diverge, test_scores};
use crate::recipe::{Evaluate, Length};
use std::collections::HashSet;

#[test]
fn curves_have_a_line_and_band_per_arm() {
    let spec = spec(3, 5, 3);
    let svg = curves_of(&spec, &records(&spec));
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 3);
    assert_eq!(count(&svg, "class=\"key\""), 3);
    assert_eq!(count(&svg, "<polygon"), 3 + 3);
    let texts = texts(&svg);
    for label in [
        "test accuracy (%) against epoch",
        "n = 5",
        "epoch",
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
        caption.contains("mean over n seeds; band: 95 % t interval"),
        "{caption}"
    );
}

#[test]
fn single_evaluation_has_no_curves() {
    let spec = spec(2, 3, 1);
    assert_eq!(drawn(&spec, &records(&spec)).0, None);
}

#[test]
fn crossed_arms_have_a_panel_per_combination() {
    let spec = crossed(3, 4);
    let svg = curves_of(&spec, &records(&spec));
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 8);
    assert_eq!(count(&svg, "class=\"key\""), 2);
    assert!(texts(&svg).contains(&"relu label, 8 label (n = 3)"));
}

#[test]
fn lines_of_35_arms_differ() {
    let looks: HashSet<_> = (0..35)
        .map(crate::plot::style::series)
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
        test_scores(&mut record.epochs[0]).accuracy = 3.0;
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
        texts.iter().any(|t| t.starts_with("97")) && !texts.contains(&"50"),
        "{texts:?}"
    );
    assert_eq!(
        count(&svg, "class=\"series\""),
        2,
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
        test_scores(epoch).accuracy = 11.35;
        epoch.validation.as_mut().expect("a split").accuracy = 11.35;
    }
    let svg = curves_of(&spec, &records);
    assert_sound(&svg);
    assert_eq!(count(&svg, "class=\"series\""), 3);
    assert!(texts(&svg).contains(&"20"), "{:?}", texts(&svg));
}

#[test]
fn legend_has_the_number_of_finished_seeds() {
    let spec = spec(2, 4, 2);
    let mut records = records(&spec);
    diverge(&mut records, "b", 1);
    assert!(texts(&curves_of(&spec, &records)).contains(&"b label (n = 3)"));
    (0..4).for_each(|seed| diverge(&mut records, "b", seed));
    let svg = curves_of(&spec, &records);
    assert_eq!(count(&svg, "class=\"series\""), 1);
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
    assert_eq!(count(&svg, "class=\"series\""), 2);
    assert!(svg.contains("<title>p &lt; 0.05 &amp; so on"));
    assert!(!svg.contains('\u{1}'));
    assert!(texts(&svg).iter().any(|t| t.ends_with('…')));
}

#[test]
fn curves_by_steps_have_a_step_axis() {
    let mut spec = spec(2, 3, 1);
    for arm in &mut spec.arms {
        let net = arm.net_mut().unwrap();
        net.train.length = Length::Steps(250);
        net.train.evaluate = Evaluate::Every(100);
    }
    let svg = curves_of(&spec, &records(&spec));
    assert_sound(&svg);
    let texts = texts(&svg);
    for text in ["step", "100", "200"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
}

#[test]
fn values_are_those_of_the_lines() {
    let spec = spec(3, 5, 3);
    let records = records(&spec);
    let cells = Cells::new(&spec, &records).unwrap();
    let summary = summarize(&spec, &records).unwrap();
    let curves = super::super::curves::curves(&spec, &cells, &summary, Theme::Screen)
        .unwrap()
        .unwrap();
    let [panel] = &curves.panels[..] else {
        panic!("{curves:?}");
    };
    assert_eq!(
        (curves.axis, &panel.at[..]),
        ("epoch", &[1.0, 2.0, 3.0][..])
    );
    assert_eq!(panel.lines.len(), 3);
    for (line, arm) in panel.lines.iter().zip(&summary.arms) {
        let last = &arm.test.as_ref().unwrap().accuracy;
        assert!((line.means[2].unwrap() - last.mean).abs() < 1e-3 * last.mean);
        assert!(line.halves.iter().all(|half| half.unwrap() > 0.0));
        assert_eq!(line.seeds, [5, 5]);
    }
    // The line starts where the panel says that the first epoch is.
    let [left, _, right, _] = panel.frame;
    let [low, high] = panel.range;
    let x = left + (1.0 - low) / (high - low) * (right - left);
    let start = format!(" points=\"{x:.0},");
    let own: Vec<&str> = (curves.svg.lines())
        .filter(|line| line.contains("class=\"series\" data-series=\"0\""))
        .collect();
    assert!(own.len() == 1 && own[0].contains(&start), "{start} {own:?}");
}
