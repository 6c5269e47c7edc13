//! Ranges of the numbers of a recipe, and settings that exclude each other.
//!
//! They are apart from the types in [`crate::recipe`], so that a reworded message does not make
//! records stale.

use crate::recipe::{
    DataConfig, Evaluate, Length, Optimizer, PlantedFault, Repair, Schedule, TrainConfig, Trained,
};
use crate::spec::parse::checks::{first_repeat, flaw};
use ablate_models::ConfigError;
use ablate_models::zoo::ModelConfig;

/// Checks the `data` table.
///
/// # Errors
/// If a number is out of its range. The key is relative to the table.
pub(in crate::spec) fn data(config: &DataConfig) -> Result<(), ConfigError> {
    below_one("validation", config.validation)?;
    below_one("label_noise", config.label_noise)?;
    if config.folds < 2 {
        return flaw("folds", format!("must be at least 2, not {}", config.folds));
    }
    if config.subset == Some(0) {
        return flaw("subset", "must be at least 1; omit it to use all examples");
    }
    Ok(())
}

/// Checks the `train` table, except for a planted fault, which needs the model ([`planted_fault`]).
///
/// # Errors
/// If a number is out of its range, or two settings contradict each other. The key is relative to
/// the table.
pub(in crate::spec) fn train(config: &TrainConfig) -> Result<(), ConfigError> {
    let length = match config.length {
        Length::Epochs(_) => "epochs",
        Length::Steps(_) => "steps",
    };
    for (key, count) in [
        (length, config.length.count()),
        ("batch_size", config.batch_size),
    ] {
        if count == 0 {
            return flaw(key, "must be at least 1");
        }
    }
    evaluate(config)?;
    positive("loss_scale", config.loss_scale)?;
    only(config)?;
    not_negative("weight_decay", config.weight_decay)?;
    if let Some(max_norm) = config.max_norm {
        positive("max_norm", max_norm)?;
    }
    if let Some(group) = first_repeat(&config.decay_on) {
        return flaw("decay_on", format!("names `{}` twice", group.name()));
    }
    if config.weight_decay > 0.0 && config.decay_on.is_empty() {
        return flaw("decay_on", "is empty, but `weight_decay` is above 0");
    }
    optimizer(&config.optimizer)?;
    schedule(&config.schedule)
}

fn evaluate(config: &TrainConfig) -> Result<(), ConfigError> {
    let (end, unit) = (config.length.count(), config.length.unit());
    match &config.evaluate {
        Evaluate::Usual => Ok(()),
        Evaluate::Every(k) if (1..=end).contains(k) => Ok(()),
        Evaluate::Every(k) => flaw(
            "evaluate_every",
            format!("must be from 1 to {end}, the {unit}s of the run, not {k}"),
        ),
        Evaluate::At(times) => {
            let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
            let inside = times.iter().all(|time| (1..=end).contains(time));
            if ascending && inside && !times.is_empty() {
                return Ok(());
            }
            flaw(
                "evaluate_at",
                format!("must be ascending {unit}s from 1 to {end}, the end of the run"),
            )
        }
    }
}

fn only(config: &TrainConfig) -> Result<(), ConfigError> {
    let Some(only) = &config.only else {
        return Ok(());
    };
    if only.is_empty() {
        return flaw("only", "is empty; omit it to train all parameters");
    }
    if let Some(part) = first_repeat(only) {
        return flaw("only", format!("names `{}` twice", part.name()));
    }
    if !only.contains(&Trained::RandomWeights) {
        return Ok(());
    }
    if only.len() > 1 {
        return flaw(
            "only",
            "combines `random_weights` with other groups; it must be the only entry",
        );
    }
    match config.weight_decay > 0.0 {
        true => flaw(
            "weight_decay",
            "must be 0 with `only = [\"random_weights\"]`, because it would move the frozen weights",
        ),
        false => Ok(()),
    }
}

fn optimizer(optimizer: &Optimizer) -> Result<(), ConfigError> {
    match optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            below_one("optimizer.momentum", *momentum)?;
            if *nesterov && *momentum == 0.0 {
                return flaw("optimizer.nesterov", "needs a `momentum` above 0");
            }
            Ok(())
        }
        Optimizer::Adam(moments) | Optimizer::Adamw(moments) => {
            below_one("optimizer.beta1", moments.beta1)?;
            below_one("optimizer.beta2", moments.beta2)?;
            positive("optimizer.epsilon", moments.epsilon)
        }
        Optimizer::RmsProp(config) => {
            below_one("optimizer.decay", config.decay)?;
            below_one("optimizer.momentum", config.momentum)?;
            positive("optimizer.epsilon", config.epsilon)
        }
    }
}

fn schedule(schedule: &Schedule) -> Result<(), ConfigError> {
    match *schedule {
        Schedule::Constant => Ok(()),
        Schedule::Step { every: 0, .. } => flaw("schedule.every", "must be at least 1"),
        Schedule::Step { factor, .. } | Schedule::Exponential { factor } => {
            if factor > 0.0 && factor <= 1.0 {
                return Ok(());
            }
            let message = format!("must be above 0 and at most 1, not {factor}");
            flaw("schedule.factor", message)
        }
        Schedule::Decay { to, tau } => {
            not_negative("schedule.to", to)?;
            positive("schedule.tau", tau)
        }
        Schedule::Cosine { floor } => {
            if (0.0..=1.0).contains(&floor) {
                return Ok(());
            }
            let message = format!("must be at least 0 and at most 1, not {floor}");
            flaw("schedule.floor", message)
        }
    }
}

/// Checks that `fault` lies inside the training and the net.
///
/// # Errors
/// If it does not. The key is relative to the recipe.
pub(in crate::spec) fn planted_fault(
    fault: &PlantedFault,
    data: &DataConfig,
    train: &TrainConfig,
    model: &ModelConfig,
) -> Result<(), ConfigError> {
    let (end, unit) = (train.length.count(), train.length.unit());
    if !(1..end).contains(&fault.after) {
        let message = format!("must be at least 1 and below the {end} {unit}s of the run");
        return flaw("train.fault.after", message);
    }
    let widths = model.dense_widths();
    let Some(&width) = widths.get(fault.layer) else {
        let message = format!("must be below {}, the number of dense blocks", widths.len());
        return flaw("train.fault.layer", message);
    };
    if !(1..=width).contains(&fault.units) {
        let message = format!("must be from 1 to {width}, the units of the block");
        return flaw("train.fault.units", message);
    }
    let Some(nll) = fault.at_nll else {
        return Ok(());
    };
    positive("train.fault.at_nll", nll)?;
    if data.validation == 0.0 {
        let message = "needs validation scores; set `data.validation` above 0";
        return flaw("train.fault.at_nll", message.to_owned());
    }
    if fault.repair != Repair::All {
        // The cells of a job get their faults at different steps, but share the frozen layers.
        let message = "needs `repair = \"all\"`";
        return flaw("train.fault.at_nll", message.to_owned());
    }
    Ok(())
}

fn below_one(key: &str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    flaw(key, format!("must be at least 0 and below 1, not {value}"))
}

fn positive(key: &str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    flaw(key, format!("must be positive and finite, not {value}"))
}

fn not_negative(key: &str, value: f64) -> Result<(), ConfigError> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    flaw(key, format!("must be at least 0 and finite, not {value}"))
}
