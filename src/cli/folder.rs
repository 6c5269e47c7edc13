//! Derived files in a results folder: computing, writing and checking them.

use super::console::Console;
use super::exit::Failure;
use super::{seeds, variant};
use crate::analysis::{SharedCells, Summary};
use crate::compare;
use crate::compare::results::{COMPARISON_FILE, DeviceComparison};
use crate::files::{FileError, absolute, read, read_text, sha256, write_atomic};
use crate::plan::{Plan, shared_cells};
use crate::plot::{FIGURE_FILES, Theme};
use crate::provenance::{Provenance, fingerprint};
use crate::report::{
    self, CLAIM_FOOTER, CLAIMS_FOLDER, DeriveError, Derived, Origin, REPORT_FILE, REPORT_HTML_FILE,
    SUMMARY_FILE, claim_figure, claim_figure_file, claim_file, claim_html, claim_html_file,
    claim_page, index_html, overview, unchanged,
};
use crate::run::{RecordError, runs};
use crate::spec::{self, Claim, RESOLVED_FILE, Spec};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The page in a results folder that links to every report.
const OVERVIEW_FILE: &str = "README.md";
/// The same for a browser.
pub(crate) const INDEX_FILE: &str = "index.html";

/// A derived file and its content; `None` if the file must not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DerivedFile {
    pub(crate) path: PathBuf,
    pub(crate) content: Option<String>,
}

impl DerivedFile {
    /// Whether the file on disk has this content.
    pub(crate) fn is_current(&self) -> bool {
        match (&self.content, read(&self.path)) {
            (Some(content), Ok(found)) => found == content.as_bytes(),
            (None, found) => found.is_err() && !self.path.exists(),
            (Some(_), Err(_)) => false,
        }
    }

