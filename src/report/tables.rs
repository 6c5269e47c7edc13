//! The tables of a report.

use crate::analysis::subject::short;
use crate::analysis::{ArmSummary, ContrastSummary, RateSummary, Spread, Summary};
use crate::analysis::{metric_decimals, prediction_word};
use crate::spec::{Metric, Published, When};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};
use crate::text::number::{decimals, fixed, interval, level, p_value, signed};

/// In place of an interval for new data, where there is none.
const NOT_KNOWN: &str = "not known";

/// One row per arm: scores, chosen learning rate and finished seeds.
pub(super) fn arms(summary: &Summary) -> String {
    let all = |f: fn(&ArmSummary) -> usize| summary.arms.iter().any(|a| f(a) > 0);
    let (failed, missing) = (all(|a| a.failed), all(|a| a.missing));
    let rates = summary.arms.iter().any(|arm| arm.learning_rate.is_some());
    let is_net = summary.program_metrics.is_empty();
    let scores: Vec<(Metric, usize, String)> = (summary.scores().into_iter())
        .map(|metric| {
            let decimals = column_decimals(summary, &metric);
            let heading = score_heading(&metric);
            (metric, decimals, heading)
        })
        .collect();
    let published: Vec<(Metric, String)> = (summary.scores().into_iter())
        .filter(|metric| summary.published.iter().any(|p| p.metric == *metric))
        .map(|m| {
            let heading = format!("published {}", m.label_in(m.scale()));
            (m, heading)
        })
        .collect();
    let mut columns = vec![("arm", Left), ("label", Left)];
    columns.extend(
        scores
            .iter()
            .map(|(_, _, heading)| (heading.as_str(), Right)),
    );
    columns.extend(rates.then_some(("learning rate", Right)));
    columns.push(("seeds", Right));
    columns.extend(is_net.then_some(("diverged", Right)));
    columns.extend(failed.then_some(("failed", Right)));
    columns.extend(missing.then_some(("not run", Right)));
    columns.extend(published.iter().map(|(_, name)| (name.as_str(), Right)));
    let mut table = Table::new(columns);
    for arm in &summary.arms {
        let mut row = vec![format!("`{}`", arm.name), arm.label.clone()];
        row.extend(scores.iter().map(|(metric, decimals, _)| {
            let spread = arm.spread(metric);
            spread.map_or(NO_VALUE.to_owned(), |s| s.mean_sd(*decimals))
        }));
        let rate = arm
            .learning_rate
            .map_or(String::new(), |rate| rate.to_string());
        row.extend(rates.then_some(rate));
        row.push(arm.n.to_string());
        row.extend(is_net.then(|| arm.diverged.to_string()));
        row.extend(failed.then(|| arm.failed.to_string()));
        row.extend(missing.then(|| arm.missing.to_string()));
        row.extend(published.iter().map(|(metric, _)| {
            let of_arm =
                |p: &&Published| p.arm == arm.name && p.metric == *metric && p.when == When::Last;
            let rows = summary.published.iter().filter(of_arm);
            rows.map(published_value).collect::<Vec<_>>().join("<br>")
        }));
        table.row(row);
    }
    table.render()
}

fn score_heading(metric: &Metric) -> String {
    match metric {
        Metric::TestAccuracy => "accuracy (%)".to_owned(),
        Metric::TestNll => "NLL (nats)".to_owned(),
        Metric::TestEce => "ECE (%)".to_owned(),
        Metric::Probe(_) | Metric::Program(_) => metric.label_in(metric.scale()),
    }
}

/// One row per contrast: effect, interval and finding for both populations, and verdict. Programs may have
/// no data set, so they have one population.
pub(super) fn contrasts(summary: &Summary) -> String {
    let of_nets = summary.program_metrics.is_empty();
    let (first, second) = match of_nets {
        true => (
            ["interval, training again", "finding, training again"],
            &[("interval, new data", Right), ("finding, new data", Left)][..],
        ),
        false => (["t interval", "finding"], &[][..]),
    };
    let mut columns = vec![
        ("contrast", Left),
        ("compared", Left),
        ("improvement in", Left),
        ("predicted", Left),
        ("margin", Right),
        ("improvement", Right),
        (first[0], Right),
        (first[1], Left),
    ];
    columns.extend(second);
    columns.push(("verdict", Left));
    let mut table = Table::new(columns);
    for contrast in &summary.contrasts {
        let d = contrast.decimals();
        let mean = contrast.decision.as_ref().map(|r| signed(r.mean, d));
        let bounds = contrast.decision.as_ref().and_then(|r| {
            let bounds = interval(r.interval?, d);
            Some(format!("{bounds} ({} %)", level(r.confidence)))
        });
        let asked = &contrast.contrast;
        let mut row = vec![
            format!("`{}`", asked.name),
            short(&asked.comparison, &asked.weights),
            asked.when.read(&asked.metric.label_in(asked.metric.unit())),
            prediction_word(asked.expect).to_owned(),
            asked.margin.to_string(),
            mean.unwrap_or_else(|| NO_VALUE.to_owned()),
            bounds.unwrap_or_else(|| NO_VALUE.to_owned()),
            contrast.explained_finding(),
        ];
        row.extend(
            of_nets
                .then(|| new_data_cells(contrast))
                .into_iter()
                .flatten(),
        );
        row.push(verdict_cell(contrast));
        table.row(row);
    }
    table.render()
}

