//! The logic of the speed benchmark, which `cargo test` does not run.

use ablate_models::Activation;
use ablate_models::block::Position;
use speed::contest::{Contestant, Failure, contest};
use speed::limit::{Limit, multiply_adds};
use speed::peer::{Answer, PEERS};
use speed::ratio::{power, ratio};
use speed::record::{self, Comparison, Library, Record, Times, Variation};
use speed::report;
use speed::work::{Work, compared, variations, varied};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

#[path = "../benches/speed"]
#[expect(
    dead_code,
    reason = "what starts processes and takes times is for the benchmark"
)]
mod speed {
    pub(crate) mod contest;
    pub(crate) mod curves;
    pub(crate) mod limit;
    pub(crate) mod memory;
    pub(crate) mod ours;
    pub(crate) mod peer;
    pub(crate) mod ratio;
    pub(crate) mod record;
    pub(crate) mod report;
    pub(crate) mod work;
}

#[test]
fn every_work_has_a_name_of_its_own_a_valid_model_and_ways_for_every_peer() {
    let works: Vec<Work> = compared().into_iter().map(|c| c.work).collect();
    let names: BTreeSet<String> = works.iter().map(Work::name).collect();
    assert_eq!(names.len(), works.len());
    for work in &works {
        work.model().check().unwrap();
        assert!(work.multiply_adds() > 0.0);
        for peer in PEERS {
            let variants: BTreeSet<_> = peer.variants(work).into_iter().collect();
            assert_eq!(variants.len(), peer.variants(work).len());
            let batched = variants.iter().any(|v| v.contains("vmap"));
            assert_eq!(batched, work.replicas > 1, "{}", work.name());
        }
    }
    for work in varied() {
        for (activation, position) in variations() {
            work.with(activation, position).model().check().unwrap();
        }
    }
}

#[test]
fn jobs_hold_every_replica_once_and_are_of_even_size() {
    let work = Work::mlp(8, &[16], 32, 10);
    for workers in [0, 1, 2, 3, 4, 16] {
        let jobs = work.jobs("flex", workers);
        assert_eq!(jobs.len(), workers.clamp(1, 10));
        let mut seeds: Vec<u64> = (jobs.iter().flat_map(|j| &j.cells))
            .map(|c| c.seed)
            .collect();
        seeds.sort_unstable();
        assert_eq!(seeds, (0..10).collect::<Vec<_>>());
        let sizes = || jobs.iter().map(|job| job.cells.len());
        assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
    }
    let wide = Work::mlp(28, &[512, 512], 128, 4);
    assert_eq!(wide.jobs("flex", 2).len(), 4, "one by one, for the caches");
    assert_eq!(wide.jobs("wgpu", 2).len(), 2);
}

#[test]
fn parameters_are_those_of_the_nets_on_paper() {
    let mlp = Work::mlp(8, &[128, 128], 32, 10);
    let one = 64 * 128 + 2 * 128 + 128 * 128 + 2 * 128 + 128 * 10 + 10;
    assert_eq!(mlp.parameters(), 10 * one);
    let products = 64 * 128 + 128 * 128 + 128 * 10;
    assert_eq!(mlp.multiply_adds(), (3 * 10 * 32 * products) as f64);
}

#[test]
fn the_limit_makes_every_multiply_add_but_those_of_the_gradient_of_the_images() {
    let mlp = Work::mlp(8, &[128, 128], 32, 10);
    let first = 64 * 128;
    let others = 128 * 128 + 128 * 10;
    let expected = 10 * 32 * (2 * first + 3 * others);
    assert_eq!(multiply_adds(&mlp), expected as f64);
    let cnn = Work::cnn(28, 128, 1);
    let first = 28 * 28 * 9 * 32;
    let others = 14 * 14 * 9 * 32 * 64 + 7 * 7 * 64 * 128 + 128 * 10;
    let expected = 128 * (2 * first + 3 * others);
    assert_eq!(multiply_adds(&cnn), expected as f64);
    let mut limit = Limit::new(&mlp);
    limit.warm_up(1e-4).unwrap();
    assert!(limit.measure(1e-4).unwrap() > 0.0);
}

