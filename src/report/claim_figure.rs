//! The rows of a claim's forest plot: every primary contrast that tests it.

use super::finding::effect_numbers;
use crate::analysis::subject::{reversed_subject, subject};
use crate::analysis::{ContrastSummary, Summary};
use crate::plot::{Drawing, ForestRow, PlotError, Theme, forest};
use crate::spec::{Claim, Expect};
use crate::stats::Interval;
use crate::text::markdown::one_line;

/// File name of the figure of `claim`.
pub fn claim_figure_file(claim: &str) -> String {
    format!("{claim}.svg")
}

/// Draws the forest plot of `claim`; `None` if no primary contrast with an interval tests it. The order of
/// `summaries` does not matter.
///
/// # Errors
/// If the drawing library fails.
pub fn claim_figure(
    claim: &Claim,
    summaries: &[Summary],
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let title = format!("{}: {}", claim.name, claim.short);
    let axis = claim.axis.as_ref();
    let [left, right] = axis.map_or(["second is better", "first is better"], |[left, right]| {
        [left.as_str(), right.as_str()]
    });
    forest(&title, [left, right], &rows(claim, summaries), theme)
}

/// The primary contrasts that test `claim`, each with its experiment: by stratum in the order of the claim,
/// then by name of the experiment, then in the order of the spec.
pub(super) fn tested<'a>(
    claim: &Claim,
    summaries: &'a [Summary],
) -> Vec<(&'a Summary, &'a ContrastSummary)> {
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found: Vec<(&Summary, &ContrastSummary)> = (sorted.into_iter())
        .flat_map(|summary| summary.contrasts.iter().map(move |c| (summary, c)))
        .filter(|(_, contrast)| contrast.tests(&claim.name))
        .collect();
    let place = |contrast: &ContrastSummary| {
        let stratum = contrast.contrast.stratum.as_ref();
        let known = claim.strata.iter().position(|s| Some(s) == stratum);
        (known.unwrap_or(claim.strata.len()), stratum.cloned())
    };
    found.sort_by_cached_key(|(_, contrast)| place(contrast));
    found
}

fn rows(claim: &Claim, summaries: &[Summary]) -> Vec<ForestRow> {
    let tested = tested(claim, summaries).into_iter();
    tested.filter_map(|(s, c)| row(s, c)).collect()
}

/// A row. A prediction of a loss is shown as a gain of the other arm, so that all rows of a claim point in
/// one direction.
fn row(summary: &Summary, contrast: &ContrastSummary) -> Option<ForestRow> {
    let decision = contrast.decision.as_ref()?;
    let Interval { low, high } = contrast.interval()?;
    let asked = &contrast.contrast;
    let reversed = asked.expect == Expect::Worse;
    let (sign, interval) = match reversed {
        true => (
            -1.0,
            Interval {
                low: -high,
                high: -low,
            },
        ),
        false => (1.0, Interval { low, high }),
    };
    let words = match reversed {
        true => reversed_subject(summary, &asked.comparison, &asked.weights),
        false => subject(summary, &asked.comparison, &asked.weights),
    };
    let estimate = sign * decision.mean;
    Some(ForestRow {
        metric: asked.metric.clone(),
        quantity: asked.quantity(),
        stratum: asked.stratum.clone(),
        condition: plain(&contrast.condition.to_string()),
        compared: plain(&words),
        estimate,
        interval,
        margin: asked.margin,
        numbers: effect_numbers(estimate, interval, contrast.decimals()),
        seeds: decision.n,
        verdict: contrast.verdict.filter(|_| contrast.counts()),
        words: match contrast.counts() {
            true => contrast.short_verdict_words(),
            false => "an average that hides an interaction".to_owned(),
        },
    })
}

/// `text` without the marks of Markdown.
fn plain(text: &str) -> String {
    one_line(&text.replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    fn summary(expect: Expect) -> Summary {
        let mut spec = fixture::spec(2, 8, 1);
        spec.contrasts[0].expect = expect;
        spec.contrasts[0].stratum = Some("SGD".to_owned());
        let mut records = fixture::records(&spec);
        for seed in 0..8 {
            fixture::set_accuracy(&mut records, "a", seed, 90.0);
            fixture::set_accuracy(&mut records, "b", seed, 91.0 + (seed % 3) as f64);
        }
        summarize(&spec, &records).unwrap()
    }

    #[test]
    fn losses_are_shown_as_gains_of_the_other_arm() {
        let claim = fixture::claim("C6", &["SGD"]);
        let gain = rows(&claim, &[summary(Expect::Better)]).remove(0);
        let loss = rows(&claim, &[summary(Expect::Worse)]).remove(0);
        assert_eq!(gain.compared, "b label against a label");
        assert_eq!(loss.compared, "a label against b label");
        assert_eq!(loss.estimate, -gain.estimate);
        assert_eq!(loss.interval.low, -gain.interval.high);
        assert_eq!(gain.condition, "MNIST, dense net 32, 1 epoch");
        assert_eq!(
            (gain.words.as_str(), loss.words.as_str()),
            ("supported after 1 epoch", "contradicted after 1 epoch")
        );
    }

    #[test]
    fn rows_are_ordered_by_stratum() {
        let claim = fixture::claim("C6", &["SGD", "Adam"]);
        let mut first = summary(Expect::Better);
        first.contrasts[0].contrast.stratum = Some("Adam".to_owned());
        let mut second = summary(Expect::Better);
        second.name = "z".to_owned();
        let found: Vec<Option<String>> = rows(&claim, &[first, second])
            .into_iter()
            .map(|row| row.stratum)
            .collect();
        assert_eq!(found, [Some("SGD".to_owned()), Some("Adam".to_owned())]);
    }

    #[test]
    fn hidden_interactions_have_no_verdict() {
        let mut summary = summary(Expect::Better);
        summary.contrasts[0].mixed_over = vec!["depth".to_owned()];
        let row = rows(&fixture::claim("C6", &["SGD"]), &[summary]).remove(0);
        assert_eq!(row.verdict, None);
        assert!(row.words.contains("interaction"), "{}", row.words);
    }
}
