//! The answers to all claims in one table: claim, answer, evidence, in practice.

use super::claim_words::{advice, answer_words, votes};
use super::claims::{CLAIMS_FOLDER, claim_file};
use super::finding::short_effect;
use crate::analysis::subject::subject;
use crate::analysis::{ContrastSummary, Evidence, Summary, claim_answer, evidence, verdict_word};
use crate::spec::Claim;
use crate::stats::Movement;
use crate::text::counted;
use crate::text::markdown::Align::Left;
use crate::text::markdown::{Table, one_line};
use crate::text::wrap::{TERMINAL_WIDTH, wrap_cell};

/// Headings of the columns.
const HEADINGS: [&str; 4] = ["claim", "answer", "effect (interval)", "in practice"];

/// Stands in the place of advice for a claim without an answer.
const UNTESTED: &str = "Not tested yet.";

/// Widths of the columns on a terminal, in characters.
const WIDTHS: [usize; 4] = [18, 12, 26, 18];

/// Characters between two columns on a terminal.
const GAP: usize = 2;

const _: () = assert!(WIDTHS[0] + WIDTHS[1] + WIDTHS[2] + WIDTHS[3] + 3 * GAP <= TERMINAL_WIDTH);

/// The table as Markdown, for a page from which the results folder is `prefix` (empty, or ending in
/// `/`).
pub fn claims_table(claims: &[Claim], summaries: &[Summary], prefix: &str) -> String {
    let mut table = Table::new(HEADINGS.map(|heading| (heading, Left)));
    for claim in claims {
        let found = evidence(claim, summaries);
        let found_answer = claim_answer(&claim.name, &claim.strata, summaries);
        let answer = match votes(claim, summaries) {
            Some(votes) => format!("**{}**<br>{votes}", answer_words(&found_answer)),
            None => format!("**{}**", answer_words(&found_answer)),
        };
        let depends = found.len() > 1;
        let effects = found.iter().filter_map(|evidence| {
            let summary = experiment(evidence, summaries)?;
            let link = format!("[{0}]({prefix}{0}/{1})", summary.name, super::REPORT_FILE);
            let text = one_line(&described(evidence, summary));
            Some(format!("{}{text} ({link})", lead(evidence, depends)))
        });
        table.row([
            format!(
                "[{}]({prefix}{CLAIMS_FOLDER}/{}) {}{}",
                claim.name,
                claim_file(&claim.name),
                one_line(&claim.short),
                suggested(claim)
            ),
            answer,
            effects.collect::<Vec<_>>().join("<br>"),
            one_line(advice(claim, found_answer.status).unwrap_or(UNTESTED)),
        ]);
    }
    table.render()
}

/// The table for a terminal of 80 columns, with the claims that `summaries` test; `None` if they test
/// none.
pub fn claims_text(claims: &[Claim], summaries: &[Summary]) -> Option<String> {
    let tested = |claim: &&Claim| summaries.iter().any(|s| s.tests(&claim.name));
    let rows: Vec<[String; 4]> = (claims.iter().filter(tested))
        .map(|claim| text_row(claim, summaries))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let rule = WIDTHS.map(|width| "-".repeat(width));
    let mut out = text_lines(&HEADINGS.map(str::to_owned)) + &text_lines(&rule);
    for (i, row) in rows.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out += &text_lines(row);
    }
    Some(out)
}

fn text_row(claim: &Claim, summaries: &[Summary]) -> [String; 4] {
    let answer = claim_answer(&claim.name, &claim.strata, summaries);
    let found = evidence(claim, summaries);
    let depends = found.len() > 1;
    let effects = found.iter().map(|evidence| {
        let effect = short_effect(evidence.contrast).unwrap_or_default();
        format!(
            "{}{} {}: {}{}; {} ({})",
            lead(evidence, depends),
            effect,
            evidence.contrast.contrast.metric.label(),
            evidence.contrast.explained_finding(),
            still_moving(evidence.contrast),
            counted(evidence.seeds, "seed"),
            evidence.experiment,
        )
    });
    [
        format!("{} {}{}", claim.name, claim.short, suggested(claim)),
        answer_words(&answer),
        effects.collect::<Vec<_>>().join("\n"),
        advice(claim, answer.status).unwrap_or(UNTESTED).to_owned(),
    ]
}

/// Marks a claim that its sentence does not state.
fn suggested(claim: &Claim) -> &'static str {
    match claim.stated {
        true => "",
        false => " (suggested, not stated)",
    }
}

/// The cells of one row side by side, each wrapped to the width of its column. A line break in a cell
/// starts a new line.
fn text_lines(cells: &[String; 4]) -> String {
    let columns: Vec<Vec<String>> = (cells.iter().zip(WIDTHS))
        .map(|(cell, width)| cell.split('\n').flat_map(|l| wrap_cell(l, width)).collect())
        .collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = String::new();
    for line in 0..height {
        let mut text = String::new();
        for (column, width) in columns.iter().zip(WIDTHS) {
            let cell = column.get(line).map_or("", String::as_str);
            text.push_str(&format!("{cell:<0$}", width + GAP));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// What is compared, the effect with its interval and the margin, and the condition. The verdict stands in
/// the column before.
fn described(evidence: &Evidence, summary: &Summary) -> String {
    let asked = &evidence.contrast.contrast;
    format!(
        "{}: {}, margin {}, {}{}; {}, {}",
        subject(summary, &asked.comparison, &asked.weights),
        short_effect(evidence.contrast).unwrap_or_default(),
        asked.margin,
        asked.quantity(),
        still_moving(evidence.contrast),
        evidence.contrast.condition,
        counted(evidence.seeds, asked.comparison.unit()),
    )
}

/// `, still moving after 20 epochs`; empty for a difference that is not shown to move.
fn still_moving(contrast: &ContrastSummary) -> String {
    let fitted = contrast.fitted_change();
    let moving = fitted.filter(|fitted| fitted.movement == Movement::Moves);
    moving.map_or(String::new(), |fitted| {
        format!(", still moving after {}", fitted.length_words())
    })
}

/// Says which side a piece of evidence is on, where there is evidence on both.
fn lead(evidence: &Evidence, depends: bool) -> String {
    match depends {
        true => format!("{}: ", verdict_word(evidence.verdict)),
        false => String::new(),
    }
}

fn experiment<'a>(evidence: &Evidence, summaries: &'a [Summary]) -> Option<&'a Summary> {
    summaries.iter().find(|s| s.name == evidence.experiment)
}
