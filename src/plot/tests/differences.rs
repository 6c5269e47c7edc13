//! Improvements per contrast.

use super::*;
use crate::analysis::fixture::{crossed, set_accuracy};
use crate::spec::{Expect, Metric, When};

#[test]
fn contrasts_have_a_dot_per_pair_and_numbers() {
    let mut spec = spec(3, 6, 2);
    spec.contrasts[1].expect = Expect::Better;
    let svg = differences_of(&spec, &records(&spec));
    assert_sound(&svg);
    assert_eq!(count(&svg, "<circle"), 12 + 2, "seeds and signs");
    assert_eq!(count(&svg, "class=\"zero\""), 2);
    let texts = texts(&svg);
    for label in [
        "← a label better",
        "b label better →",
        "c label better →",
        "difference (points)",
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
        .filter(|t| t.starts_with("difference ("))
        .collect();
    assert_eq!(
        axes,
        [
            "difference (points)",
            "difference (points)",
            "difference (nats)"
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
    assert_eq!(count(&svg, "<circle"), 20 + 1);
    let texts = texts(&svg);
    assert!(texts.contains(&"×20"), "{texts:?}");
    assert!(
        texts.contains(&"exactly equal in all pairs, n = 20"),
        "{texts:?}"
    );
}

#[test]
fn interactions_have_their_own_axis() {
    let spec = crossed(6, 1);
    let svg = differences_of(&spec, &records(&spec));
    assert_sound(&svg);
    let texts = texts(&svg);
    for label in [
        "Test accuracy",
        "Interaction in test accuracy",
        "difference of differences (points)",
        "norm factor: batch label against none label, with relu label, mean over width factor",
    ] {
        assert!(texts.contains(&label), "{label}: {texts:?}");
    }
}

#[test]
fn secondary_contrasts_are_exploratory_without_a_prediction() {
    let mut spec = spec(3, 6, 2);
    spec.contrasts[1].primary = false;
    let svg = differences_of(&spec, &records(&spec));
    let texts = texts(&svg);
    let predicted = texts.iter().filter(|t| t.starts_with("(predicted "));
    assert_eq!(predicted.count(), 1, "{texts:?}");
    assert!(texts.contains(&"(exploratory)"), "{texts:?}");
}

#[test]
fn earlier_evaluation_is_named() {
    let mut spec = spec(2, 6, 3);
    spec.contrasts[0].when = When::Epoch(2);
    let svg = differences_of(&spec, &records(&spec));
    assert!(texts(&svg).contains(&"After 2 epochs"));
}
