//! What no type can say: ranges, names, and what one part of a spec asks of another.
//!
//! Errors carry a dotted key from the root of what is checked (array items by index); the caller
//! turns it into a place in the file.

use super::fault::{list, nearest};
use super::tree::brief;
use super::{Arm, Contrast, Probe, Published, Spec};
use ablate_models::ConfigError;
use ablate_models::block::BlockConfig;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::ModelConfig;
use std::collections::HashSet;
use std::hash::Hash;

/// Most seeds of a spec; keeps a mistyped count from filling the memory.
const MAX_SEEDS: u64 = 10_000;

/// Most arms of a spec. Every arm is a merged copy of the base, so without a bound a file could
/// ask for memory by the square of its size.
const MAX_ARMS: usize = 256;

/// An error at `key`, which `message` continues as a sentence.
pub(super) fn flaw<T>(key: &str, message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError {
        key: key.to_owned(),
        message: message.into(),
    })
}

/// The first item that an earlier one equals.
pub(super) fn first_repeat<T: Copy + Eq + Hash>(items: &[T]) -> Option<T> {
    let mut seen = HashSet::new();
    items.iter().copied().find(|&item| !seen.insert(item))
}

/// Whether `text` may name a spec, an arm or a contrast: `[a-z0-9-]+`.
pub(super) fn is_name(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(valid)
}

/// Seeds `0..count`.
pub(super) fn counted_seeds(count: u64) -> Result<Vec<u64>, ConfigError> {
    match count {
        0 => flaw("seeds", "must be at least 1"),
        1..=MAX_SEEDS => Ok((0..count).collect()),
        _ => flaw("seeds", format!("must be at most {MAX_SEEDS}, not {count}")),
    }
}

/// Seeds by name.
pub(super) fn listed_seeds(seeds: Vec<u64>) -> Result<Vec<u64>, ConfigError> {
    if seeds.is_empty() {
        return flaw("seeds", "is empty; give a count or at least one seed");
    }
    if let Some(seed) = first_repeat(&seeds) {
        return flaw("seeds", format!("has {seed} twice"));
    }
    if seeds.len() as u64 > MAX_SEEDS {
        return flaw("seeds", format!("has more than {MAX_SEEDS} entries"));
    }
    Ok(seeds)
}

/// Whether there are arms, and not too many.
pub(super) fn arm_count(count: usize) -> Result<(), ConfigError> {
    match count {
        0 => flaw("arms", "is empty; add at least one `[[arms]]`"),
        1..=MAX_ARMS => Ok(()),
        _ => flaw(
            "arms",
            format!("has {count} entries; {MAX_ARMS} are allowed"),
        ),
    }
}

/// Checks one arm's recipe; keys start at `data`, `model`, `train` or `probes`.
pub(super) fn recipe(arm: &Arm) -> Result<(), ConfigError> {
    arm.data.check().map_err(|error| under("data", error))?;
    arm.model.check().map_err(|error| under("model", error))?;
    arm.train.check().map_err(|error| under("train", error))?;
    learning_rates(arm)?;
    if let Some(probe) = first_repeat(&arm.probes) {
        return flaw("probes", format!("names `{}` twice", probe.name()));
    }
    Ok(())
}

fn learning_rates(arm: &Arm) -> Result<(), ConfigError> {
    const KEY: &str = "train.learning_rate";
    let rates = &arm.learning_rates;
    if rates.is_empty() {
        return flaw(KEY, "is empty; give at least one");
    }
    if let Some(rate) = rates.iter().find(|&&r| !(r > 0.0 && r.is_finite())) {
        return flaw(KEY, format!("must be positive and finite, not {rate}"));
    }
    let bits: Vec<u64> = rates.iter().map(|rate| rate.to_bits()).collect();
    if let Some(repeat) = first_repeat(&bits) {
        return flaw(KEY, format!("has {} twice", f64::from_bits(repeat)));
    }
    if rates.len() > 1 && arm.data.validation == 0.0 {
        return flaw(
            KEY,
            format!(
                "is a grid of {}, chosen on the validation split, but `data.validation` is 0",
                rates.len()
            ),
        );
    }
    Ok(())
}

/// Checks everything but the recipes.
pub(super) fn spec(spec: &Spec) -> Result<(), ConfigError> {
    texts(spec)?;
    if spec.claim.is_some() && spec.sentence.is_none() {
        return flaw("sentence", "is missing; a spec with a `claim` quotes it");
    }
    names(&spec.suites, |i| format!("suites.{i}"))?;
    let arms: Vec<_> = spec.arms.iter().map(|arm| &arm.name).collect();
    names(&arms, |i| format!("arms.{i}.name"))?;
    let contrasts: Vec<_> = spec.contrasts.iter().map(|c| &c.name).collect();
    names(&contrasts, |i| format!("contrasts.{i}.name"))?;
    for (i, contrast) in spec.contrasts.iter().enumerate() {
        self::contrast(contrast, &spec.arms)
            .map_err(|error| under(&format!("contrasts.{i}"), error))?;
    }
    for (i, published) in spec.published.iter().enumerate() {
        self::published(published, &spec.arms)
            .map_err(|error| under(&format!("published.{i}"), error))?;
    }
    Ok(())
}

