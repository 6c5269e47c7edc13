//! The recipe of one net from the command line: a preset, an arm of an experiment, or a TOML file.

use super::exit::Failure;
use super::{preflight, root};
use crate::data;
use crate::plan::Plan;
use crate::provenance;
use crate::recipe::DataName;
use crate::spec::{self, Override, Spec};
use crate::trainer::Job;
use ablate_models::zoo::{ModelConfig, PRESETS, Preset, preset};
use clap::Args;
use std::path::{Path, PathBuf};

/// The arguments that choose a recipe.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecipeArgs {
    /// A preset (`ablate models list`), the name of an
    /// experiment, or a TOML file with an experiment or with
    /// the tables `[data]`, `[model]` and `[train]` alone
    #[arg(value_name = "NAME|FILE", verbatim_doc_comment)]
    name: String,
    /// Arm of the experiment [default: its only arm]
    #[arg(long, value_name = "NAME")]
    arm: Option<String>,
    /// Data set of a preset; see `ablate data list`
    /// [default: the first with images of its size]
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    data: Option<String>,
    /// Change a key, such as `train.epochs=3` (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Folder of the experiments
    #[arg(long, value_name = "DIR", default_value_os_t = root::experiments())]
    experiments: PathBuf,
}

/// One net to train: a spec with a single arm and a single learning rate.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) spec: Spec,
    /// Name for its files: that of the preset, or of the experiment and the arm.
    pub(crate) name: String,
}

impl RecipeArgs {
    /// Reads the recipe.
    ///
    /// # Errors
    /// If there is none of this name, it is not valid, or it does not train one net of the zoo at one
    /// learning rate.
    pub(crate) fn choose(&self) -> Result<Chosen, Failure> {
        let (mut spec, name) = match preset(&self.name) {
            Some(preset) => (self.of_preset(preset)?, preset.name.to_owned()),
            None => self.of_file()?,
        };
        preflight::check_arms(&spec)?;
        let arm = &mut spec.arms[0];
        let rates = arm.learning_rates.len();
        let Some(net) = arm.net_mut() else {
            return Err(Failure::usage(format!(
                "`{}` runs a program; `ablate train` trains nets of the zoo",
                self.name
            )));
        };
        if let ModelConfig::Custom(model) = &net.model {
            return Err(Failure::usage(format!(
                "the model of `{}` is of the kind `{}`; `ablate train` trains nets of the zoo",
                self.name,
                model.kind()
            )));
        }
        if net.train.fault.is_some() {
            return Err(Failure::usage(
                "`train.fault` damages the net on purpose; remove it, or use `ablate run`",
            ));
        }
        if rates != 1 {
            return Err(Failure::usage(format!(
                "`{}` has {rates} learning rates; choose one with `--set train.learning_rate=RATE`",
                self.name
            )));
        }
        // Probes measure for an experiment and change no weight.
        net.probes.clear();
        Ok(Chosen { spec, name })
    }

    fn of_preset(&self, preset: &Preset) -> Result<Spec, Failure> {
        if let Some(arm) = &self.arm {
            return Err(Failure::usage(format!(
                "`{}` is a preset, which has no arm `{arm}`; leave out `--arm`",
                preset.name
            )));
        }
        let text = default_recipe(preset, self.data.as_deref())?;
        let path = Path::new(preset.name);
        Ok(Spec::parse_recipe(preset.name, path, &text, &self.set)?)
    }

