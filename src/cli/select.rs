//! Which experiments are meant: by name, by path, by suite, or all.

use super::exit::Failure;
use crate::spec::{self, Override, Spec};
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every experiment.
pub(crate) const ALL: &str = "all";

/// The suite that is run where nothing else is said.
pub(crate) const STANDARD: &str = "standard";

/// The suites that `all` leaves to those who name them: the smoke test, which shows nothing of a claim,
/// and the experiments that devices are compared on.
const APART: [&str; 2] = ["smoke", "devices"];

/// The experiments that a verb is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selection {
    /// Experiments: the name of a file in the experiments folder, the path of a TOML file, the name
    /// of a suite, or `all`.
    #[arg(value_name = "NAME|SPEC.toml|SUITE|all")]
    pub(crate) names: Vec<String>,
    /// Folder of experiments.
    #[arg(long, value_name = "DIR", default_value = "experiments")]
    pub(crate) experiments: PathBuf,
    /// Change a key of every experiment, as in `train.epochs=3`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Run seeds 0 to N - 1; short for `--set seeds=N`.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
}

impl Selection {
    /// The experiments, in the order in which they are named, each once; where none is named,
    /// those that `otherwise` names.
    ///
    /// # Errors
    /// If a name means nothing, or an experiment is not valid.
    pub(crate) fn specs(&self, otherwise: &str) -> Result<Vec<Spec>, Failure> {
        let overrides = self.overrides()?;
        let mut specs = Vec::new();
        for path in self.paths(otherwise)? {
            specs.push(Spec::load(&path, &overrides)?);
        }
        check_names(&specs)?;
        Ok(specs)
    }

    /// The experiments to run, by default the standard suite. `all` leaves [`APART`] out.
    ///
    /// # Errors
    /// As [`Self::specs`].
    pub(crate) fn to_run(&self) -> Result<Vec<Spec>, Failure> {
        let mut specs = self.specs(STANDARD)?;
        let named = |name: &str| self.names.iter().any(|n| n == name);
        if named(ALL) {
            let apart = |suite: &String| APART.contains(&suite.as_str()) && !named(suite);
            specs.retain(|spec| {
                spec.suites.is_empty() || !spec.suites.iter().all(apart) || named(&spec.name)
            });
        }
        Ok(specs)
    }

    /// The files of the experiments, as [`Self::specs`] has them.
    pub(crate) fn paths(&self, otherwise: &str) -> Result<Vec<PathBuf>, Failure> {
        let otherwise = [otherwise.to_owned()];
        let names = match self.names.as_slice() {
            [] => &otherwise,
            names => names,
        };
        let mut paths = Vec::new();
        for name in names {
            for path in self.meaning(name)? {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        Ok(paths)
    }

    fn meaning(&self, name: &str) -> Result<Vec<PathBuf>, Failure> {
        if looks_like_path(name) {
            return Ok(vec![spec::find(name, &self.experiments)?]);
        }
        if !self.experiments.is_dir() {
            return Err(Failure::usage(format!(
                "there is no folder `{}`; run from the root of the repository, say where the \
                 experiments are with `--experiments DIR`, or give the path of a TOML file",
                self.experiments.display()
            )));
        }
        let known = spec::names(&self.experiments)?;
        let file = |name: &String| self.experiments.join(format!("{name}.toml"));
        if name == ALL {
            return match known.is_empty() {
                false => Ok(known.iter().map(file).collect()),
                true => Err(self.nothing_in("holds no experiments")),
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
            return Err(self.nothing_in("has no experiment of the suite `standard`"));
        }
        let error = spec::find(name, &self.experiments).expect_err("it is no file");
        Err(match suites.names.is_empty() {
            true => error.into(),
            false => Failure::usage(format!("{error}; suites are {}", suites.listed())),
        })
    }

    fn nothing_in(&self, what: &str) -> Failure {
        Failure::usage(format!(
            "`{}` {what}; name an experiment or the path of a TOML file",
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

    /// What the command line changes.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Failure> {
        let mut overrides = self.set.clone();
        if let Some(seeds) = self.seeds {
            let text = format!("seeds={seeds}");
            overrides.push(text.parse().map_err(|e| Failure::usage(format!("{e}")))?);
        }
        Ok(overrides)
    }

    /// Whether experiments are changed from the command line.
    pub(crate) fn has_overrides(&self) -> bool {
        !self.set.is_empty() || self.seeds.is_some()
    }

    /// Whether `spec` is a file of the experiments folder.
    pub(crate) fn is_among(&self, spec: &Spec) -> bool {
        let folder = spec.path.parent().map(Path::canonicalize);
        matches!(
            (folder, self.experiments.canonicalize()),
            (Some(Ok(folder)), Ok(experiments)) if folder == experiments
        )
    }
}

#[derive(Debug, Default)]
struct Suites {
    /// Files of the suite that was asked for.
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

/// A name has neither a separator nor an ending.
fn looks_like_path(name: &str) -> bool {
    name.contains(['/', '\\', '.'])
}

/// Two files of one name would share a results folder.
fn check_names(specs: &[Spec]) -> Result<(), Failure> {
    for (i, spec) in specs.iter().enumerate() {
        if let Some(other) = specs[..i].iter().find(|s| s.name == spec.name) {
            return Err(Failure::usage(format!(
                "`{}` and `{}` would share the results folder `{}`; run one at a time",
                other.path.display(),
                spec.path.display(),
                spec.name
            )));
        }
    }
    Ok(())
}
