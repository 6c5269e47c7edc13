//! Simulated error rates, power and coverage, from records to verdicts: of contrasts of crossed factors, and
//! of the pipeline from cells to verdicts. `cargo run --example error_rates -- pipeline` has more of the
//! latter.
//!
//! Scores are drawn from known distributions at fixed seeds, so every rate is a fixed number.

use super::contrast::prediction;
use super::fixture::{self, crossed, records, test_scores};
use super::{ArmSummary, Cells, EffectSummary, PairedScores, summarize};
use crate::plan::Plan;
use crate::record::CellRecord;
use crate::run::events::Silent;
use crate::run::fake;
use crate::run::planted::{Noise, PlantedTrainer};
use crate::spec::{ContrastKind, Expect, Spec};
use crate::stats::{Decision, Hypothesis, MinimumDetectable, Rule, Sample, Verdict, decide};
use crate::trainer::{Job, StopFlag, Trainer};
use ablate_streams::{Purpose, Stream};

const ROUNDS: usize = 500;

/// Mean accuracy by norm and activation, the same for both widths.
type Means = [[f64; 2]; 2];

/// A crossed design with one contrast, and records whose scores are redrawn in every round.
struct SimulatedDesign {
    spec: Spec,
    records: Vec<CellRecord>,
    arms: Vec<ArmSummary>,
    normals: Box<dyn Iterator<Item = f64>>,
}

impl SimulatedDesign {
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

    /// Draws all scores and decides the contrast.
    ///
    /// A score is the mean of the cell, plus a normal part with standard deviation 2 shared by all
    /// cells of a seed, plus an independent normal part with standard deviation 0.5.
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
            test_scores(last).accuracy =
                means[norm][act] + 2.0 * shared[record.seed as usize] + 0.5 * own;
        }
        let cells = Cells::new(&self.spec, &self.records).expect("records of one run");
        let scores = PairedScores::new(&self.spec, &cells, &self.arms);
        let contrast = &self.spec.contrasts[0];
        let (improvements, _) = scores
            .improvements(&contrast.weights, &contrast.metric, contrast.when)
            .expect("arms of the spec");
        let hypothesis = Hypothesis {
            independent: None,
            differences: Sample::new(improvements.iter().map(|d| d.value).collect()).unwrap(),
            prediction: prediction(contrast.expect),
            margin: contrast.margin,
            primary: true,
        };
        // No verdict depends on the bootstrap.
        let rule = Rule {
            resamples: 10,
            ..Rule::default()
        };
        let stream = Stream::new(0, Purpose::Resample, "simulation");
        decide(&[hypothesis], 1, &rule, &stream).remove(0)
    }

    /// Rates of supported and of contradicted verdicts, and coverage of `truth` by the interval.
    fn rates(&mut self, means: Means, truth: f64) -> [f64; 3] {
        let mut counts = [0usize; 3];
        for _ in 0..ROUNDS {
            let decision = self.draw(means);
            let interval = decision.interval.expect("several seeds");
            counts[0] += usize::from(decision.verdict == Some(Verdict::Supported));
            counts[1] += usize::from(decision.verdict == Some(Verdict::Contradicted));
            counts[2] += usize::from(interval.contains(truth));
        }
        counts.map(|count| count as f64 / ROUNDS as f64)
    }
}

/// 0.05 plus three standard errors of a rate over the rounds.
fn limit() -> f64 {
    0.05 + 3.0 * (0.05 * 0.95 / ROUNDS as f64).sqrt()
}

#[test]
fn additive_design_shows_no_interaction() {
    let additive = [[80.0, 90.0], [85.0, 95.0]];
    let [supported, _, covered] =
        SimulatedDesign::new(10, 2, Expect::Differs, 0.001).rates(additive, 0.0);
    assert!(supported < limit() && supported > 0.02, "{supported}");
    assert!((covered - 0.95).abs() < 0.03, "{covered}");
}

#[test]
fn crossed_interaction_leaves_no_main_effect() {
    let crossed_over = [[80.0, 85.0], [85.0, 80.0]];
    let [supported, contradicted, covered] =
        SimulatedDesign::new(10, 0, Expect::Better, 0.001).rates(crossed_over, 0.0);
    assert!(supported < limit() / 2.0, "{supported}");
    assert!(contradicted < limit(), "{contradicted}");
    assert!((covered - 0.95).abs() < 0.03, "{covered}");
    // The simple effect at one level of the other factor has its full size.
    let [supported, _, covered] =
        SimulatedDesign::new(10, 1, Expect::Better, 0.001).rates(crossed_over, 5.0);
    assert_eq!(supported, 1.0);
    assert!((covered - 0.95).abs() < 0.03, "{covered}");
}

/// Standard deviation of a contrast with the sum of squared weights `squares`.
fn sd(squares: f64) -> f64 {
    0.5 * squares.sqrt()
}

