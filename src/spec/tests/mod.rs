//! Reading whole specs, and the examples of the README.

mod extends;
mod factors;
mod fuzz;
mod limits;
mod mistakes;
mod program;
mod registry;

use super::*;
use crate::recipe::{
    DataName, Length, Optimizer, ParameterGroup, Probe, Recipe, Schedule, Trained,
};
use ablate_models::block::Bias;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::ModelConfig;
use std::path::Path;

const BASE: &str = r#"title = "T"
question = "Q?"
claim = "C6"
sentence = "S."
reading = "R."
suites = ["standard"]
seeds = 4
probes = ["train_test_gap"]

[data]
name = "digits"
validation = 0.25

[model]
kind = "mlp"
hidden = [16, 8]

[model.block]
activation = "tanh"

[model.block.norm]
kind = "batch"
momentum = 0.2

[train]
epochs = 5
batch_size = 32
learning_rate = [0.001, 0.01]

[train.optimizer]
kind = "sgd"
momentum = 0.9

[train.schedule]
kind = "cosine"
floor = 0.1

[[arms]]
name = "bias"
label = "with bias"
set.model.block.bias = "on"

[[arms]]
name = "no-bias"

[arms.set.model.block]
bias = "off"

[[contrasts]]
name = "no-bias-vs-bias"
treatment = "no-bias"
control = "bias"
metric = "test_accuracy"
expect = "equivalent"
margin = 0.5
note = "N."

[[published]]
arm = "bias"
metric = "test_accuracy"
source = "Somebody (2015)"
place = "table 1"
value = 98.5
sd = 0.1
n = 5
"#;

const FILE: &str = "experiments/x.toml";

fn parse(text: &str) -> Result<Spec, SpecError> {
    Spec::parse("x", Path::new(FILE), text, &[])
}

fn parse_with(text: &str, sets: &[&str]) -> Result<Spec, SpecError> {
    let sets: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    Spec::parse("x", Path::new(FILE), text, &sets)
}

fn block(arm: &Arm) -> &ablate_models::block::BlockConfig {
    arm.net().unwrap().model.block().unwrap()
}

#[test]
fn valid_file_becomes_its_spec() {
    let spec = parse(BASE).unwrap();
    assert_eq!(spec.name, "x");
    assert_eq!(spec.claim.as_deref(), Some("C6"));
    assert_eq!(spec.seeds, [0, 1, 2, 3]);
    let [bias, no_bias] = &spec.arms[..] else {
        panic!("{} arms", spec.arms.len());
    };
    assert_eq!(
        (bias.label.as_str(), no_bias.label.as_str()),
        ("with bias", "no-bias")
    );
    assert_eq!(
        (block(bias).bias, block(no_bias).bias),
        (Bias::On, Bias::Off)
    );
    for arm in [bias, no_bias] {
        assert_eq!(arm.net().unwrap().data.name, DataName::Digits);
        let data = &arm.net().unwrap().data;
        assert_eq!((data.validation, data.folds), (0.25, 5));
        assert_eq!(arm.learning_rates, [0.001, 0.01]);
        assert_eq!(arm.net().unwrap().probes, [Probe::TrainTestGap]);
        assert_eq!(arm.net().unwrap().train.decay_on, [ParameterGroup::Weight]);
        assert_eq!(
            arm.net().unwrap().train.schedule,
            Schedule::Cosine { floor: 0.1 }
        );
        let sgd = Optimizer::Sgd {
            momentum: 0.9,
            nesterov: false,
        };
        assert_eq!(arm.net().unwrap().train.optimizer, sgd);
        let NormConfig::Batch(norm) = &block(arm).norm else {
            panic!("{:?}", block(arm).norm);
        };
        assert_eq!((norm.momentum, norm.center), (0.2, true));
    }
    let contrast = &spec.contrasts[0];
    assert!(contrast.primary);
    assert_eq!(contrast.expect, Expect::Equivalent);
    assert_eq!(spec.published[0].n, Some(5));
}

#[test]
fn integers_and_single_rates_are_accepted() {
    let text = BASE
        .replace("learning_rate = [0.001, 0.01]", "learning_rate = 1")
        .replace("margin = 0.5", "margin = 1")
        .replace("momentum = 0.2", "momentum = 1");
    let spec = parse(&text).unwrap();
    assert_eq!(spec.arms[0].learning_rates, [1.0]);
    assert_eq!(spec.contrasts[0].margin, 1.0);
}

