//! Tests of the speed benchmark, which `cargo test` does not run itself.

use ablate::compare::measure::timing::stopwatch::Stepper;
use ablate_models::Activation;
use ablate_models::block::Position;
use speed::limit::{Limit, multiply_adds};
use speed::peer::{Answer, PEERS};
use speed::record::{self, Library, PeerComparison, RoundTimes, SpeedRecord, Variation};
use speed::report;
use speed::rounds::{Failure, time_rounds};
use speed::summary::power;
use speed::workload::{Workload, compared, variations, varied};
use std::collections::BTreeSet;

#[path = "../benches/speed"]
#[expect(
    dead_code,
    reason = "only the benchmark starts processes and measures times"
)]
mod speed {
    pub(crate) mod curves;
    pub(crate) mod limit;
    pub(crate) mod memory;
    pub(crate) mod ours;
    pub(crate) mod peer;
    pub(crate) mod record;
    pub(crate) mod report;
    pub(crate) mod rounds;
    pub(crate) mod summary;
    pub(crate) mod workload;
}

#[test]
fn workloads_have_unique_names_valid_models_and_peer_variants() {
    let works: Vec<Workload> = compared().into_iter().map(|c| c.workload).collect();
    let names: BTreeSet<String> = works.iter().map(Workload::name).collect();
    assert_eq!(names.len(), works.len());
    for workload in &works {
        workload.model().check().unwrap();
        assert!(workload.multiply_adds() > 0.0);
        for peer in PEERS {
            let variants: BTreeSet<_> = peer.variants(workload).into_iter().collect();
            assert_eq!(variants.len(), peer.variants(workload).len());
            let batched = variants.iter().any(|v| v.contains("vmap"));
            assert_eq!(batched, workload.replicas > 1, "{}", workload.name());
        }
    }
    for workload in varied() {
        for (activation, position) in variations() {
            workload.with(activation, position).model().check().unwrap();
        }
    }
}

#[test]
fn jobs_split_all_replicas_evenly() {
    let workload = Workload::mlp(8, &[16], 32, 10);
    for workers in [0, 1, 2, 3, 4, 16] {
        let jobs = workload.jobs("flex", workers);
        assert_eq!(jobs.len(), workers.clamp(1, 10));
        let mut seeds: Vec<u64> = (jobs.iter().flat_map(|j| &j.cells))
            .map(|c| c.seed)
            .collect();
        seeds.sort_unstable();
        assert_eq!(seeds, (0..10).collect::<Vec<_>>());
        let sizes = || jobs.iter().map(|job| job.cells.len());
        assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
    }
    let wide = Workload::mlp(28, &[512, 512], 128, 4);
    assert_eq!(
        wide.jobs("flex", 2).len(),
        4,
        "one at a time, because of the caches"
    );
    assert_eq!(wide.jobs("wgpu", 2).len(), 2);
}

#[test]
fn parameter_counts_match_hand_computed_ones() {
    let mlp = Workload::mlp(8, &[128, 128], 32, 10);
    let one = 64 * 128 + 2 * 128 + 128 * 128 + 2 * 128 + 128 * 10 + 10;
    assert_eq!(mlp.parameters(), 10 * one);
    let products = 64 * 128 + 128 * 128 + 128 * 10;
    assert_eq!(mlp.multiply_adds(), (3 * 10 * 32 * products) as f64);
}

#[test]
fn limit_excludes_the_gradient_of_the_images() {
    let mlp = Workload::mlp(8, &[128, 128], 32, 10);
    let first = 64 * 128;
    let others = 128 * 128 + 128 * 10;
    let expected = 10 * 32 * (2 * first + 3 * others);
    assert_eq!(multiply_adds(&mlp), expected as f64);
    let cnn = Workload::cnn(28, 128, 1);
    let first = 28 * 28 * 9 * 32;
    let others = 14 * 14 * 9 * 32 * 64 + 7 * 7 * 64 * 128 + 128 * 10;
    let expected = 128 * (2 * first + 3 * others);
    assert_eq!(multiply_adds(&cnn), expected as f64);
    let mut limit = Limit::new(&mlp);
    assert!(limit.steps(3).unwrap() > 0.0);
}

