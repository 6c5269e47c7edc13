//! Do contrasts of crossed factors err, and see, as often as they say? Records drawn from known
//! distributions at fixed seeds, all the way from records to verdict.

use super::contrast::prediction;
use super::fixture::{crossed, records};
use super::{ArmSummary, Cells, EffectSummary, Scoreboard, summarize};
use crate::record::CellRecord;
use crate::spec::{Comparison, Expect, Spec};
use crate::stats::{
    Decision, Question, Rule, Sample, Verdict, decide, detectable_difference, detectable_margin,
    sign_flip_level,
};
use ablate_streams::{Purpose, Stream};

const ROUNDS: usize = 500;

/// What a cell's accuracy is: by norm and activation, for both widths alike.
type Means = [[f64; 2]; 2];

/// A crossed design with one question, records to draw scores into, and their scores.
struct Laboratory {
    spec: Spec,
    records: Vec<CellRecord>,
    arms: Vec<ArmSummary>,
    normals: Box<dyn Iterator<Item = f64>>,
}

impl Laboratory {
    fn new(seeds: u64, contrast: usize, expect: Expect, margin: f64) -> Self {
        let mut spec = crossed(seeds, 1);
        spec.contrasts = vec![spec.contrasts.remove(contrast)];
        spec.contrasts[0].expect = expect;
        spec.contrasts[0].margin = margin;
        let stream = Stream::new(7, Purpose::Resample, "factorial");
        let records = records(&spec);
        let summary = summarize(&spec, &records).expect("records of one run");
        Self {
            arms: summary.arms,
            records,
            normals: Box::new(stream.normals(0)),
            spec,
        }
    }

    /// Draws every score: the cell's mean, a part of standard deviation 2 that all cells of a seed
    /// share, and one of 0.5 of its own.
    fn draw(&mut self, means: Means) -> Decision {
        let seeds = self.spec.seeds.len();
        let shared: Vec<f64> = self.normals.by_ref().take(seeds).collect();
        for record in &mut self.records {
            let arm = self.spec.arms.iter().find(|arm| arm.name == record.arm);
            let [norm, act, _] = arm.expect("an arm").levels[..] else {
                panic!("three factors");
            };
            let own = self.normals.next().expect("streams do not end");
            let last = record.epochs.last_mut().expect("an epoch");
            last.test.accuracy = means[norm][act] + 2.0 * shared[record.seed as usize] + 0.5 * own;
        }
        let cells = Cells::sort(&self.spec, &self.records).expect("records of one run");
        let scores = Scoreboard::new(&self.spec, &cells, &self.arms);
        let contrast = &self.spec.contrasts[0];
        let (improvements, _) = scores
            .improvements(&contrast.weights, &contrast.metric, contrast.when)
            .expect("arms of the spec");
        let question = Question {
            differences: Sample::new(improvements.iter().map(|d| d.value).collect()).unwrap(),
            prediction: prediction(contrast.expect),
            margin: contrast.margin,
        };
        // The bootstrap decides nothing.
        let rule = Rule {
            resamples: 10,
            ..Rule::default()
        };
        let stream = Stream::new(0, Purpose::Resample, "simulation");
        decide(&[question], &rule, &stream).remove(0)
    }

    /// How often the verdict is supported, contradicted, and how often the interval holds `truth`.
    fn rates(&mut self, means: Means, truth: f64) -> [f64; 3] {
        let mut counts = [0usize; 3];
        for _ in 0..ROUNDS {
            let decision = self.draw(means);
            let interval = decision.t_interval.expect("several seeds");
            counts[0] += usize::from(decision.verdict == Verdict::Supported);
            counts[1] += usize::from(decision.verdict == Verdict::Contradicted);
            counts[2] += usize::from(interval.contains(truth));
        }
        counts.map(|count| count as f64 / ROUNDS as f64)
    }
}

/// 0.05 and three standard errors of a rate over the rounds.
fn limit() -> f64 {
    0.05 + 3.0 * (0.05 * 0.95 / ROUNDS as f64).sqrt()
}

#[test]
fn an_additive_design_shows_no_interaction_however_large_its_main_effects() {
    let additive = [[80.0, 90.0], [85.0, 95.0]];
    let [supported, _, covered] =
        Laboratory::new(10, 2, Expect::Differs, 0.001).rates(additive, 0.0);
    assert!(supported < limit() && supported > 0.02, "{supported}");
    assert!((covered - 0.95).abs() < 0.03, "{covered}");
}

