//! The answer of one experiment, as a short block of text for the terminal.

use super::finding::{effect, new_data, prediction, ruled_out, seeds};
use super::markdown::verdicts_text;
use super::settling;
use super::{changes, looks};
use crate::analysis::subject::subject;

use crate::analysis::{
    ArmSummary, ContrastSummary, IdentitySummary, Summary, finding_words, metric_decimals,
};
use crate::spec::Metric;
use crate::text::counted;
use crate::text::number::decimals;
use crate::text::wrap::paragraph;

/// Formats the name and question of an experiment, followed by the verdict, effect and interval of
/// each primary contrast and the number of identities that are as stated. If there is neither, the
/// scores of the arms follow. Lines have at most 80 characters, unless a single word is longer.
pub fn answer(summary: &Summary) -> String {
    let mut text = paragraph(0, &format!("{}: {}", summary.name, summary.question));
    if let Some(changed) = changes::sentence(summary) {
        text.push_str(&paragraph(1, &changed));
    }
    let primary: Vec<&ContrastSummary> = summary.primary().collect();
    for contrast in &primary {
        let verdict = contrast.verdict_words();
        let asked = &contrast.contrast;
        let compared = subject(summary, &asked.comparison, &asked.weights);
        text.push_str(&paragraph(1, &format!("{verdict}: {compared}")));
        text.push_str(&paragraph(2, &measured(summary, contrast)));
        if let Some(clause) = settling::clause(summary, contrast) {
            text.push_str(&paragraph(2, &clause));
        }
    }
    if primary.len() > 1 {
        let verdicts = verdicts_text(summary);
        text.push_str(&paragraph(
            1,
            &format!("all primary contrasts together: {verdicts}"),
        ));
    }
    if let Some(looks) = looks::sentence(summary) {
        text.push_str(&paragraph(1, &looks));
    }
    if !summary.identities.is_empty() {
        text.push_str(&paragraph(1, &identities(&summary.identities)));
    } else if primary.is_empty() {
        let metric = summary.scores().swap_remove(0);
        for arm in &summary.arms {
            text.push_str(&paragraph(1, &score(arm, &metric)));
        }
    }
    if !summary.warnings.is_empty() {
        let notes = counted(summary.warnings.len(), "note");
        text.push_str(&paragraph(
            1,
            &format!("read with care: {notes} in the report"),
        ));
    }
    text
}

/// The effect of a contrast with its interval, and what was predicted.
fn measured(summary: &Summary, contrast: &ContrastSummary) -> String {
    let asked = &contrast.contrast;
    let (metric, unit) = (asked.quantity(), asked.comparison.unit());
    let Some((decision, effect)) = contrast.decision.as_ref().zip(effect(contrast)) else {
        let finished = counted(contrast.improvements.len(), &format!("finished {unit}"));
        return format!("{metric}: {finished}, too few for an interval");
    };
    let pairs = seeds(summary, contrast, decision.n);
    if contrast.is_exactly_equal() {
        let predicted = prediction(contrast);
        return format!("exactly the same {metric} in all {pairs}; predicted: {predicted}");
    }
    let effect = effect.trim_end_matches(')');
    format!(
        "{metric}: {effect}, {pairs}): {}; predicted: {}{}.{}",
        finding_words(contrast.finding()),
        prediction(contrast),
        ruled_out(contrast),
        new_data(contrast)
    )
}

fn identities(all: &[IdentitySummary]) -> String {
    let (good, other): (Vec<_>, Vec<_>) = all.iter().partition(|found| found.as_stated);
    let mut text = format!("identities: {} of {} hold as stated", good.len(), all.len());
    if !other.is_empty() {
        let numbers = other.iter().map(|found| found.identity.number.to_string());
        let numbers = numbers.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("; not as stated: {numbers}"));
    }
    text
}

