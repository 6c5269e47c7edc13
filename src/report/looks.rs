//! What a report says about seeds that were added after looking at the results.

use crate::analysis::Summary;
use crate::stats::{Look, Looks, Rule, Spending};
use crate::text::counted;
use crate::text::markdown::{Align, Table};
use crate::text::number::compact;

/// One sentence for the terminal; `None` if the number of seeds was fixed before the run.
pub(super) fn sentence(summary: &Summary) -> Option<String> {
    let looks = summary.looks.as_ref()?;
    Some(format!(
        "look {} at these results, after {} of at most {}: the intervals are longer to allow for that",
        looks.looks.len(),
        looks.seeds(),
        counted(looks.most, "seed"),
    ))
}

/// The looks, and how the intervals allow for them; `None` if the number of seeds was fixed before the
/// run.
pub(super) fn section(summary: &Summary) -> Option<String> {
    let looks = summary.looks.as_ref()?;
    let primary = summary
        .contrasts
        .iter()
        .filter(|c| c.contrast.primary)
        .count();
    Some(format!(
        "{}\n\n{}",
        text(looks, primary.max(1)),
        table(looks)
    ))
}

fn text(looks: &Looks, primary: usize) -> String {
    let alpha = Rule::default().alpha;
    let together = primary as f64 * looks.error_rate();
    let start = format!(
        "**Seeds were added after looking at the results**, up to {} of at most {}. Intervals that are \
         computed again and again would mislead too often, so each look uses a part of the error rate",
        looks.seeds(),
        counted(looks.most, "seed"),
    );
    match looks.spending {
        Spending::ObrienFleming => format!(
            "{start} (O'Brien-Fleming type spending function of Lan and DeMets 1983, bounds of t; planned \
             before the first look). The intervals of the primary contrasts at all looks together miss a \
             true difference with a probability of at most {} %. Exploratory contrasts and the checks by \
             other methods are read at the last look; the p-values of the checks do not allow for the \
             looks.",
            percent(alpha),
        ),
        Spending::Pocock => format!(
            "{start} (Pocock type spending function of Lan and DeMets 1983, bounds of t). **These looks \
             were not all planned**: an earlier result was reported as if it were the only one, or the \
             largest number of seeds was changed. The intervals of the primary contrasts, as they were \
             reported at each look, together miss a true difference with a probability of up to {} % \
             instead of {} %. The p-values of the checks do not allow for the looks.",
            percent(together),
            percent(alpha),
        ),
    }
}

fn table(looks: &Looks) -> String {
    let mut table = Table::new([
        ("look", Align::Right),
        ("seeds", Align::Right),
        ("error rate of each primary interval (%)", Align::Right),
    ]);
    for (index, Look { seeds, level }) in looks.looks.iter().enumerate() {
        table.row([
            (index + 1).to_string(),
            seeds.to_string(),
            compact(100.0 * level),
        ]);
    }
    table.render().trim_end().to_owned()
}

fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    text.trim_end_matches(".0").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};
    use crate::report::{answer, derive};
    use crate::text::markdown::one_line;

    fn summary(looks: Option<Looks>) -> Summary {
        let mut spec = fixture::spec(2, 30, 1);
        spec.looks = looks;
        summarize(&spec, &fixture::records(&spec)).unwrap()
    }

    #[test]
    fn fixed_numbers_of_seeds_are_not_mentioned() {
        let summary = summary(None);
        assert_eq!((section(&summary), sentence(&summary)), (None, None));
    }

    #[test]
    fn planned_looks_lengthen_the_interval_and_are_listed() {
        let looks = Looks::planned(40).at(20, 0.05).at(30, 0.05);
        let level = looks.looks[1].level;
        let corrected = summary(Some(looks));
        let decision = corrected.contrasts[0].decision.as_ref().unwrap();
        assert!((decision.confidence - (1.0 - level)).abs() < 1e-9);
        let fixed = summary(None);
        let fixed = fixed.contrasts[0]
            .decision
            .as_ref()
            .unwrap()
            .interval
            .unwrap();
        let longer = decision.interval.unwrap();
        assert!(longer.low < fixed.low && longer.high > fixed.high);
        let text = section(&corrected).unwrap();
        assert!(text.contains("up to 30 of at most 40 seeds"), "{text}");
        assert!(
            text.contains("O'Brien-Fleming") && text.contains("at most 5 %"),
            "{text}"
        );
        let levels = text.lines().filter(|line| line.starts_with("| "));
        assert_eq!(
            levels.count(),
            4,
            "a header of two lines and two looks: {text}"
        );
        let terminal = one_line(&answer(&corrected));
        assert!(terminal.contains("look 2 at these results, after 30 of at most 40 seeds"));
    }

    #[test]
    fn unplanned_looks_state_the_error_rate_they_have() {
        let looks = Looks::unplanned(10, 0.05).at(30, 0.05);
        let rate = percent(looks.error_rate());
        let text = section(&summary(Some(looks))).unwrap();
        assert!(text.contains("not all planned"), "{text}");
        assert!(
            text.contains(&format!("up to {rate} % instead of 5 %")),
            "{text}"
        );
    }

    #[test]
    fn report_and_summary_state_the_looks() {
        let mut spec = fixture::spec(2, 30, 1);
        spec.looks = Some(Looks::planned(40).at(20, 0.05).at(30, 0.05));
        let derived = derive(
            &spec,
            &fixture::records(&spec),
            None,
            None,
            Vec::new(),
            &Default::default(),
        )
        .unwrap();
        assert!(
            derived
                .report_md
                .contains("**Seeds were added after looking at the results**")
        );
        assert!(derived.summary_json.contains("\"obrien_fleming\""));
        let read: Summary = serde_json::from_str(&derived.summary_json).unwrap();
        assert_eq!(read.looks, spec.looks);
    }
}
