//! The scores of each arm and seed.

use super::table::Table;
use super::{ScoresError, quoted};
use crate::plan::Plan;
use crate::record::{CellRecord, EpochRecord, Outcome};
use std::collections::BTreeMap;

/// Columns that order the rows of a cell; `step` comes before `epoch`.
const STEP: &str = "step";
const EPOCH: &str = "epoch";

/// The device of records that no device made.
pub const DEVICE: &str = "file";

/// Names of the columns.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Column of the arm.
    pub arm: &'a str,
    /// Column of the seed.
    pub seed: &'a str,
}

impl Columns<'_> {
    /// The columns that are not metrics.
    pub const fn others(&self) -> [&str; 4] {
        [self.arm, self.seed, STEP, EPOCH]
    }
}

/// The scores of all arms, in the order of their first rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Arms.
    pub arms: Vec<ArmScores>,
}

/// The scores of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmScores {
    /// The arm as the table names it.
    pub label: String,
    /// The evaluations of each seed, in the order of steps or epochs; the last one that has a metric counts.
    pub seeds: BTreeMap<u64, Vec<EpochRecord>>,
}

impl Scores {
    /// The scores in `table` with these metrics.
    ///
    /// # Errors
    /// If a column is missing, a field is empty or not a number, a row repeats an earlier one, or a cell
    /// lacks a metric.
    pub fn new(table: &Table, columns: Columns<'_>, metrics: &[&str]) -> Result<Self, ScoresError> {
        let arm = table.column(columns.arm, "name it with `--arm-column`")?;
        let seed = table.column(columns.seed, "name it with `--seed-column`")?;
        let advice = "name a column with `--metric`";
        let metrics: Vec<(&str, usize)> = (metrics.iter())
            .map(|&name| Ok((name, table.column(name, advice)?)))
            .collect::<Result<_, _>>()?;
        let place = |name: &str| table.header.iter().position(|column| column == name);
        let (step, epoch) = (place(STEP), place(EPOCH));
        let mut scores = Self { arms: Vec::new() };
        // The line of every row, by arm, seed and place.
        let mut lines: BTreeMap<(usize, u64, usize), usize> = BTreeMap::new();
        for row in &table.rows {
            let field = |column: usize| row.fields[column].as_str();
            let whole = |column: usize| {
                whole(field(column)).ok_or_else(|| {
                    let (name, found) = (&table.header[column], field(column));
                    table.at(
                        row.line,
                        format!("`{name}` is `{found}`; it must be a whole number of at least 0"),
                    )
                })
            };
            if field(arm).is_empty() {
                let name = columns.arm;
                return Err(table.at(row.line, format!("`{name}` is empty; name the arm")));
            }
            let seed = whole(seed)?;
            let at = |column: Option<usize>| column.map(whole).transpose();
            let (step, epoch) = (at(step)?, at(epoch)?);
            let mut values = BTreeMap::new();
            for &(name, column) in &metrics {
                let text = field(column);
                if text.is_empty() && (step.is_some() || epoch.is_some()) {
                    continue;
                }
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
                let Some(number) = number else {
                    return Err(table.at(
                        row.line,
                        format!(
                            "`{name}` is `{text}`; it must be a finite number; remove the rows of \
                             runs that failed"
                        ),
                    ));
                };
                values.insert(name.to_owned(), number);
            }
            let index = scores.index(field(arm));
            let key = (index, seed, place_of(step, epoch));
            if let Some(before) = lines.insert(key, row.line) {
                return Err(table.at(row.line, repeated(field(arm), seed, step, epoch, before)));
            }
            let cell = scores.arms[index].seeds.entry(seed).or_default();
            cell.push(EpochRecord {
                epoch: epoch.map_or(1, size),
                step: step.map(size),
                train_loss: None,
                validation: None,
                test: None,
                metrics: values,
            });
        }
        scores.complete(table, &metrics)?;
        Ok(scores)
    }

    /// Index of the arm, which is added if it is new.
    fn index(&mut self, label: &str) -> usize {
        let found = self.arms.iter().position(|arm| arm.label == label);
        found.unwrap_or_else(|| {
            self.arms.push(ArmScores {
                label: label.to_owned(),
                seeds: BTreeMap::new(),
            });
            self.arms.len() - 1
        })
    }

    /// Orders the evaluations, and checks that every cell has every metric.
    fn complete(&mut self, table: &Table, metrics: &[(&str, usize)]) -> Result<(), ScoresError> {
        for arm in &mut self.arms {
            for (seed, evaluations) in &mut arm.seeds {
                evaluations.sort_by_key(EpochRecord::place);
                let has = |name: &str| evaluations.iter().any(|e| e.metrics.contains_key(name));
                let missing = metrics
                    .iter()
                    .map(|(name, _)| *name)
                    .filter(|name| !has(name));
                let missing: Vec<&str> = missing.collect();
                if !missing.is_empty() {
                    return Err(table.whole(format!(
                        "arm `{}`, seed {seed} has no {}; fill it in, or remove the rows of this \
                         seed",
                        arm.label,
                        quoted(missing)
                    )));
                }
                evaluations.retain(|e| !e.metrics.is_empty());
            }
        }
        Ok(())
    }

