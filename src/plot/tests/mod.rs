//! Figures of small synthetic runs.

mod curves;
mod differences;
mod factors;
mod probes;

use super::curves::curves;
use super::differences::differences;
use super::{Drawing, Theme};
use crate::analysis::fixture::{records, spec};
use crate::analysis::{Cells, summarize};
use crate::record::CellRecord;
use crate::spec::Spec;

fn svg(drawing: Option<Drawing>) -> Option<String> {
    drawing.map(|drawing| drawing.svg)
}

fn drawn(spec: &Spec, records: &[CellRecord]) -> (Option<String>, Option<String>) {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let curves = curves(spec, &cells, &summary, Theme::Screen).expect("a figure");
    (
        curves.map(|curves| curves.svg),
        svg(differences(&summary, Theme::Screen).expect("a figure")),
    )
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
fn extreme_designs_can_be_drawn() {
    for (arms, seeds, epochs) in [(1, 1, 1), (2, 1, 2), (2, 2, 60), (8, 2, 1), (12, 3, 5)] {
        let spec = spec(arms, seeds, epochs);
        let (curves, differences) = drawn(&spec, &records(&spec));
        assert_eq!(curves.is_some(), epochs > 1);
        curves.iter().for_each(|svg| assert_sound(svg));
        assert_eq!(differences.is_some(), arms > 1);
        differences.iter().for_each(|svg| assert_sound(svg));
    }
}

#[test]
fn figures_are_deterministic() {
    let spec = spec(3, 4, 5);
    let records = records(&spec);
    assert_eq!(drawn(&spec, &records), drawn(&spec, &records));
}
