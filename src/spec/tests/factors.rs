//! Factors, the arms they make, and contrasts of them.

use super::{BASE, FILE, block, parse, parse_with, readme};
use crate::recipe::Length;
use crate::spec::{ContrastKind, Panels, Spec, When};
use ablate_models::block::Position;

/// The base with factors instead of arms, and contrasts of them.
pub(super) fn crossed() -> String {
    let (head, rest) = BASE.split_once("[[arms]]").unwrap();
    let published = rest.split_once("[[published]]").unwrap().1;
    format!("{head}{FACTORS}{CONTRASTS}[[published]]{published}")
        .replace("arm = \"bias\"", "arm = \"before-relu\"")
}

const FACTORS: &str = r#"[[factors]]
name = "position"
key = "model.block.position"
levels = ["before", "after"]

[[factors]]
name = "activation"
label = "activation function"

[[factors.levels]]
name = "relu"
label = "ReLU"
set.model.block.activation = "relu"

[[factors.levels]]
name = "leaky"
set.model.block.activation = "leaky_relu"

[[factors.levels]]
name = "sigmoid"
[factors.levels.set.model.block]
activation = "sigmoid"
bias = "on"

"#;

const CONTRASTS: &str = r#"[[contrasts]]
name = "main"
effect = "position"
treatment = "before"
control = "after"
metric = "test_accuracy"
expect = "better"
margin = 0.5
note = "N."

[[contrasts]]
name = "simple"
effect = "activation"
treatment = "relu"
control = "leaky"
at.position = "after"
metric = "test_nll"
expect = "differs"
margin = 0.02
note = "N."

[[contrasts]]
name = "interaction"
effect = "position"
treatment = "before"
control = "after"
between.activation = ["sigmoid", "relu"]
metric = "test_accuracy"
expect = "differs"
margin = 0.5
note = "N."

"#;

fn arms(spec: &Spec) -> Vec<&str> {
    spec.arms.iter().map(|arm| arm.name.as_str()).collect()
}

/// Weights by arm, of contrast number `k`.
fn weights(spec: &Spec, k: usize) -> Vec<(&str, f64)> {
    let terms = spec.contrasts[k].weights.iter();
    terms.map(|term| (term.arm.as_str(), term.weight)).collect()
}

#[test]
fn crossed_factors_give_every_combination_in_order() {
    let spec = parse(&crossed()).unwrap();
    assert_eq!(
        arms(&spec),
        [
            "before-relu",
            "before-leaky",
            "before-sigmoid",
            "after-relu",
            "after-leaky",
            "after-sigmoid"
        ]
    );
    let last = &spec.arms[5];
    assert_eq!(
        (last.label.as_str(), &last.levels[..]),
        ("after, sigmoid", &[1, 2][..])
    );
    assert_eq!(spec.arms[0].label, "before, ReLU");
    let built = block(last);
    assert_eq!(
        (built.position, built.activation.name()),
        (Position::After, "sigmoid")
    );
    assert_eq!(block(&spec.arms[1]).activation.name(), "leaky_relu");
    assert_eq!(spec.factors[1].label, "activation function");
}

#[test]
fn factors_and_written_out_arms_give_equal_recipes() {
    let crossed = parse(&crossed()).unwrap();
    let (head, _) = BASE.split_once("[[arms]]").unwrap();
    let written = "[[arms]]\nname = \"x\"\nset.model.block = { position = \"after\", activation = \
                   \"sigmoid\", bias = \"on\" }\n";
    let written = parse(&format!("{head}{written}")).unwrap();
    let (one, other) = (&crossed.arms[5], &written.arms[0]);
    assert_eq!(
        (&one.recipe, &one.learning_rates,),
        (&other.recipe, &other.learning_rates,)
    );
}

#[test]
fn effects_have_the_weights_of_a_balanced_design() {
    let spec = parse(&crossed()).unwrap();
    let third = 1.0 / 3.0;
    assert_eq!(
        weights(&spec, 0),
        [
            ("before-relu", third),
            ("before-leaky", third),
            ("before-sigmoid", third),
            ("after-relu", -third),
            ("after-leaky", -third),
            ("after-sigmoid", -third)
        ]
    );
    assert_eq!(
        weights(&spec, 1),
        [("after-relu", 1.0), ("after-leaky", -1.0)]
    );
    assert_eq!(
        weights(&spec, 2),
        [
            ("before-relu", -1.0),
            ("before-sigmoid", 1.0),
            ("after-relu", 1.0),
            ("after-sigmoid", -1.0)
        ]
    );
    assert!(spec.contrasts[2].comparison.is_interaction());
    assert!(!spec.contrasts[0].comparison.is_interaction());
}

