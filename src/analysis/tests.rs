use super::fixture::{crossed, diverge, records, set_accuracy, spec, test_scores};
use super::{AnalysisError, Summary, summarize};
use crate::record::{CellRecord, Outcome};
use crate::spec::{Expect, Metric, Spec, When};
use crate::stats::{Finding, Verdict};
use proptest::prelude::*;

fn validation(records: &mut [CellRecord], rate: f64, seed: u64, accuracy: f64, nll: f64) {
    let cell = records
        .iter_mut()
        .find(|r| r.learning_rate == Some(rate) && r.seed == seed);
    let last = cell.and_then(|r| r.epochs.last_mut()).expect("a cell");
    let scores = last.validation.as_mut().expect("a validation split");
    (scores.accuracy, scores.nll) = (accuracy, nll);
}

/// One arm with three learning rates and two seeds; `scores` are validation accuracy and NLL per rate.
fn grid(scores: [(f64, f64); 3]) -> (Spec, Vec<CellRecord>) {
    let mut spec = spec(1, 2, 2);
    spec.arms[0].learning_rates = vec![0.1, 0.001, 0.01];
    let mut records = records(&spec);
    for (rate, (accuracy, nll)) in [0.1, 0.001, 0.01].into_iter().zip(scores) {
        validation(&mut records, rate, 0, accuracy - 1.0, nll);
        validation(&mut records, rate, 1, accuracy + 1.0, nll);
    }
    (spec, records)
}

fn chosen(spec: &Spec, records: &[CellRecord]) -> f64 {
    let summary = summarize(spec, records).expect("records of one run");
    summary.arms[0].learning_rate.expect("a net")
}

#[test]
fn best_validation_accuracy_selects_the_rate() {
    let (spec, mut records) = grid([(90.0, 0.1), (91.0, 0.9), (89.0, 0.1)]);
    for record in &mut records {
        let rate = record.learning_rate.expect("a net");
        test_scores(record.epochs.last_mut().expect("an epoch")).accuracy = rate * 900.0;
    }
    assert_eq!(chosen(&spec, &records), 0.001);
}

#[test]
fn ties_take_lower_nll_then_smaller_rate() {
    let (spec, records) = grid([(90.0, 0.2), (90.0, 0.3), (89.0, 0.1)]);
    assert_eq!(chosen(&spec, &records), 0.1);
    let (spec, records) = grid([(90.0, 0.2), (90.0, 0.2), (90.0, 0.2)]);
    assert_eq!(chosen(&spec, &records), 0.001);
}

#[test]
fn divergent_rate_loses_to_finished_rate() {
    let (spec, mut records) = grid([(99.0, 0.1), (50.0, 0.9), (40.0, 0.9)]);
    diverge(&mut records, "a", 0);
    assert_eq!(records[0].learning_rate, Some(0.1));
    assert_eq!(chosen(&spec, &records), 0.001);
    records.remove(0);
    assert_eq!(
        chosen(&spec, &records),
        0.001,
        "a missing cell counts as unfinished"
    );
}

#[test]
fn grid_is_reported_and_its_ends_warned_about() {
    let (spec, records) = grid([(90.0, 0.1), (91.0, 0.9), (89.0, 0.1)]);
    let summary = summarize(&spec, &records).unwrap();
    let means: Vec<f64> = summary.arms[0]
        .grid
        .iter()
        .map(|r| r.validation.as_ref().unwrap().accuracy.mean)
        .collect();
    assert_eq!(means, [90.0, 91.0, 89.0]);
    assert!(
        summary
            .warnings
            .iter()
            .any(|w| w.contains("is the smallest of its grid in `a` (0.001)")),
        "{summary:?}"
    );
    let (spec, records) = grid([(90.0, 0.1), (89.0, 0.9), (91.0, 0.1)]);
    let summary = summarize(&spec, &records).unwrap();
    assert!(
        !summary.warnings.iter().any(|w| w.contains("of its grid")),
        "0.01 is inside"
    );
}

