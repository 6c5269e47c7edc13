//! `index.html`: all claims with their forest plots, and all experiments.

use super::claim::{FOREST, claim_html_file};
use super::engine::{PageError, render};
use super::figure::Looks;
use super::prose::{Prose, plain};
use super::verdict::Badge;
use crate::analysis::{Summary, claim_answer};
use crate::report::claim_words::{advice, answer_words, votes};
use crate::report::claims::CLAIMS_FOLDER;
use crate::report::finding::short_effect;
use crate::report::overview::{by_claim, identity_table};
use crate::report::{REPORT_HTML_FILE, markdown};
use crate::spec::Claim;
use crate::text::markdown::one_line;
use minijinja::context;
use serde::Serialize;

/// A claim with its answer.
#[derive(Serialize)]
struct ClaimEntry {
    name: String,
    short: String,
    badge: Badge,
    votes: Option<String>,
    advice: Option<String>,
    page: String,
    forest: Option<String>,
}

/// An experiment with its answer.
#[derive(Serialize)]
struct Experiment {
    name: String,
    claim: Option<String>,
    question: String,
    badge: Badge,
    effects: Vec<Effect>,
    seeds: usize,
    page: String,
}

/// A primary contrast of an experiment.
#[derive(Serialize)]
struct Effect {
    effect: String,
    metric: String,
}

/// Makes the index. `claims` come with their forest plots; variants among `summaries` are no evidence on
/// them. The order of `summaries` does not matter.
///
/// # Errors
/// If a template is wrong.
pub fn index_html(
    claims: &[(&Claim, Option<String>)],
    evidence: &[Summary],
    summaries: &[Summary],
) -> Result<String, PageError> {
    let (mut prose, mut looks) = (Prose::default(), Looks::default());
    let claims: Vec<ClaimEntry> = claims
        .iter()
        .map(|(claim, figure)| {
            let answer = claim_answer(&claim.name, &claim.strata, evidence);
            let forest = figure.as_ref().map(|svg| {
                let id = format!("forest-{}", claim.name);
                looks.inline(svg, &id, FOREST)
            });
            ClaimEntry {
                short: plain(&one_line(&claim.short)),
                badge: Badge::of_claim(answer.status, &answer_words(&answer)),
                votes: votes(claim, evidence),
                advice: advice(claim, answer.status).map(|text| prose.inline(&one_line(text))),
                page: format!("{CLAIMS_FOLDER}/{}", claim_html_file(&claim.name)),
                name: claim.name.clone(),
                forest,
            }
        })
        .collect();
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    let experiments: Vec<Experiment> = sorted
        .into_iter()
        .map(|s| experiment(s, &mut prose))
        .collect();
    let identities = identity_table(summaries).map(|table| prose.html(&table));
    render(
        "index.html",
        context! { claims, experiments, identities, looks => looks.css() },
    )
}

fn experiment(summary: &Summary, prose: &mut Prose) -> Experiment {
    let effects = summary.primary().map(|contrast| Effect {
        effect: match short_effect(contrast) {
            Some(_) if contrast.is_exactly_equal() => "exactly equal".to_owned(),
            Some(effect) => effect,
            None => "too few pairs".to_owned(),
        },
        metric: contrast.contrast.quantity(),
    });
    Experiment {
        name: summary.name.clone(),
        claim: summary.claim.clone(),
        question: prose.inline(&one_line(&summary.question)),
        badge: Badge::of_summary(summary, &markdown::verdicts_text(summary)),
        effects: effects.collect(),
        seeds: summary.seeds.len(),
        page: format!("{}/{REPORT_HTML_FILE}", summary.name),
    }
}