#[test]
fn seeds_may_be_listed_in_any_order() {
    let spec = parse(&BASE.replace("seeds = 4", "seeds = [7, 0, 5]")).unwrap();
    assert_eq!(spec.seeds, [7, 0, 5]);
}

#[test]
fn with_seeds_replaces_seeds_and_checks_their_count() {
    let spec = parse(&BASE.replace("seeds = 4", "seeds = [7, 5]")).unwrap();
    assert_eq!(spec.clone().with_seeds(3).unwrap().seeds, [0, 1, 2]);
    for count in [0, 10_001, u64::MAX] {
        let error = spec.clone().with_seeds(count).unwrap_err();
        assert_eq!(error.key(), Some("seeds"));
        assert!(error.message().contains("must be at"), "{error}");
    }
}

#[test]
fn changing_a_kind_drops_keys_of_the_old_kind() {
    let text = BASE.replace("bias = \"off\"", "norm.kind = \"layer\"");
    let spec = parse(&text).unwrap();
    let default = ablate_models::norm::LayerNormConfig::default();
    assert_eq!(block(&spec.arms[1]).norm, NormConfig::Layer(default));
    assert_eq!(block(&spec.arms[1]).activation.name(), "tanh");
}

#[test]
fn base_without_a_kind_shares_its_keys() {
    let text = BASE
        .replace("kind = \"mlp\"\nhidden = [16, 8]\n", "")
        .replace(
            "set.model.block.bias = \"on\"",
            "set.model = { kind = \"mlp\", hidden = [4] }",
        )
        .replace(
            "[arms.set.model.block]\nbias = \"off\"",
            "[arms.set.model]\nkind = \"cnn\"\nchannels = [4]",
        );
    let spec = parse(&text).unwrap();
    assert!(matches!(
        spec.arms[0].net().unwrap().model,
        ModelConfig::Mlp(_)
    ));
    assert!(matches!(
        spec.arms[1].net().unwrap().model,
        ModelConfig::Cnn(_)
    ));
    assert_eq!(block(&spec.arms[0]), block(&spec.arms[1]));
}

#[test]
fn override_reaches_every_arm_and_takes_precedence() {
    let text = BASE.replace(
        "bias = \"off\"",
        "bias = \"off\"\n[arms.set.train]\nepochs = 9",
    );
    let spec = parse_with(&text, &["train.epochs=3", "seeds=2", "probes=[]"]).unwrap();
    assert_eq!(spec.seeds, [0, 1]);
    for arm in &spec.arms {
        assert_eq!(arm.net().unwrap().train.length, Length::Epochs(3));
        assert_eq!(arm.net().unwrap().probes, []);
    }
}

#[test]
fn override_of_a_kind_keeps_other_keys() {
    let text = BASE.replace("bias = \"off\"", "norm.center = false");
    let spec = parse_with(&text, &["model.block.norm.kind=layer"]).unwrap();
    let center = |arm: &Arm| match &block(arm).norm {
        NormConfig::Layer(config) => config.center,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (center(&spec.arms[0]), center(&spec.arms[1])),
        (true, false)
    );
}

#[test]
fn bad_override_is_reported_as_typed_without_line() {
    for (set, expected) in [
        (
            "train.epoch=3",
            "experiments/x.toml: `--set train.epoch=3`: unknown key `train.epoch`; did you mean `train.epochs`?",
        ),
        (
            "train.epochs=0",
            "experiments/x.toml: `--set train.epochs=0`: `train.epochs` must be at least 1",
        ),
        (
            "train.learning_rate=nan",
            "experiments/x.toml: `--set train.learning_rate=nan`: `train.learning_rate` must be positive and finite, not NaN",
        ),
        (
            "model.block.bias=offf",
            "experiments/x.toml: `--set model.block.bias=offf`: `model.block.bias` cannot be `offf`; did you mean `off`?",
        ),
        (
            "seeds=many",
            "experiments/x.toml: `--set seeds=many`: `seeds` must be a number or an array of numbers, not the string `many`",
        ),
    ] {
        let error = parse_with(BASE, &[set]).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.line(), None);
    }
}

