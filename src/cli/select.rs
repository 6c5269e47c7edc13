//! Selection of experiments by name, path or suite.

use super::exit::Failure;
use super::{root, variant};
use crate::spec::{self, Override, Spec};
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Selects every experiment.
pub(crate) const ALL: &str = "all";

/// The suite that runs by default.
pub(crate) const STANDARD: &str = "standard";

/// Suites that `all` leaves out of a run: the smoke test, and the experiments for comparing devices.
/// Neither says anything about a claim.
const EXCLUDED_FROM_ALL: [&str; 2] = ["smoke", "devices"];

/// The arguments that select and change experiments.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selection {
    /// Name of an experiment, variant or suite, path of a
    /// TOML file or of a results folder, or `all`
    #[arg(value_name = "EXPERIMENT", verbatim_doc_comment)]
    pub(crate) names: Vec<String>,
    /// Folder of the experiments
    #[arg(long, value_name = "DIR", default_value_os_t = root::experiments())]
    pub(crate) experiments: PathBuf,
    /// Change a key of every selected experiment, such as
    /// `train.epochs=3` (repeatable)
    #[arg(long, value_name = "KEY=VALUE", verbatim_doc_comment)]
    set: Vec<Override>,
    /// Use seeds 0 to N - 1; same as `--set seeds=N`
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
}

impl Selection {
    /// Selects `names` as they are.
    pub(crate) fn of(names: Vec<String>) -> Self {
        Self {
            names,
            experiments: root::experiments(),
            set: Vec::new(),
            seeds: None,
        }
    }

    /// Loads the selected experiments without repeats, in the order of the arguments. Without
    /// arguments, `default` is selected.
    ///
    /// # Errors
    /// If a name is unknown or an experiment is not valid.
    pub(crate) fn specs(&self, default: &str) -> Result<Vec<Spec>, Failure> {
        let overrides = self.overrides()?;
        let mut specs = Vec::new();
        for path in self.paths(default)? {
            specs.push(variant::named(Spec::load(&path, &overrides)?, None));
        }
        check_names(&specs)?;
        Ok(specs)
    }

    /// Loads the experiments to run, by default the standard suite. `all` leaves [`EXCLUDED_FROM_ALL`] out.
    ///
    /// # Errors
    /// As [`Self::specs`].
    pub(crate) fn to_run(&self) -> Result<Vec<Spec>, Failure> {
        let mut specs = self.specs(STANDARD)?;
        let named = |name: &str| self.names.iter().any(|n| n == name);
        if named(ALL) {
            let excluded =
                |suite: &String| EXCLUDED_FROM_ALL.contains(&suite.as_str()) && !named(suite);
            specs.retain(|spec| {
                spec.suites.is_empty() || !spec.suites.iter().all(excluded) || named(&spec.name)
            });
        }
        Ok(specs)
    }

    /// Paths of the selected experiments, without repeats.
    pub(crate) fn paths(&self, default: &str) -> Result<Vec<PathBuf>, Failure> {
        let default = [default.to_owned()];
        let names = match self.names.as_slice() {
            [] => &default,
            names => names,
        };
        let mut paths = Vec::new();
        for name in names {
            for path in self.resolve(name)? {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        Ok(paths)
    }

    fn resolve(&self, name: &str) -> Result<Vec<PathBuf>, Failure> {
        if let Some(file) = variant::find(name)? {
            return Ok(vec![file]);
        }
        if looks_like_path(name) {
            return Ok(vec![spec::find(name, &self.experiments)?]);
        }
        if !self.experiments.is_dir() {
            return Err(Failure::usage(format!(
                "cannot find the experiments folder `{}` here or in a folder above; `ablate init` writes \
                 one, `--experiments DIR` names another, and the path of a TOML file works, too",
                self.experiments.display()
            )));
        }
        let known = spec::names(&self.experiments)?;
        let file = |name: &String| self.experiments.join(format!("{name}.toml"));
        if name == ALL {
            return match known.is_empty() {
                false => Ok(known.iter().map(file).collect()),
                true => Err(self.empty("has no experiments")),
            };
        }
        if known.iter().any(|k| k == name) {
            return Ok(vec![file(&name.to_owned())]);
        }
        let suites = self.suite(name)?;
        if !suites.members.is_empty() {
            return Ok(suites.members);
        }
        if name == STANDARD {
            return Err(self.empty("has no experiment in the suite `standard`"));
        }
        let error = spec::find(name, &self.experiments).expect_err("no file has this name");
        Err(match suites.names.is_empty() {
            true => error.into(),
            false => Failure::usage(format!("{error} (suites: {})", suites.listed())),
        })
    }

    fn empty(&self, what: &str) -> Failure {
        Failure::usage(format!(
            "the experiments folder `{}` {what}; pass the name of an experiment or the path of a \
             TOML file",
            self.experiments.display()
        ))
    }

    fn suite(&self, name: &str) -> Result<Suites, Failure> {
        let mut found = Suites::default();
        for spec in spec::all(&self.experiments)? {
            if spec.suites.iter().any(|suite| suite == name) {
                found.members.push(spec.path);
            }
            found.names.extend(spec.suites);
        }
        Ok(found)
    }

    /// The changes of `--set` and `--seeds`.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Failure> {
        let mut overrides = self.set.clone();
        if let Some(seeds) = self.seeds {
            let text = format!("seeds={seeds}");
            overrides.push(text.parse().map_err(|e| Failure::usage(format!("{e}")))?);
        }
        Ok(overrides)
    }

    /// Whether the command line names the number of seeds.
    pub(crate) fn gives_seeds(&self) -> bool {
        self.seeds.is_some() || self.set.iter().any(Override::sets_seeds)
    }

    /// Whether `spec` is in the experiments folder.
    pub(crate) fn is_among(&self, spec: &Spec) -> bool {
        let folder = spec.file().parent().map(Path::canonicalize);
        matches!(
            (folder, self.experiments.canonicalize()),
            (Some(Ok(folder)), Ok(experiments)) if folder == experiments
        )
    }
}

#[derive(Debug, Default)]
struct Suites {
    /// Paths of the experiments in the suite.
    members: Vec<PathBuf>,
    /// Names of all suites.
    names: BTreeSet<String>,
}

impl Suites {
    fn listed(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|n| format!("`{n}`")).collect();
        names.join(", ")
    }
}

/// Names of experiments contain neither a separator nor a dot.
fn looks_like_path(name: &str) -> bool {
    name.contains(['/', '\\', '.'])
}

/// Rejects two files with the same name, which would share a results folder.
fn check_names(specs: &[Spec]) -> Result<(), Failure> {
    for (i, spec) in specs.iter().enumerate() {
        if let Some(other) = specs[..i].iter().find(|s| s.name == spec.name) {
            return Err(Failure::usage(format!(
                "`{}` and `{}` would share the results folder `{}`; run them one at a time, with \
                 different `--results DIR`",
                other.path.display(),
                spec.path.display(),
                spec.name
            )));
        }
    }
    Ok(())
}