#[test]
fn a_crossed_interaction_leaves_no_main_effect() {
    let crossed_over = [[80.0, 85.0], [85.0, 80.0]];
    let [supported, contradicted, covered] =
        Laboratory::new(10, 0, Expect::Better, 0.001).rates(crossed_over, 0.0);
    assert!(supported < limit() / 2.0, "{supported}");
    assert!(contradicted < limit(), "{contradicted}");
    assert!((covered - 0.95).abs() < 0.03, "{covered}");
    // The simple effect in one of the halves is whole.
    let [supported, _, covered] =
        Laboratory::new(10, 1, Expect::Better, 0.001).rates(crossed_over, 5.0);
    assert_eq!(supported, 1.0);
    assert!((covered - 0.95).abs() < 0.03, "{covered}");
}

/// The standard deviation of a contrast whose squared weights add up to `squares`.
fn sd(squares: f64) -> f64 {
    0.5 * squares.sqrt()
}

#[test]
fn main_effects_and_interactions_as_large_as_called_detectable_are_shown_as_often_as_promised() {
    let level = sign_flip_level(10, 0.05).expect("ten seeds can show something");
    // Eight weights of 1/4; eight of 1/2.
    for (contrast, squares) in [(0, 0.5), (2, 2.0)] {
        let size = detectable_difference(sd(squares), 10, level, 0.8).expect("a size");
        let means = match contrast {
            0 => [[80.0, 90.0], [80.0 + size, 90.0 + size]],
            _ => [[80.0, 90.0], [80.0, 90.0 + size]],
        };
        let [shown, ..] = Laboratory::new(10, contrast, Expect::Differs, 1e-6).rates(means, size);
        assert!((0.73..0.86).contains(&shown), "{contrast}: {shown}");
    }
}

#[test]
fn an_interaction_of_nothing_is_shown_to_be_equivalent_as_often_as_promised() {
    let margin = detectable_margin(sd(2.0), 10, 0.05, 0.8).expect("a margin");
    let additive = [[80.0, 90.0], [85.0, 95.0]];
    let [shown, ..] = Laboratory::new(10, 2, Expect::Equivalent, margin).rates(additive, 0.0);
    assert!((0.74..0.86).contains(&shown), "{shown}");
    // At the end of the margin it errs in 5 %.
    let at_the_end = [[80.0, 90.0], [85.0, 95.0 + margin]];
    let [wrong, ..] = Laboratory::new(10, 2, Expect::Equivalent, margin).rates(at_the_end, margin);
    assert!(wrong < limit(), "{wrong}");
}

#[test]
fn every_effect_and_interaction_is_described_by_its_known_size() {
    let mut laboratory = Laboratory::new(6, 0, Expect::Better, 0.5);
    let means = [[80.0, 90.0], [83.0, 97.0]];
    for record in &mut laboratory.records {
        let arm = laboratory
            .spec
            .arms
            .iter()
            .find(|arm| arm.name == record.arm);
        let levels = &arm.expect("an arm").levels;
        let last = record.epochs.last_mut().expect("an epoch");
        last.test.accuracy =
            means[levels[0]][levels[1]] + levels[2] as f64 + 0.1 * record.seed as f64;
    }
    let summary = summarize(&laboratory.spec, &laboratory.records).unwrap();
    let found: Vec<(bool, f64)> = (summary.effects.iter())
        .map(|e: &EffectSummary| (e.comparison.is_interaction(), (1e9 * e.mean).round() / 1e9))
        .collect();
    // Norm (3 + 7) / 2, activation (10 + 14) / 2, width 1; norm by activation 7 - 3, and nothing
    // else.
    let expected = [
        (false, 5.0),
        (false, 12.0),
        (false, 1.0),
        (true, 4.0),
        (true, 0.0),
        (true, 0.0),
    ];
    assert_eq!(found, expected);
    assert!(
        summary
            .effects
            .iter()
            .all(|e| e.n == 6 && e.interval.is_some())
    );
    let Comparison::Effect { treatment, .. } = &summary.effects[0].comparison else {
        panic!("effects of factors");
    };
    assert_eq!(treatment, "batch", "against the first level");
}
