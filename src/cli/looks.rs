//! Seeds that are added after looking at the results.
//!
//! Every verb that reads a results folder passes its specs through [`recorded`], so that a folder with
//! added seeds is never read as if their number had been fixed before the run.

use super::arguments::{RESULTS, positive};
use super::exit::Failure;
use super::{root, variant};
use crate::analysis::Summary;
use crate::plan::Plan;
use crate::provenance::{Provenance, fingerprint};
use crate::report::REPORT_FILE;
use crate::run::{looks, runs};
use crate::spec::{RESOLVED_FILE, Spec};
use crate::stats::{LookPlan, Looks, Rule, Verdict};
use crate::text::counted;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

/// The options of `run` that add seeds.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct UntilDecided {
    /// Add seeds, half the file's number at a time, until
    /// every primary contrast has a verdict. The intervals
    /// allow for the repeated looks
    #[arg(long, verbatim_doc_comment)]
    pub(crate) until_decided: bool,
    /// Largest number of seeds of `--until-decided`
    /// [default: twice the file's number]
    #[arg(
        long,
        value_name = "N",
        value_parser = positive,
        requires = "until_decided",
        verbatim_doc_comment
    )]
    max_seeds: Option<NonZeroUsize>,
}

/// What follows a look.
#[derive(Debug)]
pub(crate) enum Next {
    /// No more seeds, for the reason given.
    Stop(String),
    /// The experiment with more seeds.
    More(Box<Spec>),
}

impl UntilDecided {
    /// Prepares `spec` for its first look, or for going on after the looks that it has.
    ///
    /// # Errors
    /// If no contrast is primary, or the largest number of seeds is below that of the first look.
    pub(crate) fn begin(&self, mut spec: Spec) -> Result<Spec, Failure> {
        if !spec.contrasts.iter().any(|contrast| contrast.primary) {
            return Err(Failure::usage(format!(
                "{}: `--until-decided` needs a primary contrast; run it without the option",
                spec.name
            )));
        }
        let seeds = spec.seeds.len();
        let known = spec.looks.take();
        let most = match (self.max_seeds, &known) {
            (Some(most), _) => most.get(),
            (None, None) => 2 * seeds,
            (None, Some(looks)) => looks
                .most
                .max(2 * looks.looks.first().map_or(0, |l| l.seeds)),
        };
        if most < seeds {
            return Err(Failure::usage(format!(
                "{}: `--max-seeds {most}` is below the {} of the first look; give at least that many",
                spec.name,
                counted(seeds, "seed")
            )));
        }
        let looks = known
            .unwrap_or_else(|| Looks::planned(most))
            .with_most(most);
        spec.looks = Some(looks.at(seeds, alpha(&spec)));
        Ok(spec)
    }

    /// What follows the look that `summary` describes; `failed` is the number of its failed cells.
    pub(crate) fn next(&self, spec: &Spec, summary: &Summary, failed: usize) -> Next {
        let primary = summary.contrasts.iter().filter(|c| c.contrast.primary);
        let open = primary.filter(|c| !is_decided(c.verdict));
        let open: Vec<String> = open.map(|c| format!("`{}`", c.contrast.name)).collect();
        let seeds = spec.seeds.len();
        let looked = counted(seeds, "seed");
        if failed > 0 {
            return Next::Stop(format!(
                "no seeds are added after {looked}, because cells failed; run the same command again"
            ));
        }
        if open.is_empty() {
            return Next::Stop(format!(
                "every primary contrast has a verdict after {looked}"
            ));
        }
        let looks = spec.looks.clone().unwrap_or_else(|| Looks::planned(seeds));
        let Some(next) = block(spec, &looks).next(seeds) else {
            return Next::Stop(format!(
                "still without a verdict after {looked}, the most allowed: {}",
                open.join(", ")
            ));
        };
        let mut more = spec.clone().with_more_seeds(next);
        more.looks = Some(looks.at(next, alpha(spec)));
        Next::More(Box::new(more))
    }
}

/// `spec` as it is after its last possible look, for a forecast of its power. The last look has nearly the
/// level of a single one.
pub(crate) fn at_most_seeds(spec: &Spec) -> Spec {
    let most = spec.looks.as_ref().map_or(0, |looks| looks.most);
    Spec {
        looks: None,
        ..spec.clone().with_more_seeds(most)
    }
}

/// Whether a contrast supports or contradicts its prediction.
fn is_decided(verdict: Option<Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Supported | Verdict::Contradicted))
}