#[test]
fn a_peer_is_believed_only_with_a_time_of_the_same_net() {
    let line = r#"{"milliseconds": 4.5, "steps": 20, "parameters": 7}"#;
    let answer = Answer::parse(line).unwrap();
    assert_eq!(answer.milliseconds(7), Ok(4.5));
    let other = answer.milliseconds(8).unwrap_err();
    assert!(other.0.contains("7 trained numbers, ours 8"), "{other:?}");
    assert!(answer.bytes(7).is_err(), "a time is no size");

    let bad = [
        r#"{"milliseconds": 0, "steps": 20, "parameters": 7}"#,
        r#"{"milliseconds": 4.5, "steps": 0, "parameters": 7}"#,
        r#"{"milliseconds": null, "steps": 3, "parameters": 7}"#,
    ];
    for line in bad {
        assert!(
            Answer::parse(line).unwrap().milliseconds(7).is_err(),
            "{line}"
        );
    }
    assert!(Answer::parse("Segmentation fault").is_err());
    assert!(Answer::parse(r#"{"millis": 3}"#).is_err());
    let error = Answer::parse(r#"{"error": "TypeError: no"}"#).unwrap_err();
    assert_eq!(error, Failure("TypeError: no".into()));
}

#[test]
fn a_ratio_is_of_medians_and_takes_the_best_of_the_others() {
    let ours = [2.0, 1.0, 9.0];
    let (slow, fast) = ([50.0, 60.0, 70.0], [6.0, 7.0, 1.0]);
    let found = ratio(&[&slow, &fast], &ours).unwrap();
    assert_eq!(found.value, 3.0);
    assert!(found.low <= 3.0 && 3.0 <= found.high, "{found:?}");
    assert_eq!(
        ratio(&[&slow, &fast], &ours),
        Some(found),
        "it is reproducible"
    );
    let same = ratio(&[&ours], &ours).unwrap();
    assert_eq!((same.low, same.value, same.high), (1.0, 1.0, 1.0));
    assert_eq!(ratio(&[], &ours), None);
    assert_eq!(ratio(&[&slow[..2]], &ours), None, "rounds belong together");
}

#[test]
fn the_power_of_growth_is_a_slope_in_logarithms() {
    let square = [(1.0, 3.0), (2.0, 12.0), (10.0, 300.0)];
    assert!((power(&square).unwrap() - 2.0).abs() < 1e-12);
    assert_eq!(power(&square[..1]), None);
}

/// Notes when it is measured; fails from its `fails`th measure on.
struct Noted {
    name: &'static str,
    fails: usize,
    measured: usize,
    notes: Rc<RefCell<Vec<&'static str>>>,
}

impl Contestant for Noted {
    fn name(&self) -> &str {
        self.name
    }

    fn warm_up(&mut self, _: f64) -> Result<(), Failure> {
        Ok(())
    }

    fn measure(&mut self, _: f64) -> Result<f64, Failure> {
        self.measured += 1;
        if self.measured >= self.fails {
            return Err(Failure("broken".into()));
        }
        self.notes.borrow_mut().push(self.name);
        Ok(self.measured as f64)
    }
}

#[test]
fn rounds_turn_their_order_and_go_on_without_who_fails() {
    let notes = Rc::new(RefCell::new(Vec::new()));
    let noted = |name, fails| -> Box<dyn Contestant> {
        Box::new(Noted {
            name,
            fails,
            measured: 0,
            notes: Rc::clone(&notes),
        })
    };
    let mut contestants = [noted("a", 9), noted("b", 2), noted("c", 9)];
    let scores = contest(&mut contestants, 3, 0.1, |_| ());
    assert_eq!(*notes.borrow(), ["a", "b", "c", "c", "a", "a", "c"]);
    assert_eq!(scores[0].rounds, Ok(vec![1.0, 2.0, 3.0]));
    assert_eq!(scores[1].rounds, Err(Failure("broken".into())));
}

fn times(name: &str, milliseconds: &[f64]) -> Times {
    Times {
        name: name.into(),
        milliseconds: milliseconds.to_vec(),
        error: None,
    }
}

fn record() -> Record {
    let work = Work::mlp(8, &[16], 32, 2);
    let mut record = Record::new(3, 0.5);
    record.libraries.push(Library {
        library: "PyTorch".into(),
        version: "1".into(),
        python: "3".into(),
        threads: 2,
    });
    let failed = Times {
        error: Some("TypeError: no".into()),
        ..times("PyTorch vmap", &[])
    };
    let eager = times("PyTorch eager", &[4.0, 4.0, 4.0]);
    record.compared.push(Comparison {
        work: work.clone(),
        goal: Some(3.0),
        ours: vec![
            times("ablate flex", &[2.0, 2.0, 2.0]),
            times("ablate ndarray", &[5.0, 5.0, 5.0]),
        ],
        peers: vec![eager, failed],
        limit: Some(times("multiply-adds in registers", &[1.0, 1.0, 1.0])),
    });
    let relu = work.with(Activation::Relu, Position::Before);
    let gelu = work.with(Activation::Gelu, Position::After);
    for (work, time) in [(relu, 2.0), (gelu, 2.5)] {
        record.varied.push(Variation {
            work,
            times: times("ablate flex", &[time; 3]),
        });
    }
    record
}

#[test]
fn the_report_says_where_we_are_slower_and_where_short_of_a_goal() {
    let dir = tempfile::tempdir().unwrap();
    let text = report::report(&record(), None, dir.path());
    for line in [
        "MLP 64-16-10, batch 32, 2 replicas on ablate ndarray: 0.80 (0.80 to 0.80)",
        "MLP 64-16-10, batch 32, 2 replicas on ablate flex: 2.00 (2.00 to 2.00), goal 3.0",
        "- MLP 64-16-10, batch 32, 2 replicas in PyTorch vmap: TypeError: no",
        "1.25 (1.25 to 1.25)",
        "|    4.00 (4.00 to 4.00) |  3.0 | ablate ndarray | 0.20 (0.20 to 0.20) |",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("Nowhere here"), "{text}");
}

#[test]
fn other_activations_are_held_against_relu_by_their_ratios_to_the_peers() {
    let relu = Work::mlp(8, &[16], 32, 2);
    let gelu = relu.with(Activation::Gelu, Position::After);
    let mut record = Record::new(3, 0.5);
    for (work, ours, fastest, peer) in [(relu, 2.0, 1.7, 6.0), (gelu, 2.5, 2.25, 6.75)] {
        record.compared.push(Comparison {
            work,
            goal: None,
            ours: vec![times("ablate flex", &[ours, fastest, ours])],
            peers: vec![times("PyTorch eager", &[peer; 3])],
            limit: None,
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
    let whole = report::report(&self::record(), Some(&record), &std::env::temp_dir());
    assert!(whole.contains(&text), "{whole}");
}

#[test]
fn the_record_reads_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let record = record();
    for name in [record::NAME, record::ACTIVATIONS] {
        record.write(dir.path(), name).unwrap();
        assert_eq!(Record::read(dir.path(), name), Ok(record.clone()));
    }
    assert!(Record::read(&dir.path().join("missing"), record::NAME).is_err());
}
