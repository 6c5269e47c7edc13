//! Errors of the whole pipeline with planted truth: a spec is parsed and planned, its cells are run into a
//! results folder, the records are read back, and verdict and claim follow from them.

use crate::fail;
use ablate::analysis::{ClaimStatus, Summary, claim_answer, summarize};
use ablate::plan::Plan;
use ablate::run::events::Silent;
use ablate::run::planted::{Noise, PlantedTrainer};
use ablate::run::{RunOptions, run_spec, runs};
use ablate::spec::Spec;
use ablate::stats::Verdict;
use ablate::trainer::StopFlag;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

/// Experiments that test one claim.
const PER_CLAIM: usize = 2;
/// Margin in points.
const MARGIN: f64 = 0.5;

/// A prediction, the true difference in margins, and the wrong verdict, if one is wrong.
const SCENARIOS: [(&str, f64, Option<Verdict>); 8] = [
    ("better", 0.0, Some(Verdict::Supported)),
    ("better", -1.0, Some(Verdict::Supported)),
    ("better", 1.0, Some(Verdict::Contradicted)),
    ("better", 2.0, Some(Verdict::Contradicted)),
    ("equivalent", 0.0, Some(Verdict::Contradicted)),
    ("equivalent", 1.0, Some(Verdict::Supported)),
    ("differs", 0.0, Some(Verdict::Supported)),
    ("differs", 1.0, Some(Verdict::Contradicted)),
];

pub(crate) fn print(rounds: usize) {
    println!(
        "Verdicts of {rounds} synthetic experiments per line, in percent, and answers to the claims that\n\
         {PER_CLAIM} experiments each test: 20 seeds, two learning rates chosen on validation, one primary\n\
         contrast with a margin of {MARGIN} points. *Wrong*: the verdict that the truth rules out.\n"
    );
    println!(
        "| scores | prediction | true difference | supported | contradicted | undecided | wrong | claim \
         supported | claim contradicted | claim wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (noise, name) in [
        (Noise::Normal, "normal"),
        (Noise::Skewed, "skewed"),
        (Noise::Images, "whole images"),
    ] {
        for (index, (expect, truth, wrong)) in SCENARIOS.into_iter().enumerate() {
            let found = simulate(expect, truth * MARGIN, noise, index, rounds);
            let (verdicts, claims) = found.unwrap_or_else(|e| fail(&e.to_string()));
            let share =
                |verdict| percent(verdicts.iter().filter(|v| **v == verdict).count(), rounds);
            let claim = |status| {
                let count = claims.iter().filter(|s| **s == status).count();
                percent(count, claims.len())
            };
            let (supported, contradicted) = (
                claim(ClaimStatus::Supported),
                claim(ClaimStatus::Contradicted),
            );
            let (wrong_verdict, wrong_claim) = match wrong {
                Some(Verdict::Supported) => (share(Verdict::Supported), supported.clone()),
                Some(Verdict::Contradicted) => (share(Verdict::Contradicted), contradicted.clone()),
                _ => (String::new(), String::new()),
            };
            println!(
                "| {name} | {expect} | {} | {} | {} | {} | {wrong_verdict} | {supported} | {contradicted} | \
                 {wrong_claim} |",
                truth_words(truth),
                share(Verdict::Supported),
                share(Verdict::Contradicted),
                share(Verdict::Undecided),
            );
        }
    }
}

fn truth_words(margins: f64) -> String {
    match margins {
        0.0 => "none".to_owned(),
        m if m.abs() == 1.0 => format!("{} margin", if m > 0.0 { "1" } else { "−1" }),
        m => format!("{m} margins"),
    }
}

fn percent(count: usize, of: usize) -> String {
    format!("{:.1}", 100.0 * count as f64 / of.max(1) as f64)
}

type Outcomes = (Vec<Verdict>, Vec<ClaimStatus>);

fn simulate(
    expect: &str,
    difference: f64,
    noise: Noise,
    scenario: usize,
    rounds: usize,
) -> Result<Outcomes, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (mut verdicts, mut claims) = (Vec::new(), Vec::new());
    let mut tested: Vec<Summary> = Vec::new();
    for round in 0..rounds {
        let trainer = PlantedTrainer {
            repetition: (scenario * rounds + round) as u64,
            effects: BTreeMap::from([("treatment".to_owned(), difference)]),
            noise,
        };
        let name = format!("synthetic-{round}");
        let summary = experiment(&name, expect, &trainer, folder.path())?;
        verdicts.push(summary.verdict.unwrap_or(Verdict::Undecided));
        tested.push(summary);
        if tested.len() == PER_CLAIM {
            claims.push(claim_answer("C1", &[], &tested).status);
            tested.clear();
        }
    }
    Ok((verdicts, claims))
}

/// From the text of an experiment file to its summary, through all files of a results folder.
fn experiment(
    name: &str,
    expect: &str,
    trainer: &PlantedTrainer,
    results: &Path,
) -> Result<Summary, Box<dyn Error>> {
    let spec = Spec::parse(name, Path::new("synthetic.toml"), &text(expect), &[])?;
    let plan = Plan::new(&spec, "flex", 40, "synthetic");
    let options = RunOptions {
        jobs: 1,
        fresh: false,
        adopt: false,
        records: Vec::new(),
        results: results.to_owned(),
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
seeds = 20

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
