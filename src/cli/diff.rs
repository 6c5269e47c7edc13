//! `ablate diff`.

use super::arguments::ResultsArg;
use super::console::Console;
use super::exit::{Code, Failure};
use super::found::{Found, Places};
use super::root;
use super::sheet::{self, Sheet, TableFormatArg};
use crate::analysis::{ArmDiff, DiffMethod, diff_arm, metric_decimals, scores_of_arm};
use crate::provenance::Provenance;
use crate::record::CellRecord;
use crate::run::runs;
use crate::spec::{Metric, RESOLVED_FILE, Source, Spec};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::NO_VALUE;
use crate::text::number::{decimals, fixed, interval, signed};
use crate::text::wrap::paragraph;
use crate::text::{capitalized, counted};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest value of a setting in the tables for people, in characters.
const LONGEST: usize = 30;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// First result: name of an experiment or variant, or
    /// path of a results folder
    #[arg(value_name = "A", verbatim_doc_comment)]
    first: String,
    /// Second result; differences are second minus first
    #[arg(value_name = "B")]
    second: String,
    /// Folder of the experiments
    #[arg(long, value_name = "DIR", default_value_os_t = root::experiments())]
    experiments: PathBuf,
    #[command(flatten)]
    results: ResultsArg,
    #[command(flatten)]
    format: TableFormatArg,
}

/// Columns of the tidy table.
const COLUMNS: [&str; 15] = [
    "kind",
    "name",
    "metric",
    "unit",
    "a",
    "b",
    "n_a",
    "n_b",
    "n",
    "method",
    "difference",
    "low",
    "high",
    "confidence",
    "reading",
];

/// The difference of one score of an arm, or of a setting.
#[derive(Debug, Default, Serialize)]
struct Tidy {
    /// `arm` or `setting`.
    kind: &'static str,
    name: String,
    metric: Option<String>,
    unit: Option<String>,
    a: Option<String>,
    b: Option<String>,
    n_a: Option<usize>,
    n_b: Option<usize>,
    n: Option<usize>,
    method: Option<DiffMethod>,
    difference: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    confidence: Option<f64>,
    reading: Option<&'static str>,
}

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Diff {
    a: PathBuf,
    b: PathBuf,
    notes: Vec<String>,
    differences: Vec<Tidy>,
}

/// One of the two results.
struct Side {
    found: Found,
    records: Vec<CellRecord>,
    /// The experiment as it ran, if its folder holds it and it can be read.
    spec: Option<Spec>,
    source: Option<Source>,
}

impl Side {
    fn read(found: Found, console: &Console) -> Result<Self, Failure> {
        let path = found.folder.join(runs::NAME);
        let records = match path.is_file() {
            true => runs::read_runs(&path)?,
            false => {
                let folder = found.folder.display();
                return Err(Failure::unavailable(format!(
                    "`{folder}` has no `{}`, so its seeds cannot be compared; copy it beside the summary",
                    runs::NAME
                )));
            }
        };
        for damage in &records.damaged {
            console.warn(&format!("{damage}; leaving it out"));
        }
        let resolved = found.folder.join(RESOLVED_FILE);
        Ok(Self {
            records: records.records,
            spec: Spec::load(&resolved, &[]).ok(),
            source: Source::read(&resolved).ok(),
            found,
        })
    }

    /// Whether seeds of the arm `name` stand for the same splits of the same data in both. `None` if that
    /// cannot be known.
    fn same_data(&self, other: &Self, name: &str) -> Option<bool> {
        let data = |side: &Self| {
            let arm = side
                .spec
                .as_ref()?
                .arms
                .iter()
                .find(|arm| arm.name == name)?;
            Some(arm.net()?.data.clone())
        };
        let content = |side: &Self| {
            let provenance = Provenance::read(&side.found.folder);
            provenance.map(|found| found.data).unwrap_or_default()
        };
        let (own, others) = (data(self)?, data(other)?);
        let (mine, theirs) = (content(self), content(other));
        let contents_agree = mine
            .iter()
            .all(|(set, hash)| theirs.get(set).is_none_or(|h| h == hash));
        Some(own == others && contents_agree)
    }
}