fn texts(spec: &Spec) -> Result<(), ConfigError> {
    let top = [
        ("title", Some(&spec.title)),
        ("question", Some(&spec.question)),
        ("sentence", spec.sentence.as_ref()),
        ("reading", Some(&spec.reading)),
    ];
    let top = top
        .into_iter()
        .filter_map(|(key, text)| Some((key.to_owned(), text?)));
    let labels = (spec.arms.iter().enumerate()).map(|(i, a)| (format!("arms.{i}.label"), &a.label));
    let notes =
        (spec.contrasts.iter().enumerate()).map(|(i, c)| (format!("contrasts.{i}.note"), &c.note));
    let sources = (spec.published.iter().enumerate())
        .map(|(i, p)| (format!("published.{i}.source"), &p.source));
    for (key, text) in top.chain(labels).chain(notes).chain(sources) {
        if text.trim().is_empty() {
            return flaw(&key, "is empty");
        }
    }
    Ok(())
}

/// Proper names without repeats; `key` is where the `i`th stands.
fn names<S: AsRef<str>>(names: &[S], key: impl Fn(usize) -> String) -> Result<(), ConfigError> {
    let mut seen = HashSet::new();
    for (i, name) in names.iter().map(AsRef::as_ref).enumerate() {
        if !is_name(name) {
            let message = "must be lower-case letters, digits and `-`, not";
            return flaw(&key(i), format!("{message} `{}`", brief(name)));
        }
        if !seen.insert(name) {
            return flaw(&key(i), format!("repeats `{}`", brief(name)));
        }
    }
    Ok(())
}

fn contrast(contrast: &Contrast, arms: &[Arm]) -> Result<(), ConfigError> {
    let treatment = known_arm("treatment", &contrast.treatment, arms)?;
    let control = known_arm("control", &contrast.control, arms)?;
    if treatment.name == control.name {
        return flaw(
            "control",
            format!("is the treatment, `{}`; compare two arms", control.name),
        );
    }
    if same_recipe(treatment, control) {
        return flaw(
            "control",
            format!(
                "compares `{}` with `{}`, which are the same recipe",
                treatment.name, control.name
            ),
        );
    }
    if contrast.margin > 0.0 && contrast.margin.is_finite() {
        return Ok(());
    }
    flaw(
        "margin",
        format!("must be positive and finite, not {}", contrast.margin),
    )
}

fn same_recipe(a: &Arm, b: &Arm) -> bool {
    a.data == b.data
        && a.model == b.model
        && a.train == b.train
        && a.learning_rates == b.learning_rates
}

fn published(published: &Published, arms: &[Arm]) -> Result<(), ConfigError> {
    known_arm("arm", &published.arm, arms)?;
    if !published.value.is_finite() {
        return flaw("value", format!("must be finite, not {}", published.value));
    }
    if let Some(sd) = published.sd.filter(|sd| !(*sd >= 0.0 && sd.is_finite())) {
        return flaw("sd", format!("must be at least 0 and finite, not {sd}"));
    }
    if published.n == Some(0) {
        return flaw("n", "must be at least 1");
    }
    Ok(())
}

fn known_arm<'a>(key: &str, name: &str, arms: &'a [Arm]) -> Result<&'a Arm, ConfigError> {
    if let Some(arm) = arms.iter().find(|arm| arm.name == name) {
        return Ok(arm);
    }
    let names: Vec<_> = arms.iter().map(|arm| arm.name.as_str()).collect();
    let advice = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("arms are {}", list(&names)),
    };
    let name = brief(name);
    flaw(key, format!("names `{name}`, which is no arm; {advice}"))
}

/// A probe that measures something on none of the arms that ask for it: the first of those arms,
/// and what the probe lacks.
pub(super) fn idle_probe(arms: &[Arm]) -> Option<(usize, String)> {
    for (i, arm) in arms.iter().enumerate() {
        for &probe in &arm.probes {
            let asks = |arm: &&Arm| arm.probes.contains(&probe);
            if !arms.iter().filter(asks).any(|arm| applies(probe, arm)) {
                let lack = lack(probe);
                let message = format!("has `{}`, but {lack}", probe.name());
                return Some((i, message));
            }
        }
    }
    None
}

fn applies(probe: Probe, arm: &Arm) -> bool {
    let (block, blocks) = match &arm.model {
        ModelConfig::Mlp(config) => (&config.block, config.hidden.len()),
        ModelConfig::Cnn(config) => (&config.block, config.channels.len() + config.dense.len()),
    };
    match probe {
        Probe::TrainTestGap => true,
        Probe::Saturation | Probe::Homogeneity => blocks > 0,
        Probe::BiasGradient => blocks > 0 && block.has_bias(block.dropout.rate),
        Probe::BiasTwin => blocks > 0 && block.norm.is_some(),
        Probe::ScaleFold => blocks > 0 && has_scale(block),
    }
}

fn has_scale(block: &BlockConfig) -> bool {
    match &block.norm {
        NormConfig::None => false,
        NormConfig::Batch(config) => config.scale,
        NormConfig::Layer(config) => config.scale,
        NormConfig::Group(config) => config.scale,
    }
}

const fn lack(probe: Probe) -> &'static str {
    match probe {
        Probe::TrainTestGap | Probe::Saturation | Probe::Homogeneity => {
            "no arm that has it has a hidden block"
        }
        Probe::BiasGradient => "no arm that has it has a block with a bias",
        Probe::BiasTwin => "no arm that has it has a norm",
        Probe::ScaleFold => "no arm that has it has a norm with a scale",
    }
}

/// The same error below a parent key.
fn under(parent: &str, mut error: ConfigError) -> ConfigError {
    error.key = format!("{parent}.{}", error.key);
    error
}