fn score(arm: &ArmSummary, metric: &Metric) -> String {
    let name = &arm.name;
    match arm.spread(metric) {
        Some(spread) => format!(
            "`{name}`: {} {} {} ({})",
            metric.label(),
            spread.mean_sd(decimals(spread.sd, metric_decimals(metric))),
            metric.scale(),
            counted(arm.n, "seed")
        ),
        None => format!("`{name}`: no seed finished"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Withheld, fixture, summarize};
    use crate::spec::{Expect, Identity, Spec};
    use crate::stats::{Finding, Verdict};
    use crate::text::markdown::one_line;
    use crate::text::wrap::TERMINAL_WIDTH;

    fn of(spec: &Spec) -> Summary {
        summarize(spec, &fixture::records(spec)).unwrap()
    }

    #[test]
    fn each_primary_contrast_has_verdict_effect_and_interval() {
        let summary = of(&fixture::spec(3, 10, 2));
        let text = one_line(&answer(&summary));
        assert!(text.starts_with("demo: Does a bias before batch norm change anything?"));
        for contrast in &summary.contrasts {
            let verdict = contrast.verdict_words();
            let arms = contrast.contrast.name.replace("-vs-", " label against ");
            assert!(text.contains(&format!("{verdict}: {arms} label")), "{text}");
            let effect = effect(contrast).unwrap();
            let effect = effect.trim_end_matches(')');
            assert!(text.contains(&format!("{effect}, 10 pairs):")), "{text}");
        }
        assert!(text.contains("predicted: equivalent within ±0.25 points"));
        let verdict = summary.verdict_words();
        assert!(text.contains(&format!("all primary contrasts together: {verdict}")));
    }

    #[test]
    fn withheld_verdict_says_why() {
        let mut summary = of(&fixture::spec(3, 10, 2));
        let withheld = Some(Withheld {
            failed: 3,
            missing: 0,
            cells: 20,
        });
        (summary.withheld, summary.contrasts[0].withheld) = (withheld, withheld);
        let text = one_line(&answer(&summary));
        let why = "withheld: 3 of 20 cells failed; run again";
        assert!(
            text.contains(&format!("{why}: b label against a label")),
            "{text}"
        );
        let together = format!("all primary contrasts together: {why}");
        assert!(text.contains(&together), "{text}");
    }

    #[test]
    fn secondary_contrasts_are_left_out() {
        let mut spec = fixture::spec(3, 10, 2);
        spec.contrasts[1].primary = false;
        let text = one_line(&answer(&of(&spec)));
        assert!(text.contains("b label against a label"), "{text}");
        assert!(!text.contains("c label"), "{text}");
        assert!(!text.contains("together"), "{text}");
    }

    #[test]
    fn lines_fit_80_columns() {
        let mut spec = fixture::spec(3, 10, 2);
        spec.question = "a very long question ".repeat(20);
        for arm in &mut spec.arms {
            arm.label = "words and words ".repeat(9);
        }
        let text = answer(&of(&spec));
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= TERMINAL_WIDTH)
        );
        assert!(
            text.lines()
                .any(|line| line.chars().count() > TERMINAL_WIDTH - 20)
        );
    }

    #[test]
    fn committed_answers_fit_80_columns() {
        let results = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        let mut answers = 0;
        for entry in std::fs::read_dir(results).unwrap() {
            let path = entry.unwrap().path().join("summary.json");
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let text = answer(&serde_json::from_str(&text).unwrap());
            let long = text
                .lines()
                .find(|line| line.chars().count() > TERMINAL_WIDTH);
            assert_eq!(long, None, "{}", path.display());
            answers += 1;
        }
        assert!(answers > 20, "{answers}");
    }

    #[test]
    fn one_seed_is_too_few_for_an_interval() {
        let text = one_line(&answer(&of(&fixture::spec(2, 1, 1))));
        let expected = "undecided: b label against a label test accuracy: 1 finished pair, too \
                        few for an interval";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn equal_pairs_are_called_the_same() {
        let mut summary = of(&fixture::spec(2, 10, 1));
        for improvement in &mut summary.contrasts[0].improvements {
            improvement.value = 0.0;
        }
        let text = one_line(&answer(&summary));
        let expected = "exactly the same test accuracy in all 10 pairs; predicted: equivalent";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn effect_below_the_margin_is_called_too_small() {
        let mut summary = of(&fixture::spec(2, 10, 1));
        let contrast = &mut summary.contrasts[0];
        contrast.contrast.expect = Expect::Better;
        contrast.decision.as_mut().unwrap().finding = Finding::BetterTooSmall;
        contrast.verdict = Some(Verdict::Supported);
        let text = one_line(&answer(&summary));
        assert!(
            text.contains(
                "supported after 1 epoch on this data set, but too small to matter: b label"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "): better, but too small to matter; predicted: better. Finding for new data of this \
                 kind: not known."
            ),
            "{text}"
        );
    }

    #[test]
    fn moving_difference_is_named_with_the_length() {
        let mut spec = fixture::spec(2, 10, 20);
        spec.contrasts[0].expect = Expect::Better;
        let mut records = fixture::records(&spec);
        for record in records.iter_mut().filter(|record| record.arm == "b") {
            for (k, epoch) in record.epochs.iter_mut().enumerate() {
                fixture::test_scores(epoch).accuracy += 0.2 * k as f64;
            }
        }
        let text = one_line(&answer(&summarize(&spec, &records).unwrap()));
        assert!(
            text.contains("supported after 20 epochs on this data set: b label"),
            "{text}"
        );
        assert!(
            text.contains("the difference still moves: over epochs 15 to 20"),
            "{text}"
        );
        assert!(text.contains("in favor of b label"), "{text}");
    }

    #[test]
    fn arms_are_scored_where_nothing_is_compared() {
        let mut spec = fixture::spec(2, 3, 1);
        spec.contrasts.clear();
        let mut summary = of(&spec);
        summary.arms[1].test = None;
        let text = answer(&summary);
        assert!(text.contains("\n  `a`: test accuracy "), "{text}");
        assert!(text.contains(" % (3 seeds)\n"), "{text}");
        assert!(text.contains("\n  `b`: no seed finished\n"), "{text}");
    }

    #[test]
    fn identities_are_counted_and_wrong_ones_named() {
        let mut summary = of(&fixture::spec(2, 3, 1));
        let identity = |number, as_stated| IdentitySummary {
            identity: Identity {
                number,
                statement: "The scale folds".to_owned(),
                value: "fold".to_owned(),
                bound: 1e-9,
                holds: Vec::new(),
                fails: Vec::new(),
                note: "Rounding".to_owned(),
            },
            arms: Vec::new(),
            as_stated,
        };
        summary.identities = vec![identity(3, true), identity(7, false)];
        let text = one_line(&answer(&summary));
        assert!(
            text.contains("identities: 1 of 2 hold as stated; not as stated: 7"),
            "{text}"
        );
    }

    #[test]
    fn warnings_are_counted() {
        let mut summary = of(&fixture::spec(2, 3, 1));
        summary.warnings = vec!["one".to_owned(), "two".to_owned()];
        assert!(answer(&summary).ends_with("\n  read with care: 2 notes in the report\n"));
        summary.warnings.clear();
        assert!(!answer(&summary).contains("care"));
    }
}
