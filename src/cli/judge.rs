//! `ablate judge`.

use super::arguments::{Format, FormatArg};
use super::compared::{Compared, Paired, advice, parse};
use super::console::Console;
use super::exit::{Code, Failure};
use super::folder;
use super::manifest::{self, published};
use crate::files::{FileError, check_writable, open};
use crate::plan::Plan;
use crate::provenance;
use crate::record::CellRecord;
use crate::report::{self, Derived, REPORT_FILE, answer};
use crate::run::runs;
use crate::scores::{Columns, DEVICE, Scores, ScoresError, Table};
use crate::spec::{GivenScores, RESOLVED_FILE, Spec};
use crate::study::{Study, StudyArm, StudyProgram, StudySeeds, distinct, name};
use crate::text::{placeholder, utf8};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  ablate judge scores.csv --metric 'accuracy>' --from share --margin 0.3
  ablate judge scores.csv --metric 'loss<' --margin 0.01 --control baseline \\
               --expect better --results ablate-results
  cut -f 1,2,5 all.tsv | ablate judge - --metric 'f1>' --margin 0.5

The file has a header and one row per arm and seed:
  arm,seed,accuracy
  baseline,0,0.912
  wide,0,0.921
With a column `epoch` or `step` a cell may have several rows; the last counts.
Arms are compared seed by seed if they share at least half of their seeds.";

/// The file name that stands for standard input.
const STDIN: &str = "-";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Table of scores, separated by commas, semicolons or tabs;
    /// `-` is standard input
    #[arg(value_name = "FILE", verbatim_doc_comment)]
    file: PathBuf,
    #[command(flatten)]
    compared: Compared,
    /// Arm that all others are compared with [default: the
    /// first]
    #[arg(long, value_name = "ARM", verbatim_doc_comment)]
    control: Option<String>,
    /// Compare seed by seed: `true`, `false`, or `auto`, if the
    /// arms share at least half of their seeds
    #[arg(
        long,
        value_name = "auto|true|false",
        default_value = "auto",
        verbatim_doc_comment
    )]
    paired: Paired,
    /// Column that names the arm
    #[arg(long, value_name = "COLUMN", default_value = "arm")]
    arm_column: String,
    /// Column that has the seed
    #[arg(long, value_name = "COLUMN", default_value = "seed")]
    seed_column: String,
    /// Name in the report and of its folder [default: the name
    /// of the file]
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    name: Option<String>,
    /// Write a report with figures below this folder
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn judge(args: &Args, console: &Console) -> Result<Code, Failure> {
    let table = Table::read(&args.shown(), &args.text()?)?;
    if args.compared.metrics.is_empty() {
        return Err(without_metric(&table, args.columns()));
    }
    let metrics = args.compared.metrics()?;
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    let scores = Scores::new(&table, args.columns(), &names)?;
    let control = args.control(&scores)?;
    let paired = args.pairs(&scores, control)?;
    let matching = scores.matching(control, paired);
    console.info(&matching);
    let scores = match paired {
        true => scores,
        false => scores.renumbered(),
    };
    let study = Study {
        name: args.name.clone().unwrap_or_else(|| args.name_of_file()),
        control,
        arms: arms(&scores, &args.shown()),
        metrics,
        expect: args.compared.expect(),
        seeds: StudySeeds::List(scores.seeds()),
        program: StudyProgram {
            directory: ".".to_owned(),
            paired: Some(paired),
            ..StudyProgram::default()
        },
    };
    let mut spec = parse(&study, &args.file, &study.file())?;
    if let Some(program) = &mut spec.program {
        program.scores = Some(GivenScores {
            file: args.shown(),
            matching,
        });
    }
    let (derived, records) = derived(&spec, &scores)?;
    match args.format.format {
        Format::Json => console.print(&derived.summary_json)?,
        Format::Text => console.print(&answer(&derived.summary))?,
    }
    if let Some(results) = &args.results {
        write(&spec, &derived, &records, results, console)?;
    }
    Ok(Code::Done)
}

