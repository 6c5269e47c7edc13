//! Errors of the whole pipeline with planted truth: a spec is parsed and planned, its cells are run into a
//! results folder, the records are read back, and verdict and claim follow from them.

use crate::fail;
use ablate::analysis::{ClaimStatus, Summary, claim_answer, summarize};
use ablate::plan::Plan;
use ablate::run::events::Silent;
use ablate::run::planted::{Noise, PlantedTrainer};
use ablate::run::share::Sharing;
use ablate::run::{RunOptions, run_spec, runs};
use ablate::spec::Spec;
use ablate::stats::{Verdict, proportion_interval};
use ablate::trainer::StopFlag;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use tempfile::TempDir;

/// Experiments that test one claim.
const PER_CLAIM: usize = 2;
/// Seeds of an experiment.
const SEEDS: usize = 20;
/// Margin in points.
const MARGIN: f64 = 0.5;

/// A prediction and a planted truth.
struct Scenario {
    expect: &'static str,
    /// The true difference in margins.
    truth: f64,
    /// The verdict that the truth makes right; none where it lies between two.
    right: Option<Verdict>,
    /// The verdict that the truth rules out.
    wrong: Verdict,
}

const fn scenario(
    expect: &'static str,
    truth: f64,
    right: Option<Verdict>,
    wrong: Verdict,
) -> Scenario {
    Scenario {
        expect,
        truth,
        right,
        wrong,
    }
}

const SCENARIOS: [Scenario; 9] = {
    use Verdict::{Contradicted, Supported};
    [
        scenario("better", -1.0, Some(Contradicted), Supported),
        scenario("better", 0.0, Some(Contradicted), Supported),
        scenario("better", 1.0, Some(Supported), Contradicted),
        scenario("better", 2.0, Some(Supported), Contradicted),
        scenario("equivalent", 0.0, Some(Supported), Contradicted),
        scenario("equivalent", 1.0, None, Supported),
        scenario("equivalent", 2.0, Some(Contradicted), Supported),
        scenario("differs", 0.0, Some(Contradicted), Supported),
        scenario("differs", 1.0, Some(Supported), Contradicted),
    ]
};

const NOISES: [(Noise, &str); 3] = [
    (Noise::Normal, "normal"),
    (Noise::Skewed, "skewed"),
    (Noise::Images, "whole images"),
];

/// Verdicts of experiments, and answers to the claims that they test.
#[derive(Default)]
struct Outcomes {
    verdicts: Vec<Verdict>,
    claims: Vec<ClaimStatus>,
}

pub(crate) fn print(rounds: usize) {
    let claims = rounds.div_ceil(PER_CLAIM);
    println!(
        "{} synthetic experiments per line: {SEEDS} seeds, two learning rates chosen on validation, one\n\
         primary contrast with a margin of {MARGIN} points. Each {PER_CLAIM} of them test one claim. In percent;\n\
         in brackets 95 % intervals of the rates. *Wrong*: the verdict or answer that the truth rules out.\n\
         *Missed*: neither wrong nor the one that the truth makes right.\n",
        claims * PER_CLAIM
    );
    println!(
        "| scores | prediction | true difference | supported | contradicted | undecided | wrong verdict | \
         missed verdict | wrong answer | missed answer |"
    );
    println!("|---|---|---|--:|--:|--:|--:|--:|--:|--:|");
    let folder = scratch().unwrap_or_else(|e| fail(&format!("cannot make a folder: {e}")));
    for (noise, name) in NOISES {
        for (index, scenario) in SCENARIOS.iter().enumerate() {
            let found = simulate(scenario, noise, index * rounds, claims, folder.path());
            let found = found.unwrap_or_else(|e| fail(&e.to_string()));
            println!("| {name} | {}", row(scenario, &found));
        }
    }
}

/// A folder for the results, in memory where the system has such a file system: every append to a journal
/// waits for the disk.
fn scratch() -> std::io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

fn row(scenario: &Scenario, found: &Outcomes) -> String {
    let Outcomes { verdicts, claims } = found;
    let rate = |verdict| Rate::of(verdicts, |found| *found == verdict);
    let answer = |verdict| Rate::of(claims, |found| *found == status(verdict));
    let missed = |rate: &dyn Fn(Verdict) -> Rate| {
        let right = scenario.right.map(|right| {
            let open = rate(right).without(&rate(scenario.wrong));
            open.percent()
        });
        right.unwrap_or_else(|| "–".to_owned())
    };
    format!(
        "{} | {} | {} | {} | {} | {} | {} | {} | {} |",
        scenario.expect,
        truth_words(scenario.truth),
        rate(Verdict::Supported).percent(),
        rate(Verdict::Contradicted).percent(),
        rate(Verdict::Undecided).percent(),
        rate(scenario.wrong).with_interval(),
        missed(&rate),
        answer(scenario.wrong).with_interval(),
        missed(&answer),
    )
}