    fn of_file(&self) -> Result<(Spec, String), Failure> {
        if self.data.is_some() {
            let message = "`--data` belongs to a preset; use `--set data.name=NAME`";
            return Err(Failure::usage(message));
        }
        let path = spec::find(&self.name, &self.experiments).map_err(|error| {
            let presets: Vec<String> = PRESETS.iter().map(|p| format!("`{}`", p.name)).collect();
            Failure::usage(format!("{error}; presets are {}", presets.join(", ")))
        })?;
        let mut spec = Spec::load_recipe(&path, &self.set)?;
        let names: Vec<String> = (spec.arms.iter())
            .map(|arm| format!("`{}`", arm.name))
            .collect();
        let wanted = self.arm.as_ref();
        spec.arms
            .retain(|arm| wanted.is_none_or(|name| arm.name == *name));
        let name = match (spec.arms.as_slice(), wanted) {
            ([arm], None) if arm.name == "net" => spec.name.clone(),
            ([arm], _) => format!("{}-{}", spec.name, arm.name),
            (_, wanted) => {
                let message = match wanted {
                    Some(name) => format!("there is no arm `{name}`; choose one of"),
                    None => "choose an arm with `--arm NAME`:".to_owned(),
                };
                let (path, names) = (path.display(), names.join(", "));
                return Err(Failure::usage(format!("{path}: {message} {names}")));
            }
        };
        Ok((spec, name))
    }
}

/// Presets with a recipe of their own: name, epochs, and keys of `[data]`.
const RECIPES: &[(&str, usize, &str)] =
    &[("lenet5-mnist", 8, "validation = 0.0\naugment.shift = 2\n")];

/// The recipe of a preset unless `--set` changes it.
///
/// # Errors
/// If no data set is given and none has images of the preset's size.
fn default_recipe(preset: &Preset, data: Option<&str>) -> Result<String, Failure> {
    let usual = DataName::BUILT_IN.into_iter().find(|&name| {
        let entry = data::entry(name);
        (entry.image_shape(), entry.classes()) == (preset.input, preset.classes)
    });
    let name = preset.name;
    let Some(data) = data.or_else(|| usual.map(DataName::key)) else {
        let [h, w, c] = preset.input;
        return Err(Failure::usage(format!(
            "`{name}` is for images of {h}x{w}x{c}; choose a data set with `--data NAME` (`ablate data list`)"
        )));
    };
    let own = RECIPES.iter().find(|(of, ..)| *of == name);
    let (epochs, keys) = match (own, usual) {
        (Some((_, epochs, keys)), _) => (*epochs, *keys),
        (None, Some(DataName::Digits)) => (40, ""),
        (None, _) => (10, ""),
    };
    let data = toml::Value::from(data);
    Ok(format!(
        "[data]\nname = {data}\n{keys}\n[model]\npreset = \"{name}\"\n\n[train]\nepochs = {epochs}\nbatch_size = 64\n\
         learning_rate = 0.003\nschedule = {{ kind = \"cosine\" }}\n"
    ))
}

impl Chosen {
    /// Name for the files of the net: `given`, or its own.
    ///
    /// # Errors
    /// If it is not a name of lower-case letters, digits and `-`.
    pub(crate) fn file_name(&self, given: Option<&String>) -> Result<String, Failure> {
        let name = given.unwrap_or(&self.name);
        let is_sound = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        match !name.is_empty() && name.chars().all(is_sound) {
            true => Ok(name.clone()),
            false => Err(Failure::usage(format!(
                "`{name}` is not a name of lower-case letters, digits and `-`; give one with `--name`"
            ))),
        }
    }

    /// The job that trains `seeds` of it on `device` as one stacked model.
    ///
    /// # Errors
    /// If there is nothing to train.
    pub(crate) fn job(&self, device: &str, seeds: Vec<u64>) -> Result<Job, Failure> {
        let spec = Spec {
            seeds,
            ..self.spec.clone()
        };
        let replicas = spec.seeds.len();
        let plan = Plan::new(&spec, device, replicas, provenance::fingerprint(device));
        let mut jobs = plan.jobs(|_| true).into_iter();
        let mut job = jobs
            .next()
            .ok_or_else(|| Failure::internal("a plan without jobs"))?;
        jobs.for_each(|more| job.cells.extend(more.cells));
        Ok(job)
    }
}