impl Args {
    const fn columns(&self) -> Columns<'_> {
        Columns {
            arm: self.arm_column.as_str(),
            seed: self.seed_column.as_str(),
        }
    }

    /// The file in errors and in the report.
    fn shown(&self) -> String {
        match self.file.to_str() {
            Some(STDIN) => "standard input".to_owned(),
            _ => self.file.display().to_string(),
        }
    }

    fn text(&self) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        let read = match self.file.to_str() {
            Some(STDIN) => io::stdin().lock().read_to_end(&mut bytes),
            _ => open(&self.file).and_then(|mut file| file.read_to_end(&mut bytes)),
        };
        if let Err(error) = &read
            && error.kind() == ErrorKind::InvalidInput
        {
            return Err(Failure::usage(format!(
                "{}: {error}; for a pipe, give `-` and redirect standard input",
                self.shown()
            )));
        }
        read.map_err(FileError::of("read", &self.file))?;
        utf8::text(bytes).map_err(|why| Failure::usage(format!("{}: {why}", self.shown())))
    }

    fn name_of_file(&self) -> String {
        let stem = self.file.file_stem().and_then(|stem| stem.to_str());
        match name(stem.unwrap_or_default()).as_str() {
            "" => "scores".to_owned(),
            found => found.to_owned(),
        }
    }

    /// Index of the control, after a check of all arms.
    fn control(&self, scores: &Scores) -> Result<usize, Failure> {
        let labels: Vec<String> = scores.arms.iter().map(|arm| arm.label.clone()).collect();
        let file = self.shown();
        if let [only] = &labels[..] {
            return Err(Failure::usage(format!(
                "{file}: has a single arm, `{only}`; a comparison needs at least two"
            )));
        }
        if let Some(arm) = scores.arms.iter().find(|arm| arm.seeds.len() < 2) {
            return Err(Failure::usage(format!(
                "{file}: arm `{}` has a single seed; an interval needs at least two, better five or more",
                arm.label
            )));
        }
        let Some(wanted) = &self.control else {
            return Ok(0);
        };
        let found = labels.iter().position(|label| label == wanted);
        found.ok_or_else(|| {
            let advice = advice(wanted, &labels);
            Failure::usage(format!(
                "`--control` names `{wanted}`, which is no arm; {advice}"
            ))
        })
    }

    /// Whether arms are compared seed by seed.
    fn pairs(&self, scores: &Scores, control: usize) -> Result<bool, Failure> {
        let paired = self.paired.0.unwrap_or_else(|| scores.seeds_pair(control));
        match scores.without_pairs(control).filter(|_| paired) {
            None => Ok(paired),
            Some((arm, shared)) => Err(Failure::usage(format!(
                "`--paired true` needs at least two seeds in common, but arm `{}` and the control `{}` have \
                 {shared}; use `--paired false`",
                arm.label, scores.arms[control].label
            ))),
        }
    }
}

/// Says which columns could be metrics.
fn without_metric(table: &Table, columns: Columns<'_>) -> Failure {
    let numeric = table.numeric(&columns.others());
    let Some(first) = numeric.first() else {
        return Failure::usage("`--metric` is missing, and no column has numbers only");
    };
    let names: Vec<String> = numeric.iter().map(|name| format!("`{name}`")).collect();
    Failure::usage(format!(
        "`--metric` is missing; name a column and which way is better: `--metric '{first}>'` (higher) or \
         `--metric '{first}<'` (lower); columns with numbers are {}",
        names.join(", ")
    ))
}

/// The arms of the study. Their commands only tell them apart; nothing runs them.
fn arms(scores: &Scores, file: &str) -> Vec<StudyArm> {
    let mut arms: Vec<StudyArm> = Vec::new();
    for arm in &scores.arms {
        let taken = arms.iter().map(|arm| arm.name.as_str());
        let name = distinct(&name(&arm.label), taken);
        arms.push(StudyArm {
            label: (arm.label != name).then(|| arm.label.clone()),
            command: vec![placeholder::escaped(file), name.clone()],
            name,
        });
    }
    arms
}

fn derived(spec: &Spec, scores: &Scores) -> Result<(Derived, Vec<CellRecord>), Failure> {
    let plan = Plan::new(spec, DEVICE, 1, provenance::fingerprint(DEVICE));
    let records = scores.records(&plan);
    let derived = report::derive(spec, &records, None, None, Vec::new(), &BTreeMap::new())?;
    Ok((derived, records))
}

/// Writes the report and the records; no experiment file, because nothing can run. A folder with the results
/// of a run stays.
fn write(
    spec: &Spec,
    derived: &Derived,
    records: &[CellRecord],
    results: &Path,
    console: &Console,
) -> Result<(), Failure> {
    let folder = results.join(&derived.summary.name);
    if folder.join(provenance::NAME).exists() {
        return Err(Failure::usage(format!(
            "`{}` has the results of a run; choose another name with `--name`",
            folder.display()
        )));
    }
    check_writable(&folder)?;
    runs::write_runs(&folder.join(runs::NAME), records)?;
    let mut files = folder::files(spec, derived, results);
    files.retain(|file| !file.path.ends_with(RESOLVED_FILE));
    manifest::write(&published(files, &folder)?)?;
    console.info(&format!(
        "wrote the report to `{}`",
        folder.join(REPORT_FILE).display()
    ));
    Ok(())
}

impl From<ScoresError> for Failure {
    fn from(error: ScoresError) -> Self {
        Self::usage(error.to_string())
    }
}