#[test]
fn primary_arms_at_the_edge_of_the_grid_are_named() {
    let mut spec = spec(3, 4, 1);
    spec.contrasts[1].primary = false;
    for arm in &mut spec.arms {
        arm.learning_rates = vec![0.1, 0.01, 0.001];
    }
    let mut records = records(&spec);
    for record in &mut records {
        let last = record.epochs.last_mut().expect("an epoch");
        let scores = last.validation.as_mut().expect("a split");
        let best = if record.arm == "a" { 0.01 } else { 0.1 };
        scores.accuracy = if record.learning_rate == Some(best) {
            97.0
        } else {
            90.0
        };
    }
    let warnings = summarize(&spec, &records).unwrap().warnings;
    let edges: Vec<&String> = warnings
        .iter()
        .filter(|w| w.contains("of its grid"))
        .collect();
    let [primary, other] = edges[..] else {
        panic!("two warnings: {warnings:?}");
    };
    assert!(
        primary.contains("the largest of its grid in arms of primary contrasts, `b` (0.1);"),
        "{primary}"
    );
    assert!(primary.ends_with("and the verdict another."), "{primary}");
    assert!(
        other.contains("the largest of its grid in `c` (0.1);"),
        "{other}"
    );
}

#[test]
fn several_rates_need_validation_scores() {
    let mut spec = spec(1, 2, 2);
    spec.arms[0].net_mut().unwrap().data.validation = 0.0;
    let one = records(&spec);
    assert_eq!(summarize(&spec, &one).unwrap().arms[0].validation, None);
    spec.arms[0].learning_rates = vec![0.1, 0.01];
    let error = summarize(&spec, &records(&spec)).unwrap_err();
    assert!(
        matches!(error, AnalysisError::NoValidation { .. }),
        "{error}"
    );
}

fn two_arms(expect: Expect, metric: Metric) -> (Spec, Vec<CellRecord>) {
    let mut spec = spec(2, 6, 2);
    spec.contrasts[0].expect = expect;
    spec.contrasts[0].metric = metric;
    let mut records = records(&spec);
    for seed in 0..6 {
        set_accuracy(&mut records, "a", seed, 90.0);
        set_accuracy(&mut records, "b", seed, 91.0 + seed as f64);
    }
    (spec, records)
}

#[test]
fn improvements_are_paired_by_seed() {
    let (spec, records) = two_arms(Expect::Better, Metric::TestAccuracy);
    let summary = summarize(&spec, &records).unwrap();
    let contrast = &summary.contrasts[0];
    let values: Vec<f64> = contrast.improvements.iter().map(|d| d.value).collect();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(contrast.decision.as_ref().unwrap().mean, 3.5);
    assert_eq!(contrast.verdict, Some(Verdict::Supported));
    assert_eq!(contrast.finding(), Finding::BetterByMore);
    assert_eq!(summary.verdict, Some(Verdict::Supported));
}

#[test]
fn lower_nll_is_an_improvement() {
    let (spec, mut records) = two_arms(Expect::Better, Metric::TestNll);
    for record in &mut records {
        let nll = if record.arm == "b" { 0.25 } else { 0.75 };
        test_scores(record.epochs.last_mut().unwrap()).nll = nll;
    }
    let summary = summarize(&spec, &records).unwrap();
    assert!(
        summary.contrasts[0]
            .improvements
            .iter()
            .all(|d| d.value == 0.5)
    );
}

#[test]
fn identical_arms_are_equivalent() {
    let (spec, mut records) = two_arms(Expect::Equivalent, Metric::TestAccuracy);
    for seed in 0..6 {
        set_accuracy(&mut records, "b", seed, 90.0);
    }
    let summary = summarize(&spec, &records).unwrap();
    let decision = summary.contrasts[0].decision.as_ref().unwrap();
    assert_eq!(
        (decision.mean, decision.sd, decision.effect_size),
        (0.0, Some(0.0), None)
    );
    assert_eq!(summary.contrasts[0].verdict, Some(Verdict::Supported));
}

#[test]
fn unfinished_seeds_are_left_out_of_both_arms() {
    let (spec, mut records) = two_arms(Expect::Better, Metric::TestAccuracy);
    diverge(&mut records, "a", 3);
    let failed = records
        .iter_mut()
        .find(|r| r.arm == "b" && r.seed == 5)
        .unwrap();
    failed.outcome = Outcome::Failed {
        error: "out of memory".to_owned(),
    };
    failed.epochs.clear();
    let summary = summarize(&spec, &records).unwrap();
    let contrast = &summary.contrasts[0];
    assert_eq!(contrast.left_out, [3, 5]);
    assert_eq!(contrast.decision.as_ref().unwrap().n, 4);
    assert_eq!((summary.arms[0].n, summary.arms[0].diverged), (5, 1));
    assert_eq!((summary.arms[1].n, summary.arms[1].failed), (5, 1));
    for part in [
        "1 diverged",
        "out of memory",
        "leaves out 2 seeds",
        "is based on 4 pairs",
        "With 4 seeds",
    ] {
        assert!(
            summary.warnings.iter().any(|w| w.contains(part)),
            "{part}: {:?}",
            summary.warnings
        );
    }
}

