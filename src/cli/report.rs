//! `ablate report`.

use super::arguments::ResultsArg;
use super::console::Console;
use super::exit::{Code, Failure};
use super::folder::{self, DerivedFile};
use super::looks;
use super::manifest::{self, published};
use super::select::{ALL, Selection};
use super::{guests, variant};
use crate::analysis::Summary;
use crate::data;
use crate::files::{FileError, absolute, read_text};
use crate::plan::Plan;
use crate::provenance::{self, Provenance, fingerprint};
use crate::recipe::NetRecipe;
use crate::record::CellRecord;
use crate::report::{REPORT_HTML_FILE, claims_table, overview_table, splice, unchanged};
use crate::run::runs;
use crate::spec::{Arm, Claim, Spec};
use crate::text::counted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Name of the marked block that holds the overview in a hand-written page.
const BLOCK: &str = "results";

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    results: ResultsArg,
    /// Write nothing; fail if a derived file is out of date
    #[arg(long)]
    check: bool,
    /// Also write the table of claims into this page,
    /// between the markers `<!-- ablate:results -->` and
    /// `<!-- /ablate:results -->` (repeatable)
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    splice: Vec<PathBuf>,
    /// Open the page in a browser: that of the experiment, if one is
    /// named, or else the index of all results
    #[arg(long, conflicts_with = "check", verbatim_doc_comment)]
    open: bool,
}

pub(super) fn report(args: &Args, console: &Console) -> Result<Code, Failure> {
    let Reports {
        page,
        targets,
        mut stale,
        damaged,
    } = reports(args, console)?;
    if args.check {
        stale.extend(damaged);
        return check(&targets, stale, console);
    }
    let code = write(&targets, console)?;
    if args.open {
        open_page(&page, console)?;
    }
    match damaged.is_empty() {
        true => Ok(code),
        false => Err(Failure::several(Code::Differs, damaged)),
    }
}

/// Rebuilds all reports in `results`, or only that of the experiment in `file`, and prints warnings only.
pub(super) fn rebuild(
    file: Option<&Path>,
    results: &Path,
    console: &Console,
) -> Result<(), Failure> {
    let names = file.map(|file| file.display().to_string());
    let args = Args {
        selection: Selection::of(names.into_iter().collect()),
        results: ResultsArg::at(results),
        check: false,
        splice: Vec::new(),
        open: false,
    };
    manifest::write(&reports(&args, console)?.targets)?;
    Ok(())
}

/// The derived files, and what is wrong with the records that they are derived from.
struct Reports {
    /// The page of the experiment, or the index.
    page: PathBuf,
    targets: Vec<DerivedFile>,
    /// Records of other experiment files.
    stale: Vec<String>,
    damaged: Vec<String>,
}

fn reports(args: &Args, console: &Console) -> Result<Reports, Failure> {
    let mut specs = args.selection.specs(ALL)?;
    let results = args.results.folder(&args.selection, &specs, None).folder;
    if args.selection.names.is_empty() {
        specs.extend(folder::other_specs(&results, &specs, console));
    }
    let given = args.selection.gives_seeds();
    variant::check_files(&specs, &results)?;
    if !args.check {
        guests::take_in(&specs, &results, console)?;
    }
    let specs = (specs.into_iter())
        .map(|spec| looks::recorded(spec, &results, given))
        .collect::<Result<Vec<_>, _>>()?;
    let compared = compared(args, &specs, &results);
    let specs = match (compared.is_empty(), args.selection.names.is_empty()) {
        // A device comparison can be reported without any trained experiment.
        (false, _) => with_records(specs, &results),
        (true, true) => recorded(specs, &results)?,
        (true, false) => specs,
    };
    let mut targets = Vec::new();
    for folder in &compared {
        let files = folder::comparison_files(folder)?;
        targets.extend(published(files, folder)?);
    }
    let (mut stale, mut damaged) = (Vec::new(), Vec::new());
    let mut summaries = Vec::new();
    let neighbours = folder::neighbours(&specs);
    for spec in &specs {
        let runs = folder::recorded_runs(spec, &results)?;
        let derived = folder::derive(spec, &runs, &results, &neighbours, console)?;
        let files = folder::files(spec, &derived, &results);
        targets.extend(published(files, &results.join(&spec.name))?);
        summaries.push(derived.summary);
        damaged.extend(damage(spec, &results, &runs));
        if let Some(text) = without_origin(spec, &results, &runs) {
            console.warn(&text);
        }
        match check_recipe(spec, &results, &runs.records) {
            Recipe::Same => {}
            Recipe::OtherCode(text) | Recipe::Unknown(text) => console.info(&text),
            Recipe::Other(text) if args.check => stale.push(text),
            Recipe::Other(text) => console.warn(&text),
        }
    }
    let summaries = folder::summaries(&results, &summaries, console);
    let claims = Claim::load_all(&args.selection.experiments)?;
    if !summaries.is_empty() {
        let files = folder::overview_files(&claims, &summaries, &results)?;
        targets.extend(published(files, &results)?);
    }
    for page in &args.splice {
        targets.push(spliced(page, &claims, &summaries, &results)?);
    }
    Ok(Reports {
        page: page(&specs, args, &results),
        targets,
        stale,
        damaged,
    })
}

