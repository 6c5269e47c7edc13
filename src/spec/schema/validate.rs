//! Checks across keys: names, counts, and references from one part of a spec to another.
//!
//! Errors carry a dotted key from the root of the checked value (array items by index). The caller
//! turns it into a location in the file.

use crate::recipe::{NetRecipe, Recipe};
use crate::spec::parse::checks::{first_repeat, flaw, is_identifier, is_name, known, under};
use crate::spec::parse::node::brief;
use crate::spec::schema::custom;
use crate::spec::schema::ranges;
use crate::spec::schema::when;
use crate::spec::{Arm, Contrast, ContrastKind, Designed, Metric, Published, Spec, When};
use ablate_models::ConfigError;
use ablate_models::norm::NormConfig;
use std::collections::HashSet;

/// Largest number of seeds. It keeps a mistyped count from filling the memory.
const MAX_SEEDS: u64 = 10_000;

/// Largest number of arms. Every arm is a merged copy of the base, so without a bound memory would
/// grow with the square of the file size.
const MAX_ARMS: usize = 256;

/// Seeds `0..count`.
pub(in crate::spec) fn counted_seeds(count: u64) -> Result<Vec<u64>, ConfigError> {
    match count {
        0 => flaw("seeds", "must be at least 1"),
        1..=MAX_SEEDS => Ok((0..count).collect()),
        _ => flaw("seeds", format!("must be at most {MAX_SEEDS}, not {count}")),
    }
}