#[test]
fn too_few_seeds_are_warned_about() {
    let warned = |seeds: u64| {
        let spec = spec(3, seeds, 1);
        let warnings = summarize(&spec, &records(&spec)).unwrap().warnings;
        warnings
            .into_iter()
            .find(|w| w.contains("interval rests on"))
    };
    assert!(warned(4).unwrap().starts_with("With 4 seeds an interval"));
    assert_eq!(warned(5), None);
}

#[test]
fn exploratory_contrasts_never_change_a_primary() {
    let mut spec = spec(4, 8, 1);
    spec.contrasts[0].expect = Expect::Better;
    let records = records(&spec);
    spec.contrasts[1].primary = false;
    spec.contrasts[2].primary = false;
    let summary = summarize(&spec, &records).unwrap();
    assert_eq!(summary.contrasts[1].verdict, None);
    let exploratory = summary.contrasts[1].decision.as_ref().unwrap();
    assert_eq!(exploratory.confidence, 0.95);
    spec.contrasts.truncate(1);
    let alone = summarize(&spec, &records).unwrap();
    assert_eq!(alone.contrasts[0], summary.contrasts[0]);
    assert_eq!(alone.verdict, summary.verdict);
}

#[test]
fn fewer_than_two_pairs_are_undecided_with_a_warning() {
    let mut spec = spec(3, 2, 1);
    spec.contrasts[1].primary = false;
    let mut records = records(&spec);
    diverge(&mut records, "b", 0);
    let summary = summarize(&spec, &records).unwrap();
    assert_eq!(summary.contrasts[0].verdict, Some(Verdict::Undecided));
    assert_eq!(summary.contrasts[0].decision, None);
    assert!(
        summary.contrasts[1].decision.is_some(),
        "the other contrast still has a decision"
    );
    assert_eq!(summary.verdict, Some(Verdict::Undecided));
    assert!(
        summary
            .warnings
            .iter()
            .any(|w| w.contains("At least two pairs"))
    );
}

#[test]
fn arm_without_finished_seeds_has_no_scores() {
    let spec = spec(2, 3, 1);
    let mut records = records(&spec);
    (0..3).for_each(|seed| diverge(&mut records, "b", seed));
    let summary = summarize(&spec, &records).unwrap();
    assert_eq!((summary.arms[1].test.clone(), summary.arms[1].n), (None, 0));
    assert!(summary.arms[1].probes.is_empty());
}

#[test]
fn inconsistent_records_are_errors() {
    let spec = spec(2, 2, 2);
    let good = records(&spec);
    assert!(matches!(
        summarize(&spec, &[]),
        Err(AnalysisError::NoRecords { .. })
    ));
    let broken = |change: &dyn Fn(&mut Vec<CellRecord>)| {
        let mut records = good.clone();
        change(&mut records);
        summarize(&spec, &records).unwrap_err()
    };
    let error = broken(&|r| r.push(r[0].clone()));
    assert!(matches!(error, AnalysisError::Duplicate { .. }), "{error}");
    let error = broken(&|r| r[1].device = "wgpu".to_owned());
    assert!(
        matches!(error, AnalysisError::MixedDevices { .. }),
        "{error}"
    );
    let error = broken(&|r| r[1].epochs.truncate(1));
    assert!(
        matches!(error, AnalysisError::WrongLength { found: 1, .. }),
        "{error}"
    );
    let error = broken(&|r| test_scores(&mut r[1].epochs[0]).nll = f64::NAN);
    assert!(
        matches!(error, AnalysisError::NotFinite { epoch: 1, .. }),
        "{error}"
    );
}

#[test]
fn records_of_other_specs_are_counted_and_left_out() {
    let spec = spec(2, 2, 2);
    let mut records = records(&spec);
    let clean = summarize(&spec, &records).unwrap();
    let mut other = records[0].clone();
    other.seed = 77;
    records.push(other);
    let summary = summarize(&spec, &records).unwrap();
    assert_eq!(summary.arms, clean.arms);
    assert!(
        summary
            .warnings
            .iter()
            .any(|w| w.starts_with("1 record matches"))
    );
}

#[test]
fn non_finite_probe_values_are_left_out() {
    let spec = spec(1, 3, 1);
    let mut records = records(&spec);
    records[0]
        .probes
        .insert("fold_error".to_owned(), f64::INFINITY);
    let probe = summarize(&spec, &records).unwrap().arms[0].probes["fold_error"];
    assert_eq!((probe.n, probe.max), (2, 3e-7));
}