#[test]
fn override_that_removes_a_contrasted_factor_is_rejected() {
    let error = parse_with(BASE, &["model.block.bias=on"])
        .unwrap_err()
        .to_string();
    for part in [
        "no-bias",
        "the same recipe",
        "after `--set model.block.bias=on`",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_file_must_be_valid_without_its_overrides() {
    let text = BASE.replace("epochs = 5", "epochs = 0");
    let error = parse_with(&text, &["train.epochs=3"]).unwrap_err();
    assert_eq!(error.key(), Some("train.epochs"));
}

#[test]
fn every_preset_can_be_named_and_adjusted() {
    let head = BASE.split_once("[data]").unwrap().0;
    let tail = BASE.split_once("[train]").unwrap().1;
    for preset in ablate_models::zoo::PRESETS {
        let base = format!(
            "[data]\nname = \"digits\"\n[model]\npreset = \"{}\"\n",
            preset.name
        );
        let spec = parse(&format!("{head}{base}[train]{tail}")).unwrap();
        let mut expected = preset.config();
        expected.blocks_mut()[0].bias = Bias::Off;
        assert_eq!(
            spec.arms[1].net().unwrap().model,
            expected,
            "{}",
            preset.name
        );
    }
}

#[test]
fn a_recipe_survives_json_unchanged() {
    for arm in parse(BASE).unwrap().arms {
        let text = serde_json::to_string(&arm.recipe).unwrap();
        let recipe: Recipe = serde_json::from_str(&text).unwrap();
        assert_eq!(arm.recipe, recipe);
    }
}

#[test]
fn names_in_code_are_the_names_in_files() {
    fn shown(value: impl Serialize) -> String {
        let json = serde_json::to_value(value).unwrap();
        json.as_str().unwrap().to_owned()
    }
    for probe in [
        Probe::TrainTestGap,
        Probe::Saturation,
        Probe::BiasGradient,
        Probe::BiasTwin,
        Probe::ScaleFold,
        Probe::Homogeneity,
        Probe::CoAdaptation,
        Probe::EqualTraining,
        Probe::PlantedFault,
    ] {
        assert_eq!(shown(probe), probe.name());
    }
    for metric in Metric::SCORES {
        assert_eq!(shown(&metric), metric.name());
    }
    use ParameterGroup::{Bias, Center, Scale, Weight};
    for group in [Weight, Bias, Scale, Center] {
        assert_eq!(shown(group), group.name());
    }
}

#[test]
fn last_block_is_the_others_with_its_changes() {
    let text = BASE.replace(
        "hidden = [16, 8]",
        "hidden = [16, 8]\nlast_block.norm.scale = false\nlast_block.dropout.rate = 0.5",
    );
    let spec = parse(&text).unwrap();
    let ablate_models::zoo::ModelConfig::Mlp(config) = &spec.arms[1].net().unwrap().model else {
        panic!("the base is an MLP");
    };
    let last = config.last_block.as_ref().expect("a last block");
    let norm = |block: &ablate_models::block::BlockConfig| match &block.norm {
        NormConfig::Batch(norm) => (norm.scale, norm.momentum),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (norm(&config.block), norm(last)),
        ((true, 0.2), (false, 0.2))
    );
    // A key that an arm sets for all blocks also changes the last one.
    assert_eq!((config.block.bias, last.bias), (Bias::Off, Bias::Off));
    assert_eq!((config.block.dropout.rate, last.dropout.rate), (0.0, 0.5));
}

#[test]
fn training_is_counted_in_epochs_or_in_steps() {
    let steps = "steps = 90\nevaluate_every = 40\nloss_scale = 100\nonly = [\"center\"]";
    let text = BASE
        .replace("epochs = 5", steps)
        .replace("margin = 0.5", "margin = 0.5\nwhen = { step = 80 }");
    let spec = parse(&text).unwrap();
    let train = &spec.arms[0].net().unwrap().train;
    assert_eq!(train.length, Length::Steps(90));
    assert_eq!(train.evaluations(), [40, 80, 90]);
    assert_eq!(
        (train.loss_scale, &train.only),
        (100.0, &Some(vec![Trained::Center]))
    );
    assert_eq!(spec.contrasts[0].when, When::Step(80));
    let epochs = BASE.replace("epochs = 5", "epochs = 5\nevaluate_at = [2, 4]");
    let spec = parse(&epochs.replace("margin = 0.5", "margin = 0.5\nwhen = { epoch = 2 }"));
    let spec = spec.unwrap();
    assert_eq!(spec.arms[0].net().unwrap().train.evaluations(), [2, 4, 5]);
    assert_eq!(spec.contrasts[0].when, When::Epoch(2));
    let json = serde_json::to_string(&spec.contrasts[0]).unwrap();
    assert_eq!(
        serde_json::from_str::<Contrast>(&json).unwrap(),
        spec.contrasts[0]
    );
}

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/README.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn readme_example_is_a_valid_spec() {
    let readme = readme();
    let example = readme.split("```").nth(1).unwrap();
    let spec = parse(example.strip_prefix("toml\n").unwrap()).unwrap();
    assert_eq!(spec.arms.len(), 2);
    assert_eq!(block(&spec.arms[1]).bias, Bias::Off);
}

/// The valid keys are taken from the advice on an unknown one, so the page cannot fall behind.
#[test]
fn the_readme_explains_every_key() {
    let readme = readme();
    let mut explained = 0;
    for (old, new) in [
        ("title = \"T\"", "zzz = 1"),
        ("validation = 0.25", "zzz = 1"),
        ("hidden = [16, 8]", "zzz = 1"),
        (
            "kind = \"mlp\"\nhidden = [16, 8]",
            "kind = \"cnn\"\nzzz = 1",
        ),
        ("activation = \"tanh\"", "zzz = 1"),
        ("activation = \"tanh\"", "dropout.zzz = 1"),
        ("activation = \"tanh\"", "init.zzz = 1"),
        ("momentum = 0.2", "zzz = 1"),
        ("\"batch\"\nmomentum = 0.2", "\"layer\"\nzzz = 1"),
        ("\"batch\"\nmomentum = 0.2", "\"group\"\nzzz = 1"),
        ("epochs = 5", "zzz = 1"),
        ("momentum = 0.9", "zzz = 1"),
        ("\"sgd\"\nmomentum = 0.9", "\"adam\"\nzzz = 1"),
        ("floor = 0.1", "zzz = 1"),
        ("\"cosine\"\nfloor = 0.1", "\"step\"\nzzz = 1"),
        ("set.model.block.bias = \"on\"", "zzz = 1"),
        ("set.model.block.bias = \"on\"", "set.zzz = 1"),
        ("treatment = \"no-bias\"", "zzz = 1"),
        ("source = \"Somebody (2015)\"", "zzz = 1"),
    ] {
        assert!(BASE.contains(old), "{old:?}");
        let error = parse(&BASE.replacen(old, new, 1)).unwrap_err().to_string();
        let (_, keys) = error.split_once("valid keys there are ").expect(&error);
        for key in keys.split(", ").map(|key| key.trim_matches('`')) {
            let named = [
                format!("`{key}`"),
                format!("{key} ="),
                format!(".{key}`"),
                format!("`{key}."),
            ];
            assert!(named.iter().any(|name| readme.contains(name)), "{key}");
            explained += 1;
        }
    }
    let crossed = factors::crossed();
    for (old, new) in [
        ("key = \"model.block.position\"", "zzz = 1"),
        ("name = \"leaky\"", "name = \"leaky\"\nzzz = 1"),
    ] {
        assert!(crossed.contains(old), "{old:?}");
        let error = parse(&crossed.replacen(old, new, 1))
            .unwrap_err()
            .to_string();
        let (_, keys) = error.split_once("valid keys there are ").expect(&error);
        for key in keys.split(", ") {
            assert!(readme.contains(key), "{key}");
            explained += 1;
        }
    }
    assert!(explained > 60, "{explained}");
}

#[test]
fn the_smoke_spec_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/smoke.toml");
    let spec = Spec::load(&path, &[]).unwrap();
    assert_eq!(spec.suites, ["smoke"]);
    let counts = (spec.seeds.len(), spec.arms.len(), spec.contrasts.len());
    assert_eq!(counts, (3, 2, 1));
    assert_eq!(block(&spec.arms[0]).dropout.rate, 0.0);
    assert_eq!(block(&spec.arms[1]).dropout.rate, 0.3);
}
