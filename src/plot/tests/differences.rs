//! Improvements per contrast.

use super::*;
use crate::analysis::fixture::{crossed, set_accuracy};
use crate::spec::{Expect, Metric};

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