/// A warning if there are records without provenance.
fn without_origin(spec: &Spec, results: &Path, runs: &runs::Runs) -> Option<String> {
    let path = results.join(&spec.name).join(provenance::NAME);
    let why = match Provenance::load(&path) {
        Ok(Some(_)) => return None,
        Ok(None) => format!("`{}` is missing", path.display()),
        Err(error) => error.to_string(),
    };
    (!runs.records.is_empty()).then(|| {
        format!(
            "{}: where the records come from is not known: {why}",
            spec.name
        )
    })
}

/// An error if lines of the `runs.jsonl` of an experiment are damaged.
fn damage(spec: &Spec, results: &Path, runs: &runs::Runs) -> Option<String> {
    let lines = folder::damage(runs).len();
    (lines > 0).then(|| {
        let advice = folder::damage_advice(spec, results);
        format!(
            "{}: {} damaged; {advice}",
            spec.name,
            counted(lines, "record line")
        )
    })
}

/// Folders of the device comparisons on the named experiments, or of all device comparisons.
fn compared(args: &Args, specs: &[Spec], results: &Path) -> Vec<PathBuf> {
    let all = folder::comparisons(results).into_iter();
    let named = |name: &String| specs.iter().any(|spec| spec.name == *name);
    let wanted = all.filter(|(name, _)| args.selection.names.is_empty() || named(name));
    wanted.map(|(_, folder)| folder).collect()
}

fn with_records(mut specs: Vec<Spec>, results: &Path) -> Vec<Spec> {
    specs.retain(|spec| results.join(&spec.name).join(runs::NAME).is_file());
    specs
}

/// Keeps the experiments that have records.
///
/// # Errors
/// If none has any.
pub(super) fn recorded(specs: Vec<Spec>, results: &Path) -> Result<Vec<Spec>, Failure> {
    let specs = with_records(specs, results);
    match specs.is_empty() {
        true => Err(Failure::unavailable(format!(
            "there are no records in `{}`; train with `ablate run`, or name the folder of the \
             results with `--results DIR`",
            results.display()
        ))),
        false => Ok(specs),
    }
}

fn write(targets: &[DerivedFile], console: &Console) -> Result<Code, Failure> {
    let written = manifest::write(targets)?;
    for path in &written {
        console.print(&format!("wrote {}\n", path.display()))?;
    }
    if written.is_empty() {
        console.info("all derived files are up to date");
    }
    Ok(Code::Done)
}

/// The page of the only experiment that is named, or else the index.
fn page(specs: &[Spec], args: &Args, results: &Path) -> PathBuf {
    match (specs, args.selection.names.len()) {
        ([only], 1) => results.join(&only.name).join(REPORT_HTML_FILE),
        _ => results.join(folder::INDEX_FILE),
    }
}