pub(super) fn diff(args: &Args, console: &Console) -> Result<Code, Failure> {
    let places = Places::new(&args.results, &args.experiments)?;
    let first = Side::read(places.results(&args.first)?, console)?;
    let second = Side::read(places.results(&args.second)?, console)?;
    let mut notes = Vec::new();
    let arms = arm_rows(&first, &second, &mut notes);
    if arms.is_empty() {
        return Err(Failure::usage(format!(
            "`{}` and `{}` have no arm in common; give two results of one experiment or of variants of it",
            first.found.folder.display(),
            second.found.folder.display()
        )));
    }
    let settings = setting_rows(&first, &second, &mut notes);
    let sheets = [arm_sheet(&arms), setting_sheet(&settings)];
    let mut text = format!(
        "A: {} ({})\nB: {} ({})\n",
        first.found.folder.display(),
        counted(first.found.summary.seeds.len(), "seed"),
        second.found.folder.display(),
        counted(second.found.summary.seeds.len(), "seed"),
    );
    for note in &notes {
        text.push_str(&paragraph(0, &capitalized(note)));
    }
    let mut differences: Vec<Tidy> = arms.iter().map(ArmRow::tidy).collect();
    differences.extend(settings.into_iter().map(SettingRow::tidy));
    let json = Diff {
        a: first.found.folder.clone(),
        b: second.found.folder.clone(),
        notes,
        differences,
    };
    let format = args.format.format;
    sheet::print(
        format,
        &text,
        &sheets,
        &COLUMNS,
        &json.differences,
        &json,
        console,
    )?;
    Ok(Code::Done)
}

/// One score of an arm that both results have.
struct ArmRow {
    arm: String,
    metric: Metric,
    diff: ArmDiff,
    decimals: usize,
}