/// Checks seeds that are listed.
pub(in crate::spec) fn listed_seeds(seeds: Vec<u64>) -> Result<Vec<u64>, ConfigError> {
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

/// Checks the number of arms.
pub(in crate::spec) fn arm_count(count: usize) -> Result<(), ConfigError> {
    match count {
        0 => flaw(
            "arms",
            "is empty; add at least one `[[arms]]` or `[[factors]]` table",
        ),
        1..=MAX_ARMS => Ok(()),
        _ => flaw(
            "arms",
            format!("has {count} entries; {MAX_ARMS} are allowed"),
        ),
    }
}

/// Checks the recipe of a net. Keys start at `data`, `model`, `train` or `probes`.
pub(in crate::spec) fn net(net: &NetRecipe, learning_rates: &[f64]) -> Result<(), ConfigError> {
    ranges::data(&net.data).map_err(|error| under("data", error))?;
    net.model.check().map_err(|error| under("model", error))?;
    ranges::train(&net.train).map_err(|error| under("train", error))?;
    custom::net(net)?;
    if let Some(fault) = &net.train.fault {
        ranges::planted_fault(fault, &net.data, &net.train, &net.model)?;
    }
    ghosts(net)?;
    rates_of_net(net, learning_rates)?;
    if let Some(probe) = first_repeat(&net.probes) {
        return flaw("probes", format!("names `{}` twice", probe.name()));
    }
    Ok(())
}

/// Checks that batches consist of whole ghost batches.
fn ghosts(net: &NetRecipe) -> Result<(), ConfigError> {
    let batch = net.train.batch_size;
    for block in net.model.blocks() {
        if let NormConfig::Batch(norm) = &block.norm
            && let Some(ghost) = norm.ghost
            && !batch.is_multiple_of(ghost)
        {
            let message = format!("is {ghost}, which does not divide `train.batch_size` = {batch}");
            return flaw("model.block.norm.ghost", message);
        }
    }
    Ok(())
}

fn rates_of_net(net: &NetRecipe, rates: &[f64]) -> Result<(), ConfigError> {
    const KEY: &str = "train.learning_rate";
    learning_rates(KEY, rates)?;
    if rates.len() > 1 && net.data.validation == 0.0 {
        return flaw(
            KEY,
            format!(
                "has {} rates to choose from on the validation split, but `data.validation` is 0; \
                 give one rate, or set `data.validation = 0.2`",
                rates.len()
            ),
        );
    }
    Ok(())
}

/// Checks the learning rates at `key`.
pub(in crate::spec) fn learning_rates(key: &str, rates: &[f64]) -> Result<(), ConfigError> {
    if rates.is_empty() {
        return flaw(key, "is empty; give at least one");
    }
    if let Some(rate) = rates.iter().find(|&&r| !(r > 0.0 && r.is_finite())) {
        return flaw(key, format!("must be positive and finite, not {rate}"));
    }
    let bits: Vec<u64> = rates.iter().map(|rate| rate.to_bits()).collect();
    if let Some(repeat) = first_repeat(&bits) {
        return flaw(key, format!("has {} twice", f64::from_bits(repeat)));
    }
    Ok(())
}

/// Checks everything except the recipes and the names of arms and contrasts.
pub(in crate::spec) fn spec(spec: &Spec) -> Result<(), ConfigError> {
    mistakes(spec, true).into_iter().next().map_or(Ok(()), Err)
}

/// All mistakes that [`spec`] looks for. Checks that need the arms are left out unless `arms_are_known`.
pub(in crate::spec) fn mistakes(spec: &Spec, arms_are_known: bool) -> Vec<ConfigError> {
    let mut checked = texts(spec);
    checked.push(designed(spec));
    checked.extend(claims(spec));
    checked.push(names(&spec.suites, |i| format!("suites.{i}")));
    if arms_are_known {
        checked.push(same_cells(&spec.arms));
        checked.push(one_unit(&spec.arms));
    }
    for (i, contrast) in spec.contrasts.iter().enumerate() {
        let checks = [
            match arms_are_known {
                true => self::contrast(contrast, &spec.arms),
                false => Ok(()),
            },
            margin(contrast.margin),
        ];
        let below = |error| under(&format!("contrasts.{i}"), error);
        checked.extend(checks.map(|check| check.map_err(below)));
    }
    if arms_are_known {
        checked.extend(spec.identities.iter().enumerate().map(|(i, identity)| {
            let checked = identity.check(&spec.arms);
            checked.map_err(|error| under(&format!("identities.{i}"), error))
        }));
        checked.extend(spec.published.iter().enumerate().map(|(i, published)| {
            self::published(published, &spec.arms)
                .map_err(|error| under(&format!("published.{i}"), error))
        }));
    }
    checked.into_iter().filter_map(Result::err).collect()
}

/// Checks the names of claims.
fn claims(spec: &Spec) -> Vec<Result<(), ConfigError>> {
    let bears_on =
        (spec.bears_on.iter().enumerate()).map(|(i, name)| (format!("bears_on.{i}"), name));
    let claim = spec.claim.iter().map(|name| ("claim".to_owned(), name));
    let own = (spec.contrasts.iter().enumerate())
        .filter_map(|(i, c)| Some((format!("contrasts.{i}.claim"), c.claim.as_ref()?)))
        .filter(|(_, name)| spec.claim.as_ref() != Some(*name));
    let mut checked = Vec::new();
    for (key, name) in claim.chain(bears_on).chain(own) {
        if !is_identifier(name) {
            let message = "must be letters, digits and `-`, as in `C1`, not";
            checked.push(flaw(&key, format!("{message} `{}`", brief(name))));
        }
    }
    if spec.claim.is_some() && spec.sentence.is_none() {
        let message = "is missing; a spec with a `claim` must quote its sentence";
        checked.push(flaw("sentence", message));
    }
    for (i, name) in spec.bears_on.iter().enumerate() {
        let tests = |c: &&Contrast| c.primary && c.claim.as_ref() == Some(name);
        let message = if spec.bears_on[..i].contains(name) {
            format!("repeats `{name}`")
        } else if spec.claim.as_ref() == Some(name) {
            "is the `claim` itself; remove it".to_owned()
        } else if let Some(contrast) = spec.contrasts.iter().find(tests) {
            format!("is tested by the contrast `{}`; remove it", contrast.name)
        } else {
            continue;
        };
        checked.push(flaw(&format!("bears_on.{i}"), message));
    }
    checked
}

/// The arms that are written out, in the order of the file.
pub(in crate::spec) fn written_out(arms: &[Arm]) -> impl Iterator<Item = &Arm> {
    arms.iter().filter(|arm| arm.levels.is_empty())
}

/// Checks the names of written-out arms. Names of combinations follow from their factors.
pub(in crate::spec) fn arm_names(arms: &[Arm]) -> Result<(), ConfigError> {
    let own: Vec<&String> = written_out(arms).map(|arm| &arm.name).collect();
    names(&own, |i| format!("arms.{i}.name"))?;
    let mut cells = arms.iter().filter(|arm| !arm.levels.is_empty());
    match cells.find_map(|cell| own.iter().position(|name| **name == cell.name)) {
        None => Ok(()),
        Some(i) => flaw(
            &format!("arms.{i}.name"),
            format!(
                "is also the name of a combination of the factors: `{}`; rename the arm",
                own[i]
            ),
        ),
    }
}

pub(in crate::spec) fn contrast_names<'a>(
    contrasts: impl Iterator<Item = &'a str>,
) -> Result<(), ConfigError> {
    names(&contrasts.collect::<Vec<_>>(), |i| {
        format!("contrasts.{i}.name")
    })
}

