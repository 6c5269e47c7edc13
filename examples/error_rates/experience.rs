//! The experience behind power forecasts, and how well it predicts recorded standard deviations.

use crate::fail;
use ablate::analysis::{Experience, Factor, Summary};
use ablate::spec::{Metric, Spec, all};
use std::path::Path;

/// The committed experiments that have results.
fn committed() -> Vec<(Spec, Summary)> {
    let specs = all(Path::new("experiments"))
        .unwrap_or_else(|e| fail(&format!("{e}; run from the root of the repository")));
    let with_summary = |spec: Spec| {
        let path = Path::new("results").join(&spec.name).join("summary.json");
        let text = std::fs::read_to_string(path).ok()?;
        Some((spec, serde_json::from_str(&text).ok()?))
    };
    specs.into_iter().filter_map(with_summary).collect()
}

fn rounded(factor: Option<Factor>) -> Option<Factor> {
    let short = |x: f64| (100.0 * x).round() / 100.0;
    factor.map(|factor| Factor {
        median: short(factor.median),
        spread: short(factor.spread),
        ..factor
    })
}

/// Prints `src/analysis/experience.toml`.
pub(crate) fn print_table() {
    let known = committed();
    let mut table = Experience::learn(known.iter().map(|(spec, summary)| (spec, summary)));
    table.accuracy = rounded(table.accuracy);
    table.nll = rounded(table.nll);
    for of in &mut table.nets {
        of.error = (10.0 * of.error).round() / 10.0;
        of.accuracy = rounded(of.accuracy);
        of.nll = rounded(of.nll);
    }
    match toml::to_string(&table) {
        Ok(text) => print!(
            "# SD of paired differences over the binomial SD of independent errors: median, spread and number\n\
             # of committed contrasts. Made by `cargo run --example error_rates -- experience`.\n\n{text}"
        ),
        Err(e) => fail(&format!("cannot write the table: {e}")),
    }
}

/// Prints predicted and recorded standard deviations of every committed contrast. Each is predicted from
/// all experiments except its own.
pub(crate) fn print_forecasts() {
    let known = committed();
    println!("| experiment | contrast | metric | predicted SD | recorded SD | ratio |");
    println!("|---|---|---|---|---|---|");
    let mut ratios: [Vec<f64>; 2] = Default::default();
    for (spec, summary) in &known {
        let others = known.iter().filter(|(other, _)| other.name != spec.name);
        let experience = Experience::learn(others.map(|(spec, summary)| (spec, summary)));
        for found in &summary.contrasts {
            let Some(contrast) = spec.contrasts.iter().find(|c| **c == found.contrast) else {
                continue;
            };
            let decision = found.decision.as_ref().filter(|d| d.n >= 8);
            let recorded = decision.and_then(|d| d.sd).filter(|sd| *sd > 0.0);
            let predicted = experience.predict(spec, contrast, |_| None);
            let Some((predicted, recorded)) = predicted.zip(recorded) else {
                continue;
            };
            let ratio = predicted.sd / recorded;
            ratios[usize::from(contrast.metric == Metric::TestNll)].push(ratio);
            println!(
                "| {} | {} | {} | {:.4} | {recorded:.4} | {ratio:.2} |",
                spec.name,
                contrast.name,
                contrast.metric.label(),
                predicted.sd
            );
        }
    }
    println!();
    for (what, mut ratios) in ["accuracy", "NLL"].into_iter().zip(ratios) {
        ratios.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| ratios.get((share * (ratios.len() - 1) as f64).round() as usize);
        let Some(((low, middle), high)) = at(0.1).zip(at(0.5)).zip(at(0.9)) else {
            continue;
        };
        let near = ratios.iter().filter(|r| (0.5..2.0).contains(*r)).count();
        println!(
            "{what}: {} contrasts; predicted / recorded: median {middle:.2}, 80 % between {low:.2} and \
             {high:.2}; {:.0} % within a factor of 2",
            ratios.len(),
            100.0 * near as f64 / ratios.len() as f64
        );
    }
}