#[test]
fn peer_times_count_only_for_the_same_net() {
    let answer = Answer::parse(r#"{"seconds": 4.5, "parameters": 7}"#).unwrap();
    assert_eq!(answer.seconds(7), Ok(4.5));
    let other = answer.seconds(8).unwrap_err();
    let expected = "7 trained parameters, ours have 8";
    assert!(other.0.contains(expected), "{other:?}");
    assert!(answer.bytes(7).is_err(), "a time is not a memory size");
    for line in [
        r#"{"seconds": 0, "parameters": 7}"#,
        r#"{"seconds": null, "parameters": 7}"#,
    ] {
        assert!(Answer::parse(line).unwrap().seconds(7).is_err(), "{line}");
    }
    assert!(Answer::parse("Segmentation fault").is_err());
    assert!(Answer::parse(r#"{"millis": 3}"#).is_err());
    let error = Answer::parse(r#"{"error": "TypeError: no"}"#).unwrap_err();
    assert_eq!(error, Failure("TypeError: no".into()));
}

#[test]
fn exponent_of_growth_is_the_slope_in_logarithms() {
    let square = [(1.0, 3.0), (2.0, 12.0), (10.0, 300.0)];
    assert!((power(&square).unwrap() - 2.0).abs() < 1e-12);
    assert_eq!(power(&square[..1]), None);
}

/// A stepper whose steps take 10 ms each, and which fails after `limit` steps.
struct Fake {
    limit: usize,
    taken: usize,
}

impl Stepper for Fake {
    fn steps(&mut self, n: usize) -> Result<f64, String> {
        self.taken += n;
        match self.taken <= self.limit {
            true => Ok(0.01 * n as f64),
            false => Err("broken".into()),
        }
    }
}

#[test]
fn rounds_become_milliseconds_and_failures_errors() {
    let fake = |limit| -> Box<dyn Stepper> { Box::new(Fake { limit, taken: 0 }) };
    let names = vec!["a".to_owned(), "b".to_owned()];
    let times = time_rounds(names, vec![fake(usize::MAX), fake(20)], 3, 0.1);
    assert_eq!(times[0], self::times("a", &[10.0; 3]));
    assert_eq!(times[1].error.as_deref(), Some("broken"));
    assert!(times[1].milliseconds.is_empty());
}

fn times(name: &str, milliseconds: &[f64]) -> RoundTimes {
    RoundTimes {
        name: name.into(),
        milliseconds: milliseconds.to_vec(),
        error: None,
    }
}

fn record() -> SpeedRecord {
    let workload = Workload::mlp(8, &[16], 32, 2);
    let mut record = SpeedRecord::new(7, 0.5);
    record.libraries.push(Library {
        library: "PyTorch".into(),
        version: "1".into(),
        python: "3".into(),
        threads: 2,
    });
    let failed = RoundTimes {
        error: Some("TypeError: no".into()),
        ..times("PyTorch vmap", &[])
    };
    let eager = times("PyTorch eager", &[4.0; 7]);
    record.compared.push(PeerComparison {
        workload: workload.clone(),
        goal: Some(3.0),
        ours: vec![
            times("ablate flex", &[2.0; 7]),
            times("ablate ndarray", &[5.0; 7]),
        ],
        peers: vec![eager, failed],
        limit: Some(times("multiply-adds in registers", &[1.0; 7])),
        product: Some(times("PyTorch product", &[1e4; 7])),
    });
    let relu = workload.with(Activation::Relu, Position::Before);
    let gelu = workload.with(Activation::Gelu, Position::After);
    for (workload, time) in [(relu, 2.0), (gelu, 2.5)] {
        record.varied.push(Variation {
            workload,
            times: times("ablate flex", &[time; 7]),
        });
    }
    record
}

#[test]
fn report_lists_slower_workloads_and_missed_goals() {
    let dir = tempfile::tempdir().unwrap();
    let text = report::report(&record(), None, None, dir.path());
    for line in [
        "MLP 64-16-10, batch 32, 2 replicas on ablate ndarray: 0.80 (0.80 to 0.80)",
        "MLP 64-16-10, batch 32, 2 replicas on ablate flex: 2.00 (2.00 to 2.00), goal 3.0",
        "- MLP 64-16-10, batch 32, 2 replicas in PyTorch vmap: TypeError: no",
        "1.25 (1.25 to 1.25)",
        "|    4.00 (4.00 to 4.00) |  3.0 | ablate ndarray | 0.20 (0.20 to 0.20) |",
        // 161,792 multiply-adds in 5 ms, and 1024^3 in 10 s.
        "0.20 (0.20 to 0.20) |             0.30 (0.30 to 0.30) |",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("Ours is at least as fast"), "{text}");
}

#[test]
fn activation_ratios_are_relative_to_relu() {
    let relu = Workload::mlp(8, &[16], 32, 2);
    let gelu = relu.with(Activation::Gelu, Position::After);
    let mut record = SpeedRecord::new(7, 0.5);
    for (workload, ours, fastest, peer) in [(relu, 2.0, 1.7, 6.0), (gelu, 2.5, 2.25, 6.75)] {
        record.compared.push(PeerComparison {
            workload,
            goal: None,
            ours: vec![times(
                "ablate flex",
                &[ours, fastest, ours, ours, ours, ours, ours],
            )],
            peers: vec![times("PyTorch eager", &[peer; 7])],
            limit: None,
            product: None,
        });
    }
    let text = report::activations(&record);
    for cells in [
        ["relu", "before", "3.00 (", "1.00"],
        ["gelu", "after", "2.70 (", "0.90"],
    ] {
        let is_it = |line: &&str| cells.iter().all(|cell| line.contains(cell));
        assert!(text.lines().any(|line| is_it(&line)), "{cells:?}\n{text}");
    }
    assert!(
        text.contains("The lowest is 0.90 by medians and 0.85 by the fastest rounds"),
        "{text}"
    );
    let whole = report::report(
        &self::record(),
        Some(&record),
        Some(&record),
        &std::env::temp_dir(),
    );
    assert!(whole.contains(&text), "{whole}");
    assert!(whole.contains("## With AVX2 only"), "{whole}");
}

#[test]
fn record_round_trips_through_json() {
    let dir = tempfile::tempdir().unwrap();
    let record = record();
    for name in [record::NAME, record::ACTIVATIONS] {
        record.write(dir.path(), name).unwrap();
        assert_eq!(SpeedRecord::read(dir.path(), name), Ok(record.clone()));
    }
    assert!(SpeedRecord::read(&dir.path().join("missing"), record::NAME).is_err());
}