fn arm_rows(first: &Side, second: &Side, notes: &mut Vec<String>) -> Vec<ArmRow> {
    let (a, b) = (&first.found.summary, &second.found.summary);
    let mut rows = Vec::new();
    let (mut unknown, mut unlike) = (false, false);
    for arm in &a.arms {
        let Some(other) = b.arm(&arm.name) else {
            continue;
        };
        let same = first.same_data(second, &arm.name);
        unknown |= same.is_none();
        unlike |= same == Some(false);
        for metric in a
            .scores()
            .into_iter()
            .filter(|metric| b.scores().contains(metric))
        {
            let scores = [
                scores_of_arm(arm, &metric, &first.records),
                scores_of_arm(other, &metric, &second.records),
            ];
            if let Some(diff) = diff_arm(&scores[0], &scores[1], same == Some(true)) {
                let sd = arm.spread(&metric).and_then(|spread| spread.sd);
                rows.push(ArmRow {
                    arm: arm.name.clone(),
                    decimals: decimals(sd, metric_decimals(&metric)),
                    metric,
                    diff,
                });
            }
        }
    }
    let only = |one: &crate::analysis::Summary, other: &crate::analysis::Summary| {
        let arms = one.arms.iter().filter(|arm| other.arm(&arm.name).is_none());
        arms.map(|arm| format!("`{}`", arm.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (name, arms) in [("A", only(a, b)), ("B", only(b, a))] {
        if !arms.is_empty() {
            notes.push(format!("only {name} has {arms}"));
        }
    }
    if unlike {
        notes.push(
            "the data differ, so seeds are compared as independent samples (Welch)".to_owned(),
        );
    }
    if unknown {
        notes.push(format!(
            "it is not known whether a seed means the same data in both (no nets, or no `{RESOLVED_FILE}`), so \
             seeds are compared as independent samples (Welch)"
        ));
    }
    let paired = rows.iter().any(|row| row.diff.method == DiffMethod::Paired);
    if paired {
        notes.push("differences are taken seed by seed where both have the seed".to_owned());
    }
    notes.push(
        "the 95 % intervals are exploratory: nothing was planned, and they are not adjusted for their number"
            .to_owned(),
    );
    rows
}

impl ArmRow {
    fn reading(&self) -> &'static str {
        self.diff.words(self.metric.higher_is_better())
    }

    fn tidy(&self) -> Tidy {
        let diff = &self.diff;
        Tidy {
            kind: "arm",
            name: self.arm.clone(),
            metric: Some(self.metric.name().into_owned()),
            unit: Some(self.metric.unit().to_owned()),
            a: Some(diff.mean_a.to_string()),
            b: Some(diff.mean_b.to_string()),
            n_a: Some(diff.n_a),
            n_b: Some(diff.n_b),
            n: Some(diff.n),
            method: Some(diff.method),
            difference: Some(diff.difference),
            low: diff.interval.map(|bounds| bounds.low),
            high: diff.interval.map(|bounds| bounds.high),
            confidence: Some(crate::analysis::DIFF_CONFIDENCE),
            reading: Some(self.reading()),
        }
    }
}

fn arm_sheet(rows: &[ArmRow]) -> Sheet {
    let names = [
        "arm",
        "score",
        "A",
        "B",
        "B \u{2212} A (95 %)",
        "n",
        "reading",
    ];
    let align = [Left, Left, Right, Right, Left, Right, Left];
    let columns = names.map(str::to_owned).into_iter().zip(align);
    let mut sheet = Sheet::new("Scores of the arms, means over seeds", columns);
    for row in rows {
        let (diff, d) = (&row.diff, row.decimals);
        let score = match row.metric {
            Metric::TestAccuracy => "accuracy (%)".to_owned(),
            Metric::TestNll => "NLL (nats)".to_owned(),
            Metric::TestEce => "ECE (%)".to_owned(),
            _ => format!("{} ({})", row.metric.label(), row.metric.scale()),
        };
        let bounds = diff.interval.map_or(String::new(), |bounds| {
            format!(" ({})", interval(bounds, d))
        });
        let n = match diff.method {
            DiffMethod::Paired => diff.n.to_string(),
            DiffMethod::Welch => format!("{}, {}", diff.n_a, diff.n_b),
        };
        sheet.row(vec![
            row.arm.clone(),
            score,
            fixed(diff.mean_a, d),
            fixed(diff.mean_b, d),
            format!("{}{bounds}", signed(diff.difference, d)),
            n,
            row.reading().to_owned(),
        ]);
    }
    sheet
}

/// A setting with another value, or without one, in one of the two experiments.
struct SettingRow {
    key: String,
    a: Option<String>,
    b: Option<String>,
}

impl SettingRow {
    fn tidy(self) -> Tidy {
        Tidy {
            kind: "setting",
            name: self.key,
            a: self.a,
            b: self.b,
            ..Tidy::default()
        }
    }
}

fn setting_rows(first: &Side, second: &Side, notes: &mut Vec<String>) -> Vec<SettingRow> {
    let settings = |side: &Side| side.source.as_ref().map(Source::settings);
    let (mut a, mut b) = match (settings(first), settings(second)) {
        (Some(a), Some(b)) => (a, b),
        (a, _) => {
            let side = if a.is_none() { first } else { second };
            notes.push(format!(
                "settings are not compared, because `{}` has no `{RESOLVED_FILE}`; `ablate report` writes it",
                side.found.folder.display()
            ));
            return Vec::new();
        }
    };
    a.insert(
        "device".to_owned(),
        format!("\"{}\"", first.found.summary.device),
    );
    b.insert(
        "device".to_owned(),
        format!("\"{}\"", second.found.summary.device),
    );
    let rows = differing(&a, &b);
    notes.push(match rows.len() {
        0 => "all settings are the same".to_owned(),
        1 => "1 setting differs".to_owned(),
        count => format!("{count} settings differ"),
    });
    rows
}

fn differing(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<SettingRow> {
    let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    let unlike = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    unlike
        .map(|key| SettingRow {
            key: key.clone(),
            a: a.get(key).cloned(),
            b: b.get(key).cloned(),
        })
        .collect()
}

fn setting_sheet(rows: &[SettingRow]) -> Sheet {
    let columns = ["setting", "A", "B"].map(|name| (name.to_owned(), Left));
    let mut sheet = Sheet::new("Settings that differ", columns);
    let shown = |value: &Option<String>| match value {
        None => NO_VALUE.to_owned(),
        Some(text) if text.chars().count() > LONGEST => {
            let start: String = text.chars().take(LONGEST - 3).collect();
            format!("{start}...")
        }
        Some(text) => text.clone(),
    };
    for row in rows {
        sheet.row(vec![row.key.clone(), shown(&row.a), shown(&row.b)]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_compared_key_by_key() {
        let table = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(own).collect()
        };
        let a = table(&[("train.epochs", "20"), ("seeds", "10"), ("model.x", "1")]);
        let b = table(&[("train.epochs", "3"), ("seeds", "10"), ("model.y", "1")]);
        let found: Vec<(String, Option<String>, Option<String>)> = differing(&a, &b)
            .into_iter()
            .map(|row| (row.key, row.a, row.b))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("model.x".to_owned(), some("1"), None),
                ("model.y".to_owned(), None, some("1")),
                ("train.epochs".to_owned(), some("20"), some("3")),
            ]
        );
    }
}
