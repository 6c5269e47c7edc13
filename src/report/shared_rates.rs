//! Differences at shared learning rates: a sentence per contrast, and a table.

use crate::analysis::{ContrastSummary, Robustness, Summary, USABLE_ERROR, finding_words};
use crate::stats::Finding;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table, list};
use crate::text::number::{interval, level, signed};

/// The paragraphs on shared rates; empty if the arms of no contrast share a choice of rates.
pub(super) fn section(summary: &Summary) -> Vec<String> {
    let shared = || summary.contrasts.iter().filter(|c| !c.by_rate.is_empty());
    if shared().next().is_none() {
        return Vec::new();
    }
    let mut table = Table::new([
        ("contrast", Left),
        ("rate in all arms", Right),
        ("improvement", Right),
        ("t interval", Right),
        ("finding", Left),
        ("n", Right),
        ("usable", Left),
    ]);
    for contrast in shared() {
        let d = contrast.decimals();
        for rate in &contrast.by_rate {
            table.row([
                format!("`{}`", contrast.contrast.name),
                rate.learning_rate.to_string(),
                rate.mean
                    .map_or(NO_VALUE.to_owned(), |mean| signed(mean, d)),
                rate.interval
                    .map_or(NO_VALUE.to_owned(), |bounds| interval(bounds, d)),
                finding_words(rate.finding).to_owned(),
                rate.n.to_string(),
                if rate.usable { "yes" } else { "no" }.to_owned(),
            ]);
        }
    }
    let sentences = shared().filter_map(|contrast| {
        let text = robustness(contrast)?;
        Some(format!("`{}`: {text}", contrast.contrast.name))
    });
    vec![format!(
        "<details>\n<summary>The same learning rate in all arms</summary>\n\n{}\n\n{}\n{}\n</details>",
        explanation(summary),
        list(sentences),
        table.render()
    )]
}

fn explanation(summary: &Summary) -> String {
    let levels = (summary.contrasts.iter()).filter_map(|c| Some(c.decision.as_ref()?.confidence));
    let mut levels: Vec<String> = levels.map(level).collect();
    levels.sort();
    levels.dedup();
    let levels = match levels.is_empty() {
        true => String::new(),
        false => format!(" (intervals at {} %)", levels.join(" or ")),
    };
    format!(
        "Above, each arm has the rate that is best for it on validation. Here all arms of a contrast have the \
         same rate{levels}. A rate is usable if all seeds finished and the validation error of every arm is \
         at most {USABLE_ERROR} times that at its best rate, or tied with it. *Robust* means that the \
         finding above is also that at every usable shared rate."
    )
}

/// Whether the finding depends on the rate; `None` where the arms share no choice of rates.
pub(super) fn robustness(contrast: &ContrastSummary) -> Option<String> {
    Some(match contrast.robustness()? {
        Robustness::Robust(_) if contrast.finding() == Finding::Unclear => {
            "unclear at every usable shared rate.".to_owned()
        }
        Robustness::Robust(count) => {
            format!("robust: the finding is the same at all {count} usable shared rates.")
        }
        Robustness::Differs(rates) => {
            let rates: Vec<String> = rates.iter().map(f64::to_string).collect();
            let plural = if rates.len() == 1 { "" } else { "s" };
            format!(
                "not robust: the finding is another at the shared rate{plural} {}.",
                rates.join(" and ")
            )
        }
        Robustness::FewRates(0) => "no shared rate is usable in all arms.".to_owned(),
        Robustness::FewRates(_) => {
            "only one shared rate is usable in all arms, so robustness is open.".to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{RateDifference, fixture, summarize};
    use crate::stats::Interval;

    /// A contrast with the given finding, and shared rates 0.1, 0.2, ... with findings, usable or not.
    fn told(finding: Finding, rates: &[(Finding, bool)]) -> (Summary, Option<String>) {
        let spec = fixture::spec(2, 8, 1);
        let mut summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        let contrast = &mut summary.contrasts[0];
        contrast.decision.as_mut().unwrap().finding = finding;
        let rates = rates.iter().zip(1..);
        let rates = rates.map(|(&(finding, usable), k)| RateDifference {
            learning_rate: f64::from(k) / 10.0,
            n: 8,
            mean: Some(0.5),
            interval: Some(Interval {
                low: 0.25,
                high: 0.75,
            }),
            finding,
            usable,
        });
        contrast.by_rate = rates.collect();
        let text = robustness(contrast);
        (summary, text)
    }

    #[test]
    fn robustness_is_told_in_one_sentence() {
        use Finding::{Better, BetterByMore, Unclear, Worse};
        for (finding, rates, expected) in [
            (
                Better,
                vec![(Better, true), (BetterByMore, true)],
                "robust: the finding is the same at all 2",
            ),
            (
                Better,
                vec![(Better, true), (Worse, true)],
                "not robust: the finding is another at the shared rate 0.2.",
            ),
            (
                Unclear,
                vec![(Better, true), (Worse, true)],
                "at the shared rates 0.1 and 0.2.",
            ),
            (
                Unclear,
                vec![(Unclear, true), (Unclear, true)],
                "unclear at every",
            ),
            (
                Better,
                vec![(Better, true), (Worse, false)],
                "only one shared rate",
            ),
            (Better, vec![(Better, false)], "no shared rate is usable"),
        ] {
            let (_, text) = told(finding, &rates);
            let text = text.unwrap();
            assert!(text.contains(expected), "{text}");
        }
        assert_eq!(told(Better, &[]).1, None);
    }

    #[test]
    fn table_has_a_row_per_rate() {
        let (summary, _) = told(
            Finding::Better,
            &[(Finding::Better, true), (Finding::Worse, false)],
        );
        let text = section(&summary).join("\n");
        assert!(text.starts_with("<details>") && text.ends_with("</details>"));
        let rows = text.lines().filter(|line| line.starts_with("| `b-vs-a`"));
        assert_eq!(rows.count(), 2);
        assert!(text.contains("(intervals at 95 %)"), "{text}");
        assert!(section(&told(Finding::Better, &[]).0).is_empty());
    }
}
