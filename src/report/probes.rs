//! Tables of probes. Each probe with parts, such as `saturated.0`, has a table with one column per part.
//! Probes without parts share a table.

use crate::analysis::{ArmSummary, Spread, Summary};
use crate::spec::{Quantity, part_words};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::Table;
use crate::text::number::{compact, compact_like};
use std::collections::BTreeSet;

/// Every table of probes; empty without any.
pub(super) fn tables(summary: &Summary) -> Vec<String> {
    let names: BTreeSet<&str> = summary
        .arms
        .iter()
        .flat_map(|arm| arm.probes.keys().map(String::as_str))
        .collect();
    let (parted, plain): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|n| n.contains('.'));
    let groups: BTreeSet<&str> = parted
        .iter()
        .filter_map(|n| n.split_once('.'))
        .map(|(g, _)| g)
        .collect();
    let mut out = Vec::new();
    if !plain.is_empty() {
        out.push(plain_table(summary, &plain));
    }
    for group in groups {
        let parts: Vec<&str> = parted
            .iter()
            .filter_map(|n| n.split_once('.'))
            .filter_map(|(g, part)| (g == group).then_some(part))
            .collect();
        out.push(parted_table(summary, group, parts));
    }
    out
}

fn plain_table(summary: &Summary, names: &[&str]) -> String {
    let mut table = Table::new([
        ("probe", Left),
        ("measures", Left),
        ("arm", Left),
        ("mean ± SD", Right),
        ("smallest", Right),
        ("largest", Right),
        ("seeds", Right),
    ]);
    for name in names {
        for (arm, probe) in summary
            .arms
            .iter()
            .filter_map(|arm| Some((arm, arm.probes.get(*name)?)))
        {
            table.row([
                format!("`{name}`"),
                Quantity::named(name).map_or(String::new(), meaning),
                format!("`{}`", arm.name),
                probe.compact_mean_sd(),
                compact_like(probe.min, probe.sd),
                compact_like(probe.max, probe.sd),
                probe.n.to_string(),
            ]);
        }
    }
    table.render()
}

fn parted_table(summary: &Summary, group: &str, mut parts: Vec<&str>) -> String {
    // Numbers are sorted by value, so that block 10 follows block 9.
    parts.sort_by_key(|part| (part.parse::<usize>().unwrap_or(usize::MAX), *part));
    let meaning = Quantity::named(group).map_or(String::new(), |q| format!(": {}", meaning(q)));
    let heading = format!("`{group}`{meaning}");
    let words: Vec<String> = parts.iter().map(|part| part_words(part)).collect();
    let columns = words.iter().map(|words| (words.as_str(), Right));
    let mut table = Table::new(
        [(heading.as_str(), Left)]
            .into_iter()
            .chain(columns)
            .chain([("largest", Right)]),
    );
    for arm in &summary.arms {
        let probes: Vec<Option<&Spread>> =
            parts.iter().map(|part| part_of(arm, group, part)).collect();
        let Some(largest) = probes.iter().flatten().map(|p| p.max).reduce(f64::max) else {
            continue;
        };
        let cells = probes
            .iter()
            .map(|p| p.map_or(String::new(), Spread::compact_mean_sd));
        table.row(
            [format!("`{}`", arm.name)]
                .into_iter()
                .chain(cells)
                .chain([compact(largest)]),
        );
    }
    table.render()
}

fn meaning(quantity: &Quantity) -> String {
    quantity.with_unit(quantity.label)
}

fn part_of<'a>(arm: &'a ArmSummary, group: &str, part: &str) -> Option<&'a Spread> {
    arm.probes.get(&format!("{group}.{part}"))
}
