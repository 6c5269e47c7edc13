//! Checks before a run, so that mistakes are reported before anything is trained.

use super::exit::{Code, Failure};
use crate::data::{self, SplitSizes};
use crate::recipe::{DataConfig, NetRecipe};
use crate::spec::Spec;
use crate::trainer::Job;
use ablate_models::zoo::{ModelConfig, Sizes};
use std::slice;

/// Largest number of parameters of a model: 256 MiB in single precision.
const MAX_PARAMETERS: usize = 1 << 26;

/// Largest number of units of a layer or channels of a stage.
const MAX_WIDTH: usize = 1 << 20;

/// Largest number of layers, and largest kernel size.
const MAX_DEPTH: usize = 100;

/// Checks that every arm has a valid model for its data and at least one batch to train on. It uses
/// the published sizes of the data sets, so the files need not be available.
///
/// # Errors
/// One message per distinct problem, with the arms that have it.
pub(crate) fn check_arms(spec: &Spec) -> Result<(), Failure> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    // Data that cannot be read are no mistake of the file, unless it has others.
    let mut code = Code::Unavailable;
    for arm in &spec.arms {
        let Some(Err(failure)) = arm.net().map(check_net) else {
            continue;
        };
        if failure.code() == Code::Usage {
            code = Code::Usage;
        }
        let why = failure.into_messages().join("; ");
        let name = format!("`{}`", arm.name);
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, arms)) => arms.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    let messages: Vec<String> = (reasons.into_iter())
        .map(|(why, arms)| {
            let s = if arms.len() == 1 { "" } else { "s" };
            format!("{}: arm{s} {}: {why}", spec.path.display(), arms.join(", "))
        })
        .collect();
    match messages.is_empty() {
        true => Ok(()),
        false => Err(Failure::several(code, messages)),
    }
}

fn check_net(net: &NetRecipe) -> Result<(), Failure> {
    let entry = data::entry_of(&net.data);
    let sizes = SplitSizes::of_published(&net.data)?;
    if net.train.batch_size > sizes.train {
        return Err(Failure::usage(format!(
            "`train.batch_size` is {}, but there are only {} training examples",
            net.train.batch_size, sizes.train
        )));
    }
    check_size(&net.model).map_err(Failure::usage)?;
    let input = entry.image_shape();
    let [height, width, _] = input;
    if net.data.augment.shift >= height.min(width) {
        return Err(Failure::usage(format!(
            "`data.augment.shift` is {}, but images are only {width}x{height} pixels",
            net.data.augment.shift
        )));
    }
    let cost = (net.model.cost(input, entry.classes()))
        .map_err(|e| Failure::usage(format!("`model.{}` {}", e.key, e.message)))?;
    match cost.parameters <= MAX_PARAMETERS {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "`model` has {} parameters; the largest allowed number is {MAX_PARAMETERS}",
            cost.parameters
        ))),
    }
}

/// Bounds the numbers that model sizes are computed from, so that the computation cannot overflow.
fn check_size(model: &ModelConfig) -> Result<(), String> {
    for (key, sizes) in model.sizes() {
        let (values, most) = match &sizes {
            Sizes::Widths(widths) => (*widths, MAX_WIDTH),
            Sizes::Number(number) => (slice::from_ref(number), MAX_DEPTH),
        };
        if let Some(value) = values.iter().find(|value| **value > most) {
            return Err(format!(
                "`model.{key}` is {value}; it must be at most {most}"
            ));
        }
        if values.len() > MAX_DEPTH {
            let found = values.len();
            return Err(format!(
                "`model.{key}` has {found} layers; it must have at most {MAX_DEPTH}"
            ));
        }
    }
    Ok(())
}

/// Loads the data set of every job.
///
/// # Errors
/// If a data set is missing or damaged, or has another content than its spec asks for.
pub(crate) fn load_data<'j>(jobs: impl Iterator<Item = &'j Job>) -> Result<(), Failure> {
    let mut seen: Vec<&DataConfig> = Vec::new();
    for job in jobs.filter_map(Job::net) {
        if !seen.contains(&job.data) {
            seen.push(job.data);
            data::load(job.data)?;
        }
    }
    Ok(())
}