/// Checks that a reason stands exactly where a design was fixed after a trial.
fn designed(spec: &Spec) -> Result<(), ConfigError> {
    match (spec.designed, &spec.designed_reason) {
        (Some(Designed::AfterTrial), None) => flaw(
            "designed_reason",
            "is missing; say in a sentence what the trial changed",
        ),
        (None | Some(Designed::Before), Some(_)) => flaw(
            "designed_reason",
            "needs `designed = \"after_trial\"`; add that, or remove the reason",
        ),
        _ => Ok(()),
    }
}

/// Checks that no text is empty.
fn texts(spec: &Spec) -> Vec<Result<(), ConfigError>> {
    let top = [
        ("title", Some(&spec.title)),
        ("question", Some(&spec.question)),
        ("sentence", spec.sentence.as_ref()),
        ("reading", Some(&spec.reading)),
        ("designed_reason", spec.designed_reason.as_ref()),
    ];
    let top = top
        .into_iter()
        .filter_map(|(key, text)| Some((key.to_owned(), text?)));
    let labels =
        (written_out(&spec.arms).enumerate()).map(|(i, a)| (format!("arms.{i}.label"), &a.label));
    let notes = (spec.contrasts.iter().enumerate())
        .filter(|(_, c)| spec.program.is_none() || !c.note.is_empty())
        .map(|(i, c)| (format!("contrasts.{i}.note"), &c.note));
    let sources = (spec.published.iter().enumerate())
        .map(|(i, p)| (format!("published.{i}.source"), &p.source));
    let identities = spec.identities.iter().enumerate();
    let identities = identities.flat_map(|(i, identity)| {
        let texts = [("statement", &identity.statement), ("note", &identity.note)];
        texts.map(|(key, text)| (format!("identities.{i}.{key}"), text))
    });
    let places = (spec.published.iter().enumerate())
        .filter_map(|(i, p)| Some((format!("published.{i}.place"), p.place.as_ref()?)));
    top.chain(labels)
        .chain(notes)
        .chain(identities)
        .chain(sources)
        .chain(places)
        .filter(|(_, text)| text.trim().is_empty())
        .map(|(key, _)| flaw(&key, "is empty"))
        .collect()
}

/// Checks that names are valid and distinct; `key` gives the key of the `i`th.
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
    if let Some((plus, minus)) = compares_nothing(contrast, arms) {
        let key = match contrast.comparison {
            ContrastKind::Sum => "weights",
            ContrastKind::Arms { .. } | ContrastKind::Effect { .. } => "control",
        };
        return flaw(
            key,
            format!("compares `{plus}` with `{minus}`, which are the same recipe"),
        );
    }
    let matched = match contrast.when {
        When::EqualAccuracy => Some(("equal_accuracy", Metric::TestAccuracy)),
        When::EqualNll => Some(("equal_nll", Metric::TestNll)),
        When::Last | When::Epoch(_) | When::Step(_) => None,
    };
    let same = matched
        .as_ref()
        .filter(|(_, metric)| *metric == contrast.metric);
    if let Some((name, metric)) = same {
        let metric = metric.name();
        let message = format!(
            "is `{name}`, which makes arms about equal in `{metric}`, too; compare something else"
        );
        return flaw("when", message);
    }
    if let (Some((name, _)), Metric::Program(_)) = (matched, &contrast.metric) {
        let message = format!("is `{name}`, which needs the test scores of nets; use `last`");
        return flaw("when", message);
    }
    if contrast.stratum.is_some() && contrast.claim.is_none() {
        return flaw("stratum", "needs a `claim`, whose stratum it names");
    }
    for (arm, _) in contrast.arms(arms) {
        when::scored(contrast.when, arm)?;
        if let Metric::Probe(measure) = &contrast.metric {
            measure.check(arm)?;
        }
    }
    if !matches!(contrast.when, When::Last) && !contrast.metric.at_every_epoch() {
        let message = format!(
            "is an evaluation before the end, but `{}` is measured only after the last epoch",
            contrast.metric.name()
        );
        return flaw("when", message);
    }
    Ok(())
}