/// The answer to a claim that corresponds to a verdict.
const fn status(verdict: Verdict) -> ClaimStatus {
    match verdict {
        Verdict::Supported => ClaimStatus::Supported,
        Verdict::Contradicted => ClaimStatus::Contradicted,
        Verdict::Undecided => ClaimStatus::Undecided,
    }
}

/// A count of something among `n`.
struct Rate {
    count: usize,
    n: usize,
}

impl Rate {
    fn of<T>(all: &[T], is_it: impl Fn(&T) -> bool) -> Self {
        Self {
            count: all.iter().filter(|one| is_it(one)).count(),
            n: all.len(),
        }
    }

    /// What neither this nor `other`, which excludes it, counts.
    fn without(&self, other: &Self) -> Self {
        Self {
            count: self.n - self.count - other.count,
            n: self.n,
        }
    }

    fn percent(&self) -> String {
        format!("{:.1}", 100.0 * self.count as f64 / self.n as f64)
    }

    fn with_interval(&self) -> String {
        let interval = proportion_interval(self.count, self.n, 0.95);
        let [low, high] = [interval.low, interval.high].map(|end| 100.0 * end);
        format!("{} ({low:.1} to {high:.1})", self.percent())
    }
}

fn truth_words(margins: f64) -> String {
    match margins {
        0.0 => "none".to_owned(),
        m if m.abs() == 1.0 => format!("{} margin", if m > 0.0 { "1" } else { "−1" }),
        m => format!("{m} margins"),
    }
}

type Failed = Box<dyn Error + Send + Sync>;

/// Runs `claims` pairs of experiments. `first` is the number of the first repetition.
fn simulate(
    scenario: &Scenario,
    noise: Noise,
    first: usize,
    claims: usize,
    results: &Path,
) -> Result<Outcomes, Failed> {
    let claim = |claim: usize| -> Result<(Vec<Verdict>, ClaimStatus), Failed> {
        let numbers = claim * PER_CLAIM..(claim + 1) * PER_CLAIM;
        let experiment = |number: usize| {
            let trainer = PlantedTrainer {
                repetition: (first + number) as u64,
                effects: BTreeMap::from([("treatment".to_owned(), scenario.truth * MARGIN)]),
                noise,
            };
            experiment(
                &format!("synthetic-{number}"),
                scenario.expect,
                &trainer,
                results,
            )
        };
        let tested: Vec<Summary> = numbers.map(experiment).collect::<Result<_, _>>()?;
        let verdicts = tested.iter().map(|summary| summary.verdict);
        Ok((
            verdicts.map(|v| v.unwrap_or(Verdict::Undecided)).collect(),
            claim_answer("C1", &[], &tested).status,
        ))
    };
    let found = (0..claims).into_par_iter().map(claim);
    let found = found.collect::<Result<Vec<_>, Failed>>()?;
    let mut outcomes = Outcomes::default();
    for (verdicts, answer) in found {
        outcomes.verdicts.extend(verdicts);
        outcomes.claims.push(answer);
    }
    Ok(outcomes)
}

/// From the text of an experiment file to its summary, through all files of a results folder.
fn experiment(
    name: &str,
    expect: &str,
    trainer: &PlantedTrainer,
    results: &Path,
) -> Result<Summary, Failed> {
    let spec = Spec::parse(name, Path::new("synthetic.toml"), &text(expect), &[])?;
    let plan = Plan::new(&spec, "flex", 2 * SEEDS, "synthetic");
    let options = RunOptions {
        jobs: 1,
        fresh: false,
        adopt: false,
        records: Vec::new(),
        results: results.to_owned(),
        sharing: Sharing::default(),
    };
    run_spec(&plan, trainer, &options, &Silent, &StopFlag::default())?;
    let folder = results.join(name);
    let records = runs::read_runs(&folder.join(runs::NAME))?.records;
    std::fs::remove_dir_all(folder)?;
    Ok(summarize(&spec, &records)?)
}

fn text(expect: &str) -> String {
    format!(
        r#"
title = "Synthetic"
question = "Is the planted truth found?"
claim = "C1"
sentence = "The treatment has the planted effect"
reading = "As the verdict says."
seeds = {SEEDS}

[data]
name = "digits"

[model]
kind = "mlp"
hidden = [4]

[train]
epochs = 1
batch_size = 32
learning_rate = [0.001, 0.01]

[[arms]]
name = "control"

[[arms]]
name = "treatment"
set.model.block.dropout.rate = 0.1

[[contrasts]]
name = "planted"
treatment = "treatment"
control = "control"
metric = "test_accuracy"
expect = "{expect}"
margin = {MARGIN}
note = "The planted difference."
"#
    )
}
