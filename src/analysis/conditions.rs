//! The conditions of an experiment (nets, data, training) in words.

use crate::data::tests_on_folds;
use crate::recipe::NetRecipe;
use crate::spec::{Arm, Spec};
use crate::text::counted;
use ablate_models::zoo::ModelConfig;
use serde::Serialize;

/// Largest number of different nets that are listed.
const MAX_SHAPES: usize = 3;

/// Nets, data, training length, batch size and optimizer of `spec` in one line.
///
/// What differs between arms is given as "by arm".
pub(super) fn conditions(spec: &Spec) -> String {
    let arms: Vec<&Arm> = spec.arms.iter().collect();
    if let Some(program) = program(spec, &arms) {
        return program;
    }
    let data = shared(&arms, |net| {
        let subset = net.data.subset.map_or("training part".to_owned(), |n| {
            format!("{n} training examples")
        });
        let validation = if net.data.validation > 0.0 {
            format!(
                " with {} % held out for validation",
                100.0 * net.data.validation
            )
        } else {
            " without a validation split".to_owned()
        };
        let folds = match tests_on_folds(&net.data) {
            false => String::new(),
            true => format!("tested on one of {} folds per seed, ", net.data.folds),
        };
        format!(
            "data `{}`: {folds}{subset}{validation}",
            tag(&net.data.name)
        )
    });
    let length = shared(&arms, |net| {
        counted(net.train.length.count(), net.train.length.unit())
    });
    let batch = shared(&arms, |net| format!("batches of {}", net.train.batch_size));
    let optimizer = shared(&arms, |net| {
        format!("optimizer `{}`", tag(&net.train.optimizer))
    });
    let parts: Vec<String> = [
        (net_words(&arms), "nets"),
        (data, "data"),
        (length, "length of training"),
        (batch, "batch size"),
        (optimizer, "optimizer"),
    ]
    .into_iter()
    .map(|(text, what)| text.unwrap_or_else(|| format!("{what} by arm")))
    .collect();
    parts.join("; ")
}

/// Nets and data in a few words: "dense net 128-128 on `digits`".
pub(super) fn net_on_data(spec: &Spec) -> String {
    let arms: Vec<&Arm> = spec.arms.iter().collect();
    if let Some(program) = program(spec, &arms) {
        return program;
    }
    let nets = net_words(&arms).unwrap_or_else(|| "nets of several sizes".to_owned());
    let data = shared(&arms, |net| format!("`{}`", tag(&net.data.name)));
    let data = data.unwrap_or_else(|| "several data sets".to_owned());
    format!("{nets} on {data}")
}

/// The shapes of the nets; `None` for more than [`MAX_SHAPES`].
pub(super) fn net_words(arms: &[&Arm]) -> Option<String> {
    let mut shapes: Vec<String> = Vec::new();
    for net in arms.iter().filter_map(|arm| arm.net()) {
        let shape = shape(&net.model);
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    (1..=MAX_SHAPES)
        .contains(&shapes.len())
        .then(|| shapes.join(" and "))
}

fn shape(model: &ModelConfig) -> String {
    let sizes = |sizes: &[usize]| {
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        sizes.join("-")
    };
    if let ModelConfig::Resnet(config) = model {
        return format!("residual net {}", sizes(&config.channels));
    }
    if !model.has_blocks() {
        return format!("net of kind `{}`", model.kind());
    }
    match (model.conv_widths(), model.dense_widths()) {
        ([], []) => "linear classifier".to_owned(),
        ([], [width, rest @ ..]) if rest.len() >= 5 && rest.iter().all(|w| w == width) => {
            format!("dense net of {} layers of {width}", 1 + rest.len())
        }
        ([], dense) => format!("dense net {}", sizes(dense)),
        (convs, []) => format!("convolutional net {}", sizes(convs)),
        (convs, dense) => format!(
            "convolutional net {} with dense {}",
            sizes(convs),
            sizes(dense)
        ),
    }
}

/// The command of the programs, as far as it is the same for all arms, or the file of given scores; `None`
/// for nets.
pub(super) fn program(spec: &Spec, arms: &[&Arm]) -> Option<String> {
    if let Some(scores) = spec.program.as_ref()?.scores.as_ref() {
        return Some(format!("scores from `{}`", scores.file));
    }
    let mut commands = (arms.iter()).filter_map(|arm| Some(&arm.recipe.program()?.command));
    let mut shared = commands.next()?.as_slice();
    for command in commands {
        let same = shared
            .iter()
            .zip(command)
            .take_while(|(a, b)| a == b)
            .count();
        shared = &shared[..same];
    }
    Some(match shared {
        [] => "programs by arm".to_owned(),
        words => format!("program `{}`", words.join(" ")),
    })
}

/// What `describe` gives for every net; `None` if the nets differ.
pub(super) fn shared(arms: &[&Arm], describe: impl Fn(&NetRecipe) -> String) -> Option<String> {
    let mut all = arms.iter().filter_map(|arm| arm.net()).map(describe);
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// The name of an enum variant in a spec.
fn tag(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(map)) => map
            .get("kind")
            .and_then(|k| k.as_str())
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;
    use crate::recipe::DataName;

    #[test]
    fn net_on_data_names_what_arms_share() {
        let mut spec = fixture::spec(2, 1, 1);
        assert_eq!(net_on_data(&spec), "dense net 32 on `mnist`");
        for arm in &mut spec.arms {
            if let ModelConfig::Mlp(config) = &mut arm.net_mut().unwrap().model {
                config.hidden = vec![64; 10];
            }
        }
        assert_eq!(
            net_on_data(&spec),
            "dense net of 10 layers of 64 on `mnist`"
        );
        spec.arms[0].net_mut().unwrap().data.name = DataName::Digits;
        assert_eq!(
            net_on_data(&spec),
            "dense net of 10 layers of 64 on several data sets"
        );
    }
}