/// Blocks of half the seeds of the first look.
fn block(spec: &Spec, looks: &Looks) -> LookPlan {
    let first = looks
        .looks
        .first()
        .map_or(spec.seeds.len(), |look| look.seeds);
    LookPlan::of(first, looks.most)
}

/// Error rate of each primary contrast over all looks.
fn alpha(spec: &Spec) -> f64 {
    let primary = spec.contrasts.iter().filter(|c| c.primary).count();
    1.0 - Rule::default().confidence(primary)
}

/// `spec` with the seeds and looks that its folder in `results` records. `given` says whether the command
/// line names the number of seeds.
///
/// # Errors
/// If the looks cannot be read, or fewer seeds are asked for than were looked at.
pub(crate) fn recorded(mut spec: Spec, results: &Path, given: bool) -> Result<Spec, Failure> {
    let folder = results.join(&spec.name);
    let looks = looks::read(&folder)?;
    let seen = match &looks {
        Some(looks) => looks.seeds(),
        None => chosen_before(&spec, &folder),
    };
    let asked = spec.seeds.len();
    if given && asked < seen {
        return Err(Failure::usage(format!(
            "{}: `{}` has results of {seen} seeds, which were looked at; leaving some out would choose \
             among results. Use at least {seen} seeds, or another folder with `--results DIR`",
            spec.name,
            folder.display()
        )));
    }
    spec = spec.with_more_seeds(seen);
    spec.looks = looks.map(|looks| looks.at(asked.max(seen), alpha(&spec)));
    Ok(spec)
}

/// Number of seeds of the report in `folder`, if an earlier command line chose more than the file has; 0
/// otherwise. A later run without that option must not leave them out.
fn chosen_before(spec: &Spec, folder: &Path) -> usize {
    let path = folder.join(RESOLVED_FILE);
    if !path.is_file() || !folder.join(REPORT_FILE).is_file() {
        return 0;
    }
    let Ok(ran) = Spec::load(&path, &[]) else {
        return 0;
    };
    let more = ran.changes.seeds_in_file.is_some() && ran.seeds.len() > spec.seeds.len();
    match more && ran.seeds.starts_with(&spec.seeds) {
        true => ran.seeds.len(),
        false => 0,
    }
}

/// [`recorded`] for a run: results of the same experiment with fewer seeds count as looks, too. They are
/// searched in its folder and in the folder of committed results. If seeds `will_follow`, so does a result
/// with the same number.
///
/// If the command line gives the number of seeds, results of variants with fewer seeds are looks as well.
/// The number in a file was chosen before any such pilot, so a pilot is no look at the file's own run.
///
/// # Errors
/// As [`recorded`], and if records cannot be read.
pub(crate) fn before_run(
    spec: Spec,
    results: &Path,
    given: bool,
    will_follow: bool,
) -> Result<Spec, Failure> {
    let mut spec = recorded(spec, results, given)?;
    if spec.looks.is_some() {
        return Ok(spec);
    }
    let most = spec.seeds.len() - usize::from(!will_follow);
    let mut folders = vec![
        results.join(&spec.name),
        root::beside(RESULTS).join(&spec.name),
    ];
    if given {
        folders.extend(variant::relatives(&spec, results));
    }
    let mut seen = BTreeSet::new();
    for folder in folders {
        seen.extend(published(&spec, &folder)?.filter(|seeds| *seeds <= most));
    }
    let mut seen = seen.into_iter();
    if let Some(first) = seen.next() {
        let alpha = alpha(&spec);
        let mut looks = Looks::unplanned(first, alpha);
        for seeds in seen.chain([spec.seeds.len()]) {
            looks = looks.at(seeds, alpha);
        }
        spec.looks = Some(looks);
    }
    Ok(spec)
}

/// Number of seeds of a report on the same experiment in `folder`.
fn published(spec: &Spec, folder: &Path) -> Result<Option<usize>, Failure> {
    let path = folder.join(runs::NAME);
    if !folder.join(REPORT_FILE).exists() || !path.exists() {
        return Ok(None);
    }
    let records = runs::read_runs(&path)?.records;
    let device = records.first().map_or("", |record| record.device.as_str());
    let recorded_by = Provenance::read(folder).map(|found| found.fingerprint().to_owned());
    let codes = [Some(fingerprint(device).to_owned()), recorded_by];
    let same = codes.into_iter().flatten().any(|code| {
        let plan = Plan::new(spec, device, 1, &code);
        let ids = plan.ids();
        records
            .iter()
            .all(|record| ids.contains(record.id.as_str()))
    });
    let seeds: BTreeSet<u64> = records.iter().map(|record| record.seed).collect();
    Ok((same && !seeds.is_empty()).then_some(seeds.len()))
}