    /// Writes or removes the file. Returns whether anything changed.
    pub(crate) fn write(&self) -> Result<bool, FileError> {
        match &self.content {
            Some(content) => {
                if let Some(folder) = self.path.parent() {
                    fs::create_dir_all(folder).map_err(FileError::of("create", folder))?;
                }
                write_atomic(&self.path, content.as_bytes())
            }
            None if self.path.exists() => {
                fs::remove_file(&self.path).map_err(FileError::of("remove", &self.path))?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// The valid experiments in the folders of `specs`, which may share cells with them.
pub(crate) fn neighbours(specs: &[Spec]) -> Vec<Spec> {
    let folders: BTreeSet<PathBuf> = specs.iter().map(folder_of).collect();
    let paths = folders.into_iter().flat_map(|folder| {
        let names = spec::names(&folder).unwrap_or_default();
        names
            .into_iter()
            .map(move |name| folder.join(name + ".toml"))
    });
    paths
        .filter_map(|path| Spec::load(&path, &[]).ok())
        .collect()
}

/// Absolute path of the folder that holds the file of `spec`.
fn folder_of(spec: &Spec) -> PathBuf {
    absolute(spec.file().parent().unwrap_or(Path::new("")))
}

/// Derives summary, report and figures from `runs`, the `runs.jsonl` of `spec` in `results`. The
/// names of adapter and version are read from `provenance.json`; cells in common with the `neighbours` in the folder of its
/// file are named, whichever others the command is about.
pub(crate) fn derive(
    spec: &Spec,
    runs: &runs::Runs,
    results: &Path,
    neighbours: &[Spec],
    console: &Console,
) -> Result<Derived, Failure> {
    for text in damage(runs) {
        console.warn(&format!("{text}; leaving it out of the report"));
    }
    let device = runs.records.first().map(|r| &r.device);
    let provenance = Provenance::read(&results.join(&spec.name));
    let kinds = match &provenance {
        Some(provenance) => provenance.kinds(runs.records.iter().map(|record| &*record.id)),
        None => BTreeMap::new(),
    };
    let (run, build) = provenance.map(|found| (found.run, found.build)).unzip();
    let adapter = run.filter(|run| Some(&run.device) == device);
    let path = results.join(&spec.name).join(runs::NAME);
    let origin = Origin {
        adapter: adapter.and_then(|run| run.adapter),
        version: build.map(|build| build.version),
        records_sha256: match path.exists() {
            true => Some(sha256(&read(&path).map_err(FileError::of("read", &path))?)),
            false => None,
        },
    };
    let check = spec
        .program
        .as_ref()
        .and_then(|_| seeds::read(&results.join(&spec.name)));
    let own = folder_of(spec);
    let neighbours = neighbours.iter().filter(|other| folder_of(other) == own);
    let neighbours: Vec<Spec> = neighbours.cloned().collect();
    let shared: Vec<SharedCells> = (shared_cells(spec, &neighbours).into_iter())
        .map(|(experiment, cells)| SharedCells { experiment, cells })
        .collect();
    Ok(report::derive(
        &variant::placed(spec, results),
        &runs.records,
        Some(&origin),
        check.as_ref(),
        shared,
        &kinds,
    )?)
}

/// Reads the `runs.jsonl` of `spec` in `results` and checks its records against the cells of `spec`; no
/// records if there is no file.
pub(crate) fn recorded_runs(spec: &Spec, results: &Path) -> Result<runs::Runs, RecordError> {
    let path = results.join(&spec.name).join(runs::NAME);
    if !path.exists() {
        return Ok(runs::Runs::default());
    }
    runs::read_planned(&path, |device| {
        Cow::Owned(Plan::new(spec, device, 1, fingerprint(device)))
    })
}

/// The experiments and variants with records in `results` that are not among `specs`, as they ran. One that
/// cannot be read is left out with a warning.
pub(crate) fn other_specs(results: &Path, specs: &[Spec], console: &Console) -> Vec<Spec> {
    let mut found = Vec::new();
    for entry in results.read_dir().into_iter().flatten().flatten() {
        let (folder, name) = (entry.path(), entry.file_name());
        let path = folder.join(RESOLVED_FILE);
        let is_known = specs.iter().any(|spec| name == *spec.name);
        if is_known || !path.is_file() {
            continue;
        }
        match Spec::load(&path, &[]).map(|spec| variant::named(spec, None)) {
            Ok(spec) if name == *spec.name => found.push(spec),
            Ok(spec) => console.detail(&format!(
                "leaving `{}` out: it holds the results of `{}`, not of its own name",
                folder.display(),
                spec.name
            )),
            Err(error) => console.warn(&format!("leaving `{}` out: {error}", folder.display())),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// A message for each damaged or unfinished line of a `runs.jsonl`.
pub(crate) fn damage(runs: &runs::Runs) -> Vec<String> {
    let damaged = runs.damaged.iter().map(ToString::to_string);
    damaged.chain(runs.notice.clone()).collect()
}

/// Advice about damaged lines in the `runs.jsonl` of `spec`.
pub(crate) fn damage_advice(spec: &Spec, results: &Path) -> String {
    format!(
        "restore the file with git, or train the damaged cells again with `{} --adopt`",
        command(spec, results)
    )
}

/// The command that trains the missing cells of `spec` in `results`.
pub(crate) fn command(spec: &Spec, results: &Path) -> String {
    let changes = variant::placed(spec, results).changes;
    changes.command(&spec.name, &spec.seeds)
}

/// The command that does `verb` with the results of `spec` in `results`.
pub(crate) fn command_on_results(verb: &str, spec: &Spec, results: &Path) -> String {
    let changes = variant::placed(spec, results).changes;
    changes.command_on_results(verb, &spec.name)
}

/// The file of `spec` as it runs.
pub(crate) fn resolved(spec: &Spec, results: &Path) -> DerivedFile {
    DerivedFile {
        path: results.join(&spec.name).join(RESOLVED_FILE),
        content: Some(spec.resolved(&variant::file_of(spec, results))),
    }
}

/// The derived files of `spec`, including those that must not exist.
pub(crate) fn files(spec: &Spec, derived: &Derived, results: &Path) -> Vec<DerivedFile> {
    let folder = results.join(&derived.summary.name);
    let content = |name: &str| {
        let mut files = derived.files();
        files.find_map(|(n, text)| (n == name).then(|| text.to_owned()))
    };
    let names = [SUMMARY_FILE, REPORT_FILE, REPORT_HTML_FILE]
        .into_iter()
        .chain(FIGURE_FILES);
    names
        .map(|name| DerivedFile {
            path: folder.join(name),
            content: content(name),
        })
        .chain([resolved(spec, results)])
        .collect()
}

/// The overview pages, and the pages and figures of the claims, for which variants do not count. There are no pages of claims if no
/// experiment tests or bears on a claim; pages of claims that are no longer declared must not exist.
pub(crate) fn overview_files(
    claims: &[Claim],
    summaries: &[Summary],
    results: &Path,
) -> Result<Vec<DerivedFile>, Failure> {
    let evidence = unchanged(summaries);
    let tests = |s: &Summary| s.claim.is_some() || s.primary().any(|c| c.contrast.claim.is_some());
    let any = (evidence.iter()).any(|s| tests(s) || !s.bears_on.is_empty());
    let claims = if any { claims } else { &[] };
    let folder = results.join(CLAIMS_FOLDER);
    let file = |path: PathBuf, content: Option<String>| DerivedFile { path, content };
    let mut targets = vec![file(
        results.join(OVERVIEW_FILE),
        Some(overview(claims, summaries)),
    )];
    let mut figures = Vec::new();
    for claim in claims {
        let figure = claim_figure(claim, &evidence, Theme::Screen).map_err(DeriveError::from)?;
        let figure = figure.map(|drawing| drawing.svg);
        let (md, html) = (claim_file(&claim.name), claim_html_file(&claim.name));
        let page = claim_html(claim, &evidence, figure.as_deref()).map_err(DeriveError::from)?;
        targets.push(file(folder.join(md), Some(claim_page(claim, &evidence))));
        targets.push(file(folder.join(html), Some(page)));
        targets.push(file(
            folder.join(claim_figure_file(&claim.name)),
            figure.clone(),
        ));
        figures.push((claim, figure));
    }
    let index = index_html(&figures, &evidence, summaries).map_err(DeriveError::from)?;
    targets.push(file(results.join(INDEX_FILE), Some(index)));
    targets.extend(stale_claims(claims, &folder));
    Ok(targets)
}

/// The pages in `folder`, in both formats and with their figures, of claims that are no longer declared. They must not exist.
/// Files that the program did not write stay.
fn stale_claims(claims: &[Claim], folder: &Path) -> Vec<DerivedFile> {
    let declared = |path: &Path| {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        claims.iter().any(|claim| Some(&*claim.name) == stem)
    };
    let is_ours = |path: &Path| {
        let text = read_text(path).unwrap_or_default();
        text.trim_end().ends_with(CLAIM_FOOTER)
    };
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let pages = entries.map(|entry| entry.path()).filter(|path| {
        path.extension().is_some_and(|e| e == "md") && !declared(path) && is_ours(path)
    });
    let files = pages.flat_map(|page| {
        let [svg, html] = ["svg", "html"].map(|extension| page.with_extension(extension));
        [svg, html, page]
    });
    let gone = |path| DerivedFile {
        path,
        content: None,
    };
    let mut stale: Vec<DerivedFile> = files.map(gone).collect();
    stale.sort_by(|a, b| a.path.cmp(&b.path));
    stale
}

/// Reads every summary in `results`, except those replaced by `fresh`. A summary that cannot be read
/// is left out with a warning.
pub(crate) fn summaries(results: &Path, fresh: &[Summary], console: &Console) -> Vec<Summary> {
    let mut found: BTreeMap<String, Summary> = BTreeMap::new();
    for entry in results.read_dir().into_iter().flatten().flatten() {
        let path = entry.path().join(SUMMARY_FILE);
        if fresh.iter().any(|s| entry.file_name() == *s.name) || !path.is_file() {
            continue;
        }
        match summary(&path) {
            Ok(summary) => drop(found.insert(summary.name.clone(), summary)),
            Err(why) => console.warn(&format!(
                "leaving `{}` out of the overview: {why}; rebuild it with `ablate report`",
                path.display()
            )),
        }
    }
    found.extend(fresh.iter().map(|s| (s.name.clone(), s.clone())));
    found.into_values().collect()
}

/// The summary of `name` in `results`, if it exists and can be read.
pub(crate) fn summary_of(name: &str, results: &Path) -> Option<Summary> {
    summary(&results.join(name).join(SUMMARY_FILE)).ok()
}

/// The folder of device comparisons in a results folder.
const COMPARISONS: &str = "backends";

/// Path of the folder of the device comparison on the experiment `name`.
pub(crate) fn comparison_folder(results: &Path, name: &str) -> PathBuf {
    results.join(COMPARISONS).join(name)
}

/// Folders of all device comparisons in `results`, by name of the experiment.
pub(crate) fn comparisons(results: &Path) -> BTreeMap<String, PathBuf> {
    let entries = results
        .join(COMPARISONS)
        .read_dir()
        .into_iter()
        .flatten()
        .flatten();
    let found = entries.filter(|entry| entry.path().join(COMPARISON_FILE).is_file());
    found
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .collect()
}

/// Reads the comparison in the file `path`.
pub(crate) fn read_comparison(path: &Path) -> Result<DeviceComparison, Failure> {
    let text = read_text(path).map_err(FileError::of("read", path))?;
    serde_json::from_str(&text).map_err(|e| {
        let path = path.display();
        Failure::unavailable(format!(
            "`{path}` is not a device comparison: {e}; make a new one with `ablate compare`"
        ))
    })
}

/// The derived files of the device comparison in `folder`.
pub(crate) fn comparison_files(folder: &Path) -> Result<Vec<DerivedFile>, Failure> {
    let comparison = read_comparison(&folder.join(COMPARISON_FILE))?;
    let files = compare::report::derive(&comparison)?;
    let content = |name: &str| {
        let found = files.iter().find(|(n, _)| *n == name);
        found.map(|(_, text)| text.clone())
    };
    Ok(compare::report::files()
        .map(|name| DerivedFile {
            path: folder.join(name),
            content: content(name),
        })
        .collect())
}

fn summary(path: &Path) -> Result<Summary, String> {
    let text = read_text(path).map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map_err(|e| e.to_string())
}