/// Opens `page` in the program that the system uses for pages, and prints its path, which is all that
/// happens on a machine without such a program.
fn open_page(page: &Path, console: &Console) -> Result<(), Failure> {
    let path = absolute(page);
    if let Err(error) = open::that_detached(&path) {
        console.info(&format!(
            "no program opens pages here ({error}); the page is"
        ));
    }
    console.print(&format!("{}\n", path.display()))
}

fn check(
    targets: &[DerivedFile],
    mut stale: Vec<String>,
    console: &Console,
) -> Result<Code, Failure> {
    stale.extend(targets.iter().filter(|t| !t.is_current()).map(|target| {
        let path = target.path.display();
        match target.content {
            Some(_) => format!(
                "`{path}` is out of date; rebuild it with the same command without `--check`"
            ),
            None => format!(
                "`{path}` is no longer derived from the records; remove it with the same command \
                 without `--check`"
            ),
        }
    }));
    if stale.is_empty() {
        console.info(&format!(
            "all {} derived files are up to date",
            targets.len()
        ));
        return Ok(Code::Done);
    }
    Err(Failure::several(Code::Differs, stale))
}

/// Returns `page` with the table of claims (or of experiments, if there are no claims) in its block.
fn spliced(
    page: &Path,
    claims: &[Claim],
    summaries: &[Summary],
    results: &Path,
) -> Result<DerivedFile, Failure> {
    let text = read_text(page).map_err(FileError::of("read", page))?;
    let prefix = format!("{}/", results.display());
    let table = match claims.is_empty() {
        true => overview_table(summaries, &prefix),
        false => claims_table(claims, &unchanged(summaries), &prefix),
    };
    let block = format!(
        "{table}\nMade by `ablate report --splice {}`; edits in this block are overwritten.",
        page.display()
    );
    let content = splice(&text, BLOCK, &block)
        .map_err(|e| Failure::usage(format!("{}: {e}", page.display())))?;
    Ok(DerivedFile {
        path: page.to_owned(),
        content: Some(content),
    })
}

/// Whether the records belong to the current spec and code.
enum Recipe {
    Same,
    /// That depends on the content of data that this machine does not have.
    Unknown(String),
    /// The recipe is the same, the code is not.
    OtherCode(String),
    /// The recipe has changed.
    Other(String),
}

/// Cell ids hash the recipe and the code. With the code that `provenance.json` names, a changed
/// recipe can be told from changed code.
fn check_recipe(spec: &Spec, results: &Path, records: &[CellRecord]) -> Recipe {
    let folder = results.join(&spec.name);
    let device = records.first().map_or("", |r| r.device.as_str());
    let there: BTreeSet<&str> = records.iter().map(|r| r.id.as_str()).collect();
    let missing = |fingerprint: &str| {
        let plan = Plan::new(spec, device, 1, fingerprint);
        let cells = plan.ids();
        cells.iter().filter(|id| !there.contains(*id)).count()
    };
    let now = missing(fingerprint(device));
    if now == 0 {
        return Recipe::Same;
    }
    let name = &spec.name;
    let unknown = |net: &&NetRecipe| data::content_hash(&net.data).is_none();
    if let Some(net) = spec.arms.iter().filter_map(Arm::net).find(unknown) {
        let data = net.data.name.key();
        return Recipe::Unknown(format!(
            "{name}: the files of data set `{data}` are not here, so it is not known whether the records are \
             those of the current experiment file; see `ablate data list`"
        ));
    }
    let other = |cells: usize| {
        format!(
            "{name}: {} of the current experiment file {} no record; train them with `{}`",
            counted(cells, "cell"),
            if cells == 1 { "has" } else { "have" },
            folder::command(spec, results),
        )
    };
    let Some(provenance) = Provenance::read(&folder) else {
        return Recipe::Other(other(now));
    };
    match missing(provenance.fingerprint()) {
        0 => Recipe::OtherCode(format!(
            "{name}: the records were trained by other code; check them with `{}`",
            folder::command_on_results("verify", spec, results)
        )),
        cells => Recipe::Other(other(cells)),
    }
}