    /// All seeds, in order.
    pub fn seeds(&self) -> Vec<u64> {
        let seeds = self.arms.iter().flat_map(|arm| arm.seeds.keys().copied());
        let seeds: std::collections::BTreeSet<u64> = seeds.collect();
        seeds.into_iter().collect()
    }

    /// The records of the cells of `plan`, whose arms are these in this order.
    pub fn records(&self, plan: &Plan) -> Vec<CellRecord> {
        let record = |cell: &crate::plan::PlannedCell| {
            let evaluations = self.arms.get(cell.arm)?.seeds.get(&cell.seed)?;
            Some(CellRecord {
                id: cell.id.clone(),
                arm: plan.spec.arms[cell.arm].name.clone(),
                seed: cell.seed,
                learning_rate: cell.learning_rate,
                device: plan.device.clone(),
                outcome: Outcome::Done,
                epochs: evaluations.clone(),
                probes: BTreeMap::new(),
                traces: BTreeMap::new(),
                series: BTreeMap::new(),
                misclassified: None,
            })
        };
        plan.cells.iter().filter_map(record).collect()
    }
}

/// What orders a row within its cell.
fn place_of(step: Option<u64>, epoch: Option<u64>) -> usize {
    step.or(epoch).map_or(0, size)
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A whole number, also as `3.0`.
fn whole(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?;
        (number >= 0.0 && number.fract() == 0.0 && number < 1e15).then_some(number as u64)
    })
}

fn repeated(arm: &str, seed: u64, step: Option<u64>, epoch: Option<u64>, before: usize) -> String {
    let (at, advice) = match (step, epoch) {
        (Some(step), _) => (format!(", step {step}"), "keep one of the two"),
        (None, Some(epoch)) => (format!(", epoch {epoch}"), "keep one of the two"),
        (None, None) => (
            String::new(),
            "keep one of the two, or add a column `epoch` or `step`",
        ),
    };
    format!("repeats arm `{arm}`, seed {seed}{at} of line {before}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns<'_> = Columns {
        arm: "arm",
        seed: "seed",
    };

    fn read(text: &str, metrics: &[&str]) -> Result<Scores, String> {
        let table = Table::read("s.csv", text).unwrap();
        Scores::new(&table, COLUMNS, metrics).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_become_evaluations_by_arm_and_seed() {
        let found = read("arm,seed,acc\nb,1,0.5\na,0,0.25\nb,0,0.75\n", &["acc"]).unwrap();
        let labels: Vec<&str> = found.arms.iter().map(|arm| arm.label.as_str()).collect();
        assert_eq!(labels, ["b", "a"]);
        assert_eq!(found.arms[0].seeds[&1][0].metrics["acc"], 0.5);
        assert_eq!(found.seeds(), [0, 1]);
    }

    #[test]
    fn epochs_or_steps_order_the_rows_of_a_cell() {
        let found = read(
            "arm,seed,epoch,acc\na,0,2,0.9\na,0,0,0.1\na,0,1,\n",
            &["acc"],
        );
        let found = found.unwrap();
        let curve: Vec<(usize, f64)> = (found.arms[0].seeds[&0].iter())
            .map(|e| (e.place(), e.metrics["acc"]))
            .collect();
        assert_eq!(curve, [(0, 0.1), (2, 0.9)]);
        let found = read(
            "arm,seed,epoch,step,acc\na,0,1,20,0.9\na,0,2,10,0.1\n",
            &["acc"],
        );
        let last = found.unwrap().arms[0].seeds[&0][1].clone();
        assert_eq!((last.step, last.epoch), (Some(20), 1));
    }

    #[test]
    fn mistakes_name_line_and_column() {
        for (text, expected) in [
            (
                "arm,acc\na,1\n",
                "s.csv:1: has no column `seed`; it has `arm`, `acc`",
            ),
            ("arm,seed,ac\na,1,1\n", "s.csv:1: has no column `acc`"),
            (
                "arm,seed,acc\na,x,1\n",
                "s.csv:2: `seed` is `x`; it must be a whole number",
            ),
            (
                "arm,seed,acc\na,1,1\na,2,n/a\n",
                "s.csv:3: `acc` is `n/a`; it must be a finite",
            ),
            ("arm,seed,acc\na,1,\n", "s.csv:2: `acc` is ``"),
            ("arm,seed,acc\na,1,inf\n", "s.csv:2: `acc` is `inf`"),
            ("arm,seed,acc\n,1,1\n", "s.csv:2: `arm` is empty"),
            (
                "arm,seed,acc\na,1,1\na,1,2\n",
                "s.csv:3: repeats arm `a`, seed 1 of line 2; keep one of the two, or add a column `epoch`",
            ),
            (
                "arm,seed,epoch,acc\na,1,1,1\na,1,1,2\n",
                "s.csv:3: repeats arm `a`, seed 1, epoch 1 of line 2; keep one of the two",
            ),
            (
                "arm,seed,epoch,acc\na,1,0.5,1\n",
                "s.csv:2: `epoch` is `0.5`",
            ),
            (
                "arm,seed,epoch,acc\na,1,1,\n",
                "s.csv: arm `a`, seed 1 has no `acc`",
            ),
        ] {
            let error = read(text, &["acc"]).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn seeds_may_be_written_as_floats() {
        let found = read("arm,seed,acc\na,3.0,1\n", &["acc"]).unwrap();
        assert_eq!(found.seeds(), [3]);
    }
}