/// Checks the margin of a contrast. The key is relative to its table.
pub(in crate::spec) fn margin(margin: f64) -> Result<(), ConfigError> {
    if margin > 0.0 && margin.is_finite() {
        return Ok(());
    }
    flaw(
        "margin",
        format!("must be positive and finite, not {margin}"),
    )
}

/// Two arms with the same recipe in a contrast whose weights sum to 0 for every recipe, so that it is
/// always 0.
fn compares_nothing<'a>(contrast: &'a Contrast, arms: &'a [Arm]) -> Option<(&'a str, &'a str)> {
    let terms: Vec<(&Arm, f64)> = contrast.arms(arms).collect();
    let rest = |arm: &Arm| -> f64 {
        let same = terms.iter().filter(|(other, _)| same_recipe(arm, other));
        same.map(|(_, weight)| weight).sum()
    };
    if terms.iter().any(|(arm, _)| rest(arm).abs() > 1e-9) {
        return None;
    }
    let plus = terms.iter().find(|(_, weight)| *weight > 0.0)?.0;
    let minus = (terms.iter()).find(|(arm, weight)| *weight < 0.0 && same_recipe(plus, arm))?;
    Some((&plus.name, &minus.0.name))
}

/// Checks that no two combinations of the factors are the same recipe.
fn same_cells(arms: &[Arm]) -> Result<(), ConfigError> {
    let cells: Vec<&Arm> = arms.iter().filter(|arm| !arm.levels.is_empty()).collect();
    for (i, arm) in cells.iter().enumerate() {
        if let Some(other) = cells[..i].iter().find(|other| same_recipe(arm, other)) {
            return flaw(
                "factors",
                format!(
                    "give `{}` and `{}` the same recipe; change a level, or remove one of them with `exclude`",
                    other.name, arm.name
                ),
            );
        }
    }
    Ok(())
}

/// Checks that all arms have lengths in one unit, because figures have one time axis.
fn one_unit(arms: &[Arm]) -> Result<(), ConfigError> {
    let nets = || {
        arms.iter()
            .filter_map(|arm| Some((&arm.name, arm.net()?.train.length)))
    };
    let Some((first, length)) = nets().next() else {
        return Ok(());
    };
    match nets().find(|(_, other)| !other.is_in_the_unit_of(length)) {
        None => Ok(()),
        Some((name, other)) => flaw(
            "arms",
            format!(
                "count their training in {}s (`{first}`) and in {}s (`{name}`); use one unit",
                length.unit(),
                other.unit(),
            ),
        ),
    }
}

fn same_recipe(a: &Arm, b: &Arm) -> bool {
    let same = match (&a.recipe, &b.recipe) {
        (Recipe::Net(a), Recipe::Net(b)) => {
            a.data == b.data && a.model == b.model && a.train == b.train
        }
        (a, b) => a == b,
    };
    same && a.learning_rates == b.learning_rates
}

fn published(published: &Published, arms: &[Arm]) -> Result<(), ConfigError> {
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    known("arm", &published.arm, &names, "arm")?;
    if !published.value.is_finite() {
        return flaw("value", format!("must be finite, not {}", published.value));
    }
    if let Some(sd) = published.sd.filter(|sd| !(*sd >= 0.0 && sd.is_finite())) {
        return flaw("sd", format!("must be at least 0 and finite, not {sd}"));
    }
    if published.n == Some(0) {
        return flaw("n", "must be at least 1");
    }
    if matches!(published.when, When::EqualAccuracy | When::EqualNll) {
        return flaw("when", "must be `last`, an epoch or a step");
    }
    match arms.iter().find(|arm| arm.name == published.arm) {
        Some(arm) => when::scored(published.when, arm),
        None => Ok(()),
    }
}