#[test]
fn detectable_effects_are_shown_with_the_stated_power() {
    // Eight weights of 1/4; eight of 1/2.
    for (contrast, squares) in [(0, 0.5), (2, 2.0)] {
        let minimum = MinimumDetectable::new(10, Some(sd(squares)), 0.95, 0.8);
        let size = minimum.difference.expect("a size");
        let means = match contrast {
            0 => [[80.0, 90.0], [80.0 + size, 90.0 + size]],
            _ => [[80.0, 90.0], [80.0, 90.0 + size]],
        };
        let [shown, ..] =
            SimulatedDesign::new(10, contrast, Expect::Differs, 1e-6).rates(means, size);
        assert!((0.73..0.86).contains(&shown), "{contrast}: {shown}");
    }
}

#[test]
fn zero_interaction_is_equivalent_with_the_stated_power() {
    let minimum = MinimumDetectable::new(10, Some(sd(2.0)), 0.95, 0.8);
    let margin = minimum.margin.expect("a margin");
    let additive = [[80.0, 90.0], [85.0, 95.0]];
    let [shown, ..] = SimulatedDesign::new(10, 2, Expect::Equivalent, margin).rates(additive, 0.0);
    assert!((0.74..0.86).contains(&shown), "{shown}");
    // With the true interaction at the end of the margin the error rate is 2.5 %.
    let at_the_end = [[80.0, 90.0], [85.0, 95.0 + margin]];
    let [wrong, ..] =
        SimulatedDesign::new(10, 2, Expect::Equivalent, margin).rates(at_the_end, margin);
    assert!(wrong < limit() / 2.0, "{wrong}");
}

#[test]
fn estimated_effects_have_their_known_sizes() {
    let mut design = SimulatedDesign::new(6, 0, Expect::Better, 0.5);
    let means = [[80.0, 90.0], [83.0, 97.0]];
    for record in &mut design.records {
        let arm = design.spec.arms.iter().find(|arm| arm.name == record.arm);
        let levels = &arm.expect("an arm").levels;
        let last = record.epochs.last_mut().expect("an epoch");
        test_scores(last).accuracy =
            means[levels[0]][levels[1]] + levels[2] as f64 + 0.1 * record.seed as f64;
    }
    let summary = summarize(&design.spec, &design.records).unwrap();
    let found: Vec<(bool, f64)> = (summary.effects.iter())
        .map(|e: &EffectSummary| (e.comparison.is_interaction(), (1e9 * e.mean).round() / 1e9))
        .collect();
    // Norm (3 + 7) / 2, activation (10 + 14) / 2, width 1; norm by activation 7 - 3; no other
    // interaction.
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
    let ContrastKind::Effect { treatment, .. } = &summary.effects[0].comparison else {
        panic!("effects of factors");
    };
    assert_eq!(treatment, "batch", "against the first level");
}

/// Verdicts of `rounds` experiments with the true difference `truth`, from planned cells to verdicts.
fn planted(expect: Expect, truth: f64, noise: Noise, rounds: u64) -> [usize; 3] {
    let mut spec = fake::spec(&["control", "treatment"], 20);
    spec.arms
        .iter_mut()
        .for_each(|arm| arm.learning_rates = vec![0.001, 0.01]);
    let mut contrast = fixture::contrast("treatment", "control", expect);
    contrast.margin = 0.5;
    contrast.claim = spec.claim.clone();
    spec.contrasts = vec![contrast];
    let plan = Plan::new(&spec, "flex", 40, "planted");
    let mut counts = [0; 3];
    for repetition in 0..rounds {
        let trainer = PlantedTrainer {
            repetition,
            effects: [("treatment".to_owned(), truth)].into(),
            noise,
        };
        let train = |job: &Job| trainer.train(job, &Silent, &StopFlag::default());
        let jobs = plan.jobs(|_| true);
        let records: Vec<CellRecord> = jobs.iter().filter_map(train).flatten().collect();
        let summary = summarize(&spec, &records).unwrap();
        counts[match summary.verdict.unwrap() {
            Verdict::Supported => 0,
            Verdict::Contradicted => 1,
            Verdict::Undecided => 2,
        }] += 1;
    }
    counts
}

#[test]
fn planted_truth_is_found_and_rarely_missed() {
    let rounds = 60;
    // 2.5 % of 60 are 1.5; seven have a probability of 0.1 %.
    for noise in [Noise::Normal, Noise::Skewed, Noise::Images] {
        let [supported, contradicted, _] = planted(Expect::Better, 0.0, noise, rounds);
        assert!(supported < 7, "{noise:?}: {supported}");
        assert!(contradicted > 10, "{noise:?}: {contradicted}");
        let [supported, contradicted, _] = planted(Expect::Better, 1.0, noise, rounds);
        assert!(supported > 45, "{noise:?}: {supported}");
        assert!(contradicted < 2, "{noise:?}: {contradicted}");
    }
}