#[test]
fn means_over_some_levels_and_three_way_interactions_are_read() {
    let text = crossed()
        .replace(
            "at.position = \"after\"",
            "at.position = [\"after\", \"before\"]",
        )
        .replace(
            "[[factors]]\nname = \"activation\"",
            "[[factors]]\nname = \"width\"\nlevels = [\n{ value = 8, set.model.hidden = [8] },\n\
             { value = 16, set.model.hidden = [16] },\n]\n\n[[factors]]\nname = \"activation\"",
        )
        .replace("arm = \"before-relu\"", "arm = \"before-width-8-relu\"")
        .replace(
            "between.activation = [\"sigmoid\", \"relu\"]",
            "between.activation = [\"sigmoid\", \"relu\"]\nbetween.width = [16, 8]",
        );
    let spec = parse(&text).unwrap();
    assert_eq!(spec.factors[1].values(), Some(vec![8.0, 16.0]));
    assert_eq!(spec.arms[0].name, "before-width-8-relu");
    assert_eq!(spec.arms[0].label, "before, width 8, ReLU");
    assert_eq!(weights(&spec, 1).len(), 8);
    assert_eq!(weights(&spec, 1)[0], ("before-width-8-relu", 0.25));
    let three = weights(&spec, 2);
    assert_eq!(three.len(), 8);
    assert_eq!(three[0], ("before-width-8-relu", 1.0));
    assert_eq!(three[1], ("before-width-8-sigmoid", -1.0));
    assert_eq!(three.iter().map(|(_, w)| w).sum::<f64>(), 0.0);
}

#[test]
fn short_levels_are_values_of_the_key() {
    let text = crossed().replace(
        "key = \"model.block.position\"\nlevels = [\"before\", \"after\"]",
        "key = \"model.block.dropout.rate\"\nlevels = [0, { value = 0.5, label = \"half\" }]",
    );
    let text = text
        .replace("treatment = \"before\"", "treatment = 0.50")
        .replace("control = \"after\"", "control = \"0\"")
        .replace("at.position = \"after\"", "at.position = 0.5")
        .replace("before-relu", "position-0-relu");
    let spec = parse(&text).unwrap();
    assert_eq!(spec.arms[3].name, "position-0.5-relu");
    assert_eq!(spec.arms[0].label, "position 0, ReLU");
    assert_eq!(spec.arms[3].label, "half, ReLU");
    assert_eq!(block(&spec.arms[3]).dropout.rate, 0.5);
    assert_eq!(block(&spec.arms[0]).dropout.rate, 0.0);
}

#[test]
fn combinations_can_be_excluded_and_arms_added() {
    let extra = "[[arms]]\nname = \"none\"\nset.model.block.norm.kind = \"none\"\n";
    let text = crossed().replacen(
        "[[factors]]",
        "[[exclude]]\nposition = \"after\"\nactivation = \"sigmoid\"\n\n[[factors]]",
        1,
    );
    let text = format!("{text}{extra}")
        .replace(
            "effect = \"position\"\ntreatment",
            "at.activation = [\"relu\", \"leaky\"]\neffect = \"position\"\ntreatment",
        )
        .replace("between.activation = [\"sigmoid\", \"relu\"]\n", "")
        .replace(
            "name = \"interaction\"",
            "name = \"again\"\nprimary = false",
        );
    let spec = parse(&text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        arms(&spec),
        [
            "before-relu",
            "before-leaky",
            "before-sigmoid",
            "after-relu",
            "after-leaky",
            "none"
        ]
    );
    assert!(spec.arms[5].levels.is_empty());
    assert_eq!(weights(&spec, 0).len(), 4);
}

#[test]
fn contrast_can_be_given_by_its_weights() {
    let (head, rest) = BASE
        .split_once("treatment = \"no-bias\"\ncontrol = \"bias\"\n")
        .unwrap();
    let third = "[[arms]]\nname = \"tanh\"\nset.train.epochs = 9\n\n[[contrasts]]";
    let head = head.replace("[[contrasts]]", third);
    let text = format!("{head}weights = {{ tanh = 1, bias = -0.5, no-bias = -0.5 }}\n{rest}");
    let spec = parse(&text).unwrap();
    assert_eq!(spec.contrasts[0].comparison, ContrastKind::Sum);
    assert_eq!(
        weights(&spec, 0),
        [("bias", -0.5), ("no-bias", -0.5), ("tanh", 1.0)]
    );
}