#[test]
fn summary_survives_json() {
    let spec = spec(3, 6, 2);
    let summary = summarize(&spec, &records(&spec)).unwrap();
    let json = serde_json::to_string_pretty(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn record_order_does_not_matter(
        records in {
            let spec = spec(3, 4, 2);
            let mut records = records(&spec);
            diverge(&mut records, "b", 2);
            Just(records).prop_shuffle()
        }
    ) {
        let spec = spec(3, 4, 2);
        let mut sorted = super::fixture::records(&spec);
        diverge(&mut sorted, "b", 2);
        prop_assert_eq!(summarize(&spec, &records), summarize(&spec, &sorted));
    }
}

#[test]
fn contrast_is_the_weighted_sum_per_seed() {
    let spec = crossed(4, 1);
    let mut records = records(&spec);
    for (k, record) in records.iter_mut().enumerate() {
        test_scores(&mut record.epochs[0]).accuracy = (k * k) as f64 % 37.0;
    }
    let summary = summarize(&spec, &records).unwrap();
    let score = |arm: &str, seed: u64| {
        let record = records.iter().find(|r| r.arm == arm && r.seed == seed);
        record.unwrap().epochs[0].test.unwrap().accuracy
    };
    for contrast in &summary.contrasts {
        for improvement in &contrast.improvements {
            let terms = contrast.contrast.weights.iter();
            let by_hand: f64 = terms
                .map(|term| term.weight * score(&term.arm, improvement.seed))
                .sum();
            assert!((improvement.value - by_hand).abs() < 1e-12);
        }
    }
    let gain = |act: &str, seed: u64| {
        let at = |norm: &str, width: u32| score(&format!("{norm}-{act}-{width}"), seed);
        (at("batch", 8) + at("batch", 32) - at("none", 8) - at("none", 32)) / 2.0
    };
    for seed in 0..4 {
        let value = |k: usize| summary.contrasts[k].improvements[seed as usize].value;
        let (relu, tanh) = (gain("relu", seed), gain("tanh", seed));
        assert!((value(0) - (relu + tanh) / 2.0).abs() < 1e-12);
        assert!((value(1) - relu).abs() < 1e-12);
        assert!((value(2) - (tanh - relu)).abs() < 1e-12);
    }
}

#[test]
fn missing_cell_drops_its_seed_from_its_effects() {
    let spec = crossed(4, 1);
    let mut records = records(&spec);
    diverge(&mut records, "none-tanh-8", 2);
    let summary = summarize(&spec, &records).unwrap();
    let left_out: Vec<&[u64]> = (summary.contrasts.iter())
        .map(|c| &c.left_out[..])
        .collect();
    assert_eq!(
        left_out,
        [&[2][..], &[], &[2]],
        "the second contrast uses ReLU only"
    );
    assert!(summary.effects.iter().all(|e| e.n == 3));
}

#[test]
fn incomplete_design_has_no_effects_but_other_contrasts() {
    let mut spec = crossed(4, 1);
    spec.arms.retain(|arm| arm.name != "none-tanh-8");
    spec.contrasts.remove(2);
    spec.contrasts.remove(0);
    let summary = summarize(&spec, &records(&spec)).unwrap();
    assert_eq!(summary.effects, []);
    assert!(summary.contrasts[0].decision.is_some());
}

#[test]
fn summary_with_factors_survives_json() {
    let spec = crossed(3, 1);
    let summary = summarize(&spec, &records(&spec)).unwrap();
    let json = serde_json::to_string_pretty(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

#[test]
fn equal_accuracy_contrast_matches_each_arm() {
    let mut spec = spec(2, 3, 3);
    spec.contrasts[0].metric = Metric::TestNll;
    let mut records = records(&spec);
    for record in &mut records {
        let curve = match record.arm.as_str() {
            "a" => [(80.0, 0.9), (90.0, 0.5), (90.0, 0.7)],
            _ => [(91.0, 0.4), (92.0, 0.6), (95.0, 0.8)],
        };
        for (epoch, (accuracy, nll)) in record.epochs.iter_mut().zip(curve) {
            epoch.validation.as_mut().expect("a split").accuracy = accuracy;
            test_scores(epoch).nll = nll;
        }
    }
    let value = |spec: &Spec| summarize(spec, &records).unwrap().contrasts[0].improvements[0].value;
    // Control minus treatment: 0.7 - 0.8 at the last epoch; 0.5 - 0.4 where each first reaches 90 %.
    assert!((value(&spec) + 0.1).abs() < 1e-12);
    spec.contrasts[0].when = When::EqualAccuracy;
    assert!((value(&spec) - 0.1).abs() < 1e-12);
}