/// Interval and finding for new data.
fn new_data_cells(contrast: &ContrastSummary) -> [String; 2] {
    match contrast
        .new_data
        .as_ref()
        .zip(contrast.explained_new_finding())
    {
        Some((new, finding)) => [interval(new.interval, contrast.decimals()), finding],
        None => [NOT_KNOWN, NO_VALUE].map(str::to_owned),
    }
}

/// The verdict in bold; an exploratory contrast has none.
pub(super) fn verdict_cell(contrast: &ContrastSummary) -> String {
    match contrast.verdict {
        Some(_) => format!("**{}**", contrast.verdict_words()),
        None => contrast.verdict_words(),
    }
}

/// Decimals of a column: the median over arms, so that a failed arm does not set them.
fn column_decimals(summary: &Summary, metric: &Metric) -> usize {
    let otherwise = metric_decimals(metric);
    let spreads = summary.arms.iter().filter_map(|arm| arm.spread(metric));
    median(spreads.map(|s| decimals(s.sd, otherwise))).unwrap_or(otherwise)
}

fn median(decimals: impl Iterator<Item = usize>) -> Option<usize> {
    let mut all: Vec<usize> = decimals.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

/// One row per contrast: bootstrap interval, p-values, effect size and detectable sizes.
pub(super) fn checks(summary: &Summary) -> String {
    let mut table = Table::new([
        ("contrast", Left),
        ("seeds", Right),
        ("BCa interval", Right),
        ("p difference", Right),
        ("p equivalence", Right),
        ("p outside", Right),
        ("d_z", Right),
        ("detectable difference", Right),
        ("detectable margin", Right),
    ]);
    for contrast in &summary.contrasts {
        let name = format!("`{}`", contrast.contrast.name);
        let Some(r) = &contrast.decision else {
            table.row([name, contrast.improvements.len().to_string()]);
            continue;
        };
        let d = contrast.decimals();
        let size = |x: Option<f64>| x.map_or(NO_VALUE.to_owned(), |x| fixed(x, d));
        table.row([
            name,
            r.n.to_string(),
            interval(r.checks.bca_interval, d),
            p_value(r.checks.p_difference),
            p_value(r.checks.p_equivalence),
            p_value(r.checks.p_outside),
            r.effect_size.map_or(NO_VALUE.to_owned(), |z| signed(z, 2)),
            size(r.detectable),
            size(r.detectable_margin),
        ]);
    }
    table.render()
}

/// Mean validation accuracy, or the program's metric in its place, per learning rate; `None` if no arm has
/// a choice.
pub(super) fn grid(summary: &Summary) -> Option<String> {
    if summary.arms.iter().all(|arm| arm.grid.len() < 2) {
        return None;
    }
    let mut rates: Vec<f64> = (summary.arms.iter())
        .flat_map(|arm| arm.grid.iter().filter_map(|r| r.learning_rate))
        .collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let tried = summary.arms.iter().flat_map(|arm| &arm.grid);
    let digits = median(tried.filter_map(|r| Some(decimals(validation(r)?.sd, 2))));
    let names: Vec<String> = rates.iter().map(f64::to_string).collect();
    let columns = names.iter().map(|name| (name.as_str(), Right));
    let mut table = Table::new([("arm", Left)].into_iter().chain(columns));
    for arm in &summary.arms {
        let cells = rates.iter().map(|rate| {
            let tried = arm.grid.iter().find(|r| r.learning_rate == Some(*rate));
            tried.map_or(String::new(), |r| {
                grid_cell(r, arm, summary.seeds.len(), digits.unwrap_or(2))
            })
        });
        table.row([format!("`{}`", arm.name)].into_iter().chain(cells));
    }
    Some(table.render())
}

/// What the choice of the rate is based on.
fn validation(rate: &RateSummary) -> Option<&Spread> {
    let accuracy = rate.validation.as_ref().map(|scores| &scores.accuracy);
    rate.validation_metric.as_ref().or(accuracy)
}

fn grid_cell(rate: &RateSummary, arm: &ArmSummary, seeds: usize, digits: usize) -> String {
    let score = validation(rate).map(|v| v.mean_sd(digits));
    let score = score.unwrap_or_else(|| NO_VALUE.to_owned());
    let finished = if rate.n < seeds {
        format!(" ({} of {seeds})", rate.n)
    } else {
        String::new()
    };
    if rate.learning_rate == arm.learning_rate {
        format!("**{score}**{finished}")
    } else if rate.tied {
        format!("*{score}*{finished}")
    } else {
        format!("{score}{finished}")
    }
}

/// Test accuracies at the evaluations that contrasts or publications name, after the last epoch, and at
/// best. `None` if none is named.
pub(super) fn moments(summary: &Summary) -> Option<String> {
    let mut times: Vec<When> = Vec::new();
    for moment in summary.arms.iter().flat_map(|arm| &arm.evaluations) {
        if !times.contains(&moment.when) {
            times.push(moment.when);
        }
    }
    let best = summary.arms.iter().any(|arm| arm.best.is_some());
    if times.is_empty() && !best {
        return None;
    }
    times.sort_by_key(|when| match when {
        When::Epoch(n) | When::Step(n) => *n,
        When::Last | When::EqualAccuracy | When::EqualNll => usize::MAX,
    });
    let names: Vec<String> = times
        .iter()
        .map(|when| when.read("").trim().to_owned())
        .collect();
    let mut columns = vec![("arm", Left)];
    columns.extend(names.iter().map(|name| (name.as_str(), Right)));
    columns.push(("after the last epoch", Right));
    columns.extend(best.then_some(("best", Right)));
    let mut table = Table::new(columns);
    let digits = column_decimals(summary, &Metric::TestAccuracy);
    let cell = |spread: Option<&Spread>| spread.map_or(NO_VALUE.to_owned(), |s| s.mean_sd(digits));
    for arm in &summary.arms {
        let at = |when: When| cell(arm.test_at(when).map(|test| &test.accuracy));
        let mut row = vec![format!("`{}`", arm.name)];
        row.extend(times.iter().map(|&when| at(when)));
        row.push(at(When::Last));
        row.extend(best.then(|| cell(arm.best.as_ref())));
        table.row(row);
    }
    Some(table.render())
}

/// Published results beside ours; `None` without any.
pub(super) fn published(summary: &Summary) -> Option<String> {
    if summary.published.is_empty() {
        return None;
    }
    let mut table = Table::new([
        ("arm", Left),
        ("metric", Left),
        ("source", Left),
        ("published", Right),
        ("ours", Right),
        ("ours minus published", Right),
    ]);
    for theirs in &summary.published {
        let ours = summary
            .arm(&theirs.arm)
            .and_then(|arm| arm.spread_at(&theirs.metric, theirs.when));
        let d = metric_decimals(&theirs.metric);
        table.row([
            format!("`{}`", theirs.arm),
            theirs
                .when
                .read(&theirs.metric.label_in(theirs.metric.scale())),
            source(theirs),
            published_value(theirs),
            ours.map_or(NO_VALUE.to_owned(), |s| s.mean_sd(decimals(s.sd, d))),
            ours.map_or(NO_VALUE.to_owned(), |s| difference(s, theirs.value, d)),
        ]);
    }
    Some(table.render())
}

fn difference(ours: &Spread, theirs: f64, otherwise: usize) -> String {
    signed(ours.mean - theirs, decimals(ours.sd, otherwise))
}

/// Source of a published result, with table or page.
fn source(theirs: &Published) -> String {
    match &theirs.place {
        Some(place) => format!("{}, {place}", theirs.source),
        None => theirs.source.clone(),
    }
}

/// A published value with the digits of its publication.
fn published_value(theirs: &Published) -> String {
    let mut text = theirs.value.to_string();
    if let Some(sd) = theirs.sd {
        text.push_str(&format!(" ± {sd}"));
    }
    if let Some(n) = theirs.n {
        text.push_str(&format!(" (n = {n})"));
    }
    text
}
