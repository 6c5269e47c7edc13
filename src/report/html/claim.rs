//! The page of one claim: that of the Markdown, with its figure inside.

use super::engine::{PageError, render};
use super::figure::Looks;
use super::prose::{Prose, plain};
use super::verdict::Badge;
use crate::analysis::{Summary, claim_answer};
use crate::report::claim_figure::claim_figure_file;
use crate::report::claim_words::{advice, answer_words, votes};
use crate::report::claims::{evidence_parts, withheld};
use crate::spec::Claim;
use crate::text::markdown::one_line;
use minijinja::context;

/// File name of the page of `claim`.
pub fn claim_html_file(claim: &str) -> String {
    format!("{claim}.html")
}

/// Makes the page of `claim` with its forest plot `figure`. The order of `summaries` does not matter.
///
/// # Errors
/// If a template is wrong.
pub fn claim_html(
    claim: &Claim,
    summaries: &[Summary],
    figure: Option<&str>,
) -> Result<String, PageError> {
    let mut prose = Prose::default();
    let mut looks = Looks::default();
    let answer = claim_answer(&claim.name, &claim.strata, summaries);
    let forest = figure.map(|svg| looks.inline(svg, "forest", FOREST));
    let parts = evidence_parts(claim, summaries);
    let shows_figure =
        |part: &String| part.contains(&format!("]({})", claim_figure_file(&claim.name)));
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|part| !shows_figure(part))
        .collect();
    render(
        "claim.html",
        context! {
            name => claim.name,
            short => plain(&one_line(&claim.short)),
            sentence => prose.inline(&one_line(&claim.sentence)),
            stated => claim.stated,
            badge => Badge::of_claim(answer.status, &answer_words(&answer)),
            votes => votes(claim, summaries),
            advice => advice(claim, answer.status).map(|text| prose.inline(&one_line(text))),
            withheld => prose.inline(withheld(claim, summaries).trim()),
            forest,
            body => prose.html(&parts.join("\n\n")),
            looks => looks.css(),
        },
    )
}

pub(super) const FOREST: &str =
    "Effect with interval, margin and verdict of every primary contrast on the claim";
