//! A claim explained in plain words, for the terminal: question, design, answer, what to do.

use super::claim_figure::tested;
use super::claim_words::{advice, answer_words, joined, votes};
use super::claims::{CLAIMS_FOLDER, claim_file};
use super::finding::{effect, fragile, ruled_out};
use crate::analysis::subject::subject;
use crate::analysis::{
    ContrastSummary, Summary, claim_answer, evidence, finding_words, prediction_word, verdict_word,
};
use crate::spec::Claim;
use crate::text::markdown::one_line;
use crate::text::wrap::paragraph;
use crate::text::{capitalized, counted};
use std::collections::BTreeSet;

/// Explains `claim` with the results in `summaries`; `results` is the path of their folder. Lines have at
/// most 80 characters, unless a single word is longer.
pub fn explain(claim: &Claim, summaries: &[Summary], results: &str) -> String {
    let tested = tested(claim, summaries);
    let mut text = paragraph(0, &format!("{}: {}", claim.name, one_line(&claim.short)));
    text.push_str(&paragraph(
        0,
        &format!("The sentence: \"{}\"", one_line(&claim.sentence)),
    ));
    if !claim.stated {
        text.push_str(&paragraph(
            0,
            "The sentence suggests this and does not state it.",
        ));
    }
    let mut section = |heading: &str, paragraphs: Vec<String>| {
        text.push_str(&format!("\n{heading}\n"));
        for paragraph_text in paragraphs {
            text.push_str(&paragraph(1, &paragraph_text));
        }
    };
    section("Question", questions(claim, &tested));
    section("Design", design(claim, &tested));
    section("Answer", answer(claim, &tested, summaries));
    section("What to do", what_to_do(claim, summaries));
    section(
        "What this cannot say",
        claim.limits.iter().map(|limit| one_line(limit)).collect(),
    );
    let page = format!("{results}/{CLAIMS_FOLDER}/{}", claim_file(&claim.name));
    text.push('\n');
    text.push_str(&paragraph(0, &format!("All of the evidence: {page}")));
    text
}

type Tested<'a> = [(&'a Summary, &'a ContrastSummary)];

/// The questions of the experiments that test it, each once.
fn questions(claim: &Claim, tested: &Tested<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (summary, _) in tested {
        let question = format!("{} ({})", one_line(&summary.question), summary.name);
        if !found.contains(&question) {
            found.push(question);
        }
    }
    match found.is_empty() {
        true => vec![format!(
            "No experiment with results tests it yet. Kind: {}.",
            one_line(&claim.kind)
        )],
        false => found,
    }
}

/// What is compared under which conditions, and what would decide it.
fn design(claim: &Claim, tested: &Tested<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    if !tested.is_empty() {
        let experiments: BTreeSet<&str> = tested.iter().map(|(s, _)| s.name.as_str()).collect();
        let seeds = || tested.iter().map(|(_, c)| c.improvements.len());
        let (least, most) = (seeds().min().unwrap_or(0), seeds().max().unwrap_or(0));
        let seeds = match least == most {
            true => counted(most, "seed"),
            false => format!("{least} to {most} seeds"),
        };
        parts.push(format!(
            "{} in {}, with {seeds} each. Both sides of a comparison \
             train with the same seeds, data and start weights; one difference per seed remains.",
            counted(tested.len(), "comparison"),
            counted(experiments.len(), "experiment"),
        ));
        let mut conditions: Vec<String> = Vec::new();
        for (_, contrast) in tested {
            let condition = contrast.condition.to_string();
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        parts.push(format!("Conditions: {}.", conditions.join("; ")));
    }
    let end = |text: &str| one_line(text.trim_end_matches('.'));
    parts.push(format!("Support would be: {}.", end(&claim.supports)));
    parts.push(format!(
        "Contradiction would be: {}.",
        end(&claim.contradicts)
    ));
    parts
}

/// The answer, the number of verdicts behind it, and the best evidence for each verdict that it names.
fn answer(claim: &Claim, tested: &Tested<'_>, summaries: &[Summary]) -> Vec<String> {
    let found = claim_answer(&claim.name, &claim.strata, summaries);
    let votes = votes(claim, summaries).map_or(String::new(), |votes| format!(" {votes}."));
    let mut parts = vec![format!("{}.{votes}", capitalized(&answer_words(&found)))];
    for best in evidence(claim, summaries) {
        let Some((summary, contrast)) = (tested.iter()).find(|(s, c)| {
            s.name == best.experiment && c.contrast.name == best.contrast.contrast.name
        }) else {
            continue;
        };
        let asked = &contrast.contrast;
        let fragile = fragile(contrast).map_or(String::new(), |why| format!(" Fragile: {why}."));
        parts.push(format!(
            "Best evidence, {}: {}: {}, {}: {}{}; predicted: {}; {}, {} ({}).{fragile}",
            verdict_word(best.verdict),
            subject(summary, &asked.comparison, &asked.weights),
            effect(contrast).unwrap_or_default(),
            asked.quantity(),
            finding_words(contrast.finding()),
            ruled_out(contrast),
            prediction_word(asked.expect),
            contrast.condition,
            counted(best.seeds, asked.comparison.unit()),
            summary.name,
        ));
    }
    let undecided: Vec<String> = (tested.iter())
        .filter(|(_, c)| c.withheld.is_some())
        .map(|(s, c)| format!("`{}` of {}", c.contrast.name, s.name))
        .collect();
    if !undecided.is_empty() {
        parts.push(format!(
            "Withheld, because cells failed or are missing: {}.",
            joined(&undecided)
        ));
    }
    parts
}

fn what_to_do(claim: &Claim, summaries: &[Summary]) -> Vec<String> {
    let status = claim_answer(&claim.name, &claim.strata, summaries).status;
    let text =
        advice(claim, status).unwrap_or("Nothing yet: no experiment has tested it. Run one first.");
    vec![one_line(text)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    #[test]
    fn tested_claim_has_question_design_answer_and_advice() {
        let spec = fixture::spec(2, 10, 1);
        let summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        let claim = fixture::claim("C6", &[]);
        let text = explain(&claim, std::slice::from_ref(&summary), "results");
        let plain = one_line(&text);
        assert!(
            plain.contains("Question Does a bias before batch norm change anything? (demo)"),
            "{text}"
        );
        assert!(
            plain.contains("Design 1 comparison in 1 experiment"),
            "{text}"
        );
        assert!(plain.contains("with 10 seeds each"), "{text}");
        let best = evidence(&claim, std::slice::from_ref(&summary)).remove(0);
        let effect = effect(best.contrast).unwrap();
        assert!(
            plain.contains(&format!("b label against a label: {effect}")),
            "{text}"
        );
        let expected = what_to_do(&claim, &[summary]).remove(0);
        assert!(plain.contains(&format!("What to do {expected}")), "{text}");
        assert!(plain.ends_with("results/claims/C6.md"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn untested_claim_says_so() {
        let text = explain(&fixture::claim("C6", &[]), &[], "results");
        let plain = one_line(&text);
        assert!(
            plain.contains("No experiment with results tests it yet"),
            "{text}"
        );
        assert!(plain.contains("Answer Not tested yet."), "{text}");
        assert!(plain.contains("What to do Nothing yet"), "{text}");
    }
}