#[test]
fn override_reaches_every_combination_but_cannot_undo_factors() {
    let spec = parse_with(&crossed(), &["train.epochs=3"]).unwrap();
    assert!(
        spec.arms
            .iter()
            .all(|arm| arm.net().unwrap().train.length == Length::Epochs(3))
    );
    let error = parse_with(&crossed(), &["model.block.position=after"]).unwrap_err();
    let shown = error.to_string();
    for part in [
        "before-relu",
        "after-relu",
        "the same recipe",
        "after `--set",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn readme_examples_on_factors_are_valid() {
    let readme = readme();
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).collect();
    let code = |start: &str| {
        let block = blocks
            .iter()
            .find(|block| block.starts_with(start))
            .unwrap();
        block.split("```").next().unwrap()
    };
    let (head, _) = BASE.split_once("[[arms]]").unwrap();
    let contrasts = blocks
        .iter()
        .find(|b| b.starts_with("[[contrasts]]"))
        .unwrap();
    let contrasts = contrasts.split("```").next().unwrap();
    let spec = parse(&format!("{head}{}{contrasts}", code("[[factors]]")));
    let spec = spec.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(spec.arms.len(), 8);
    assert_eq!(spec.arms[1].name, "before-relu-rate-0.5");
    assert_eq!(spec.contrasts.len(), 3);
    assert_eq!(weights(&spec, 1).len(), 4);
    assert_eq!(weights(&spec, 2).len(), 8);
}

/// As the table of mistakes for arms: text | replacement | text on the line in the error | key | message.
const MISTAKES: &str = r#"
    "model.block.position" | "model.block.positon" | positon | model.block.positon | did you mean `model.block.position`?
    "model.block.position" | "modl.block.position" | modl | factors[position].key | must be a key below `data`, `model` or `train`
    "model.block.position" | "model" | key = "model" | factors[position].key | must be a key below
    "model.block.position" | "model block" | model block | factors[position].key | must be a dotted key
    key = "model.block.position" | keys = 3 | keys | factors[position].keys | did you mean `factors[position].key`?
    key = "model.block.position"\n | - | levels = ["b | factors[position].levels[0].value | must be a number where the factor has no `key`
    ["before", "after"] | ["befor", "after"] | befor | model.block.position | cannot be `befor`; did you mean `before`? (arm `befor-relu`)
    ["before", "after"] | ["before"] | ["before"] | factors[position].levels | needs two levels or more
    ["before", "after"] | ["before", "before"] | levels = [" | factors[position].levels[1] | repeats the level `before`
    ["before", "after"] | ["before", ["after"]] | levels = [" | factors[position].levels[1] | or a table such as
    ["before", "after"] | ["before", { value = "after", nam = "x" }] | nam = | factors[position].levels[1].nam | did you mean `factors[position].levels[1].name`?
    ["before", "after"] | ["before", "Af ter"] | Af ter | factors[position].levels[1] | write the level as a table with a `name`
    ["before", "after"] | ["before", nan] | nan | factors[position].levels[1] | must be finite
    name = "relu"\nlabel | label | [[factors.levels]] | factors[activation].levels[0].name | is missing
    label = "ReLU" | label = "" | label = "" | factors[activation].levels[relu].label | is empty
    label = "activation function" | label = " " | label = " " | factors[activation].label | is empty
    name = "activation" | name = "Activation" | Activation | factors[1].name | not `Activation`
    name = "activation" | name = "position" | name = "position" | factors[position].name | repeats `position`
    block.activation = "relu" | block.activaton = "relu" | activaton | factors[activation].levels[relu].set.model.block.activaton | did you mean
    block.activation = "relu" | block.activation = "rel" | "rel" | factors[activation].levels[relu].set.model.block.activation | did you mean `relu`?
    set.model.block.activation = "relu" | set.seeds = 3 | set.seeds | factors[activation].levels[relu].set.seeds | valid keys there are `data`
    bias = "on" | position = "after" | position = "after" | factors[activation].levels[sigmoid].set.model.block.position | is set by the factor `position`, too
    block.activation = "leaky_relu" | block.activation = "relu" | - | factors | give `before-relu` and `before-leaky` the same recipe
    name = "leaky" | name = "relu" | set.model.block.activation = "leaky | - | -
    seeds = 4 | seeds = 4\nexclude = [{ positon = "after" }] | positon | exclude[0].positon | which is no factor; did you mean `position`?
    seeds = 4 | seeds = 4\nexclude = [{ position = "aftr" }] | aftr | exclude[0].position | which is no level of `position`; did you mean `after`?
    seeds = 4 | seeds = 4\nexclude = [{ position = "after" }, { position = "before" }] | exclude | exclude | leaves out every combination
    seeds = 4 | seeds = 4\nexclude = [{ position = "after" }, { position = "after", activation = "relu" }] | exclude | exclude[1] | leaves out nothing
    seeds = 4 | seeds = 4\nexclude = [{}] | exclude | exclude[0] | is empty
    seeds = 4 | seeds = 4\nexclude = [{ position = "after", activation = "leaky" }] | effect = "position" | contrasts[main].effect | `position` = `after`, `activation` = `leaky`, which `exclude` leaves out
    effect = "position" | effect = "positions" | positions | contrasts[main].effect | which is no factor; did you mean `position`?
    effect = "position"\n | - | treatment = "before" | contrasts[main].treatment | names `before`, which is no arm; did you mean
    treatment = "before" | treatment = "befor" | befor" | contrasts[main].treatment | which is no level of `position`; did you mean `before`?
    treatment = "before" | treatment = "q" | "q" | contrasts[main].treatment | levels of `position` are `before`, `after`
    treatment = "before"\n | - | [[contrasts]] | contrasts[main].treatment | is missing
    control = "after" | control = "before" | control = "before" | contrasts[main].control | is the treatment, `before`; compare two levels
    at.position = "after" | at.positio = "after" | positio = | contrasts[simple].at.positio | did you mean `position`?
    at.position = "after" | at.position = "afte" | afte" | contrasts[simple].at.position | did you mean `after`?
    at.position = "after" | at.position = [] | [] | contrasts[simple].at.position | is empty
    at.position = "after" | at.position = ["after", "after"] | at.position | contrasts[simple].at.position | names `after` twice
    at.position = "after" | at.activation = "relu" | at.activation | contrasts[simple].at.activation | is the factor of the `effect` itself
    at.position = "after" | at.position = "after"\nbetween.position = ["before", "after"] | between.position = ["before | contrasts[simple].between.position | is also held with `at`
    at.position = "after" | weights = { before-relu = 1 } | treatment = "relu" | contrasts[simple].treatment | conflicts with `weights`
    ["sigmoid", "relu"] | ["sigmoid"] | between | contrasts[interaction].between.activation | must be two levels, not 1
    ["sigmoid", "relu"] | ["sigmoid", "sigmoid"] | between | contrasts[interaction].between.activation | names `sigmoid` twice
    ["sigmoid", "relu"] | ["sigmoid", "rely"] | between | contrasts[interaction].between.activation | did you mean `relu`?
    arm = "before-relu" | arm = "before-rely" | before-rely | published[0].arm | did you mean `before-relu`?
"#;

#[test]
fn mistakes_in_factors_have_line_key_and_advice() {
    let base = crossed();
    for row in MISTAKES
        .lines()
        .map(str::trim)
        .filter(|row| !row.is_empty())
    {
        let row = row.replace("\\n", "\n");
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [old, new, on_line, key, part] = cells[..] else {
            panic!("five cells are needed: {row}");
        };
        // Trimming a cell takes its line break; a removed line leaves an empty one.
        assert!(base.contains(old), "{old:?} is not in the base");
        let text = base.replacen(old, if new == "-" { "" } else { new }, 1);
        let error = parse(&text).expect_err(&row);
        if key == "-" {
            continue;
        }
        assert_eq!(error.key(), Some(key), "{row}: {error}");
        let line = error.line().and_then(|line| text.lines().nth(line - 1));
        let expected = (on_line != "-").then_some(on_line);
        let found = expected.is_none_or(|part| line.is_some_and(|line| line.contains(part)));
        assert!(found, "{row}: line {line:?}: {error}");
        assert!(error.to_string().starts_with(FILE), "{error}");
        assert!(
            error.message().contains(part),
            "{part:?} is not in: {error}"
        );
    }
}

#[test]
fn too_many_combinations_are_rejected() {
    let many: String = (0..20)
        .map(|f| {
            format!(
                "[[factors]]\nname = \"f{f}\"\nlevels = [{{ name = \"a{f}\" }}, {{ name = \"b{f}\" }}]\n"
            )
        })
        .collect();
    let (head, _) = BASE.split_once("[[arms]]").unwrap();
    let error = parse(&format!("{head}{many}")).unwrap_err();
    assert_eq!(error.key(), Some("factors"));
    assert!(error.message().contains("more than 256"), "{error}");
}

#[test]
fn equal_names_of_combinations_are_rejected() {
    let level = |name: &str, bias: &str| {
        format!("{{ name = \"{name}\", set.model.block.bias = \"{bias}\" }}")
    };
    let rate = |name: &str, rate: f64| {
        format!("{{ name = \"{name}\", set.model.block.dropout.rate = {rate} }}")
    };
    let (head, _) = BASE.split_once("[[arms]]").unwrap();
    let text = format!(
        "{head}[[factors]]\nname = \"f\"\nlevels = [{}, {}]\n[[factors]]\nname = \"g\"\nlevels = [{}, {}]\n",
        level("a", "on"),
        level("a-b", "off"),
        rate("b-c", 0.1),
        rate("c", 0.2)
    );
    let error = parse(&text).unwrap_err();
    assert!(
        error.message().contains("two combinations called `a-b-c`"),
        "{error}"
    );
    let arm = "[[arms]]\nname = \"before-relu\"\nset.train.epochs = 9\n";
    let error = parse(&format!("{}{arm}", crossed())).unwrap_err();
    assert_eq!(error.key(), Some("arms[before-relu].name"));
    assert!(
        error.message().contains("a combination of the factors"),
        "{error}"
    );
}

#[test]
fn weights_must_sum_to_zero_and_name_arms() {
    let with = |weights: &str| {
        BASE.replace(
            "treatment = \"no-bias\"\ncontrol = \"bias\"",
            &format!("weights = {weights}"),
        )
    };
    for (weights, key, part) in [
        (
            "{ bias = 1, no-bias = -0.5 }",
            "weights",
            "must add up to 0",
        ),
        ("{}", "weights", "must add up to 0"),
        (
            "{ bias = 1, no-bia = -1 }",
            "weights.no-bia",
            "did you mean `no-bias`?",
        ),
        (
            "{ bias = 0, no-bias = 0 }",
            "weights.bias",
            "finite and not 0",
        ),
        (
            "{ bias = inf, no-bias = -1 }",
            "weights.bias",
            "finite and not 0",
        ),
    ] {
        let error = parse(&with(weights)).unwrap_err();
        let full = format!("contrasts[no-bias-vs-bias].{key}");
        assert_eq!(error.key(), Some(full.as_str()), "{error}");
        assert!(error.message().contains(part), "{error}");
    }
    for (extra, part) in [
        ("at.x = 1", "needs an `effect`"),
        ("between.x = [1, 2]", "needs an `effect`"),
        ("effect = \"x\"", "there are no `[[factors]]`"),
    ] {
        let text = BASE.replace(
            "control = \"bias\"",
            &format!("control = \"bias\"\n{extra}"),
        );
        let error = parse(&text).unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
}

const FIGURE: &str = r#"
[figure]
title = "F"
effect = "position"
treatment = "before"
control = "after"
along = "activation"
at = [2, 5]
metric = "test_accuracy"
margin = 0.5
"#;

#[test]
fn figure_of_two_factors_is_read() {
    let spec = parse(&(crossed() + FIGURE)).unwrap();
    let figure = spec.figure.as_ref().unwrap();
    let times = vec![When::Epoch(2), When::Epoch(5)];
    assert_eq!(figure.panels, Panels::Times(times));
    let weights = figure.weights(&spec, &[("activation", "sigmoid")]).unwrap();
    let weights: Vec<_> = weights.iter().map(|w| (w.arm.as_str(), w.weight)).collect();
    assert_eq!(weights, [("before-sigmoid", 1.0), ("after-sigmoid", -1.0)]);
    assert_eq!(parse(&crossed()).unwrap().figure, None);
}

#[test]
fn impossible_figure_is_rejected() {
    for (old, new, part) in [
        (
            "effect = \"position\"",
            "effect = \"positon\"",
            "did you mean `position`?",
        ),
        (
            "treatment = \"before\"",
            "treatment = \"after\"",
            "is the treatment",
        ),
        (
            "along = \"activation\"",
            "along = \"position\"",
            "is the factor of the `effect`",
        ),
        (
            "at = [2, 5]",
            "at = [2, 6]",
            "has 6, at which `before-relu` is not scored",
        ),
        ("at = [2, 5]", "at = []", "must be 1 to 4 evaluations"),
        (
            "at = [2, 5]",
            "lines = \"activation\"",
            "which the figure already shows",
        ),
        (
            "at = [2, 5]",
            "pannels = 1",
            "did you mean `figure.panels`?",
        ),
        ("margin = 0.5", "margin = 0", "must be positive and finite"),
    ] {
        assert!(FIGURE.contains(old), "{old}");
        let error = parse(&(crossed() + &FIGURE.replacen(old, new, 1)));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    let error = parse(&(BASE.to_owned() + FIGURE)).unwrap_err().to_string();
    assert!(error.contains("there are no `[[factors]]`"), "{error}");
}
