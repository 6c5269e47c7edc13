//! The error message of every kind of mistake.

use super::{BASE, FILE, parse};
use crate::spec::{Spec, SpecError};

/// Makes each mistake and checks its error. A line of `table` is one mistake: text of [`BASE`] |
/// replacement | text on the line in the error | key in the error | part of the message. `-` is an
/// empty cell, `\n` a line break.
fn assert_all_answered(table: &str) {
    let mut others = Vec::new();
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let row = row.replace("\\n", "\n");
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [old, new, on_line, key, part] = cells[..] else {
            panic!("five cells are needed: {row}");
        };
        assert!(BASE.contains(old), "{old:?} is not in the base");
        let text = BASE.replacen(old, if new == "-" { "" } else { new }, 1);
        let error = parse(&text).expect_err(&row);
        let mut lines = text.lines();
        let line = lines.position(|line| on_line != "-" && line.contains(on_line));
        let line = line.map(|i| i + 1);
        assert_eq!(error.line(), line, "{row}: {error}");
        assert_eq!(error.key(), Some(key), "{row}: {error}");
        let location = line.map_or_else(|| format!("{FILE}: "), |line| format!("{FILE}:{line}: "));
        let shown = error.to_string();
        assert!(shown.starts_with(&location), "{shown}");
        assert!(shown.contains(part), "{part:?} is not in: {shown}");
        let all = messages(&error);
        if all.len() != 1 || !all[0].contains(part) {
            others.push((row, all));
        }
    }
    assert!(others.is_empty(), "not the mistake alone: {others:#?}");
}

fn messages(error: &SpecError) -> Vec<String> {
    let mistakes = error.mistakes().iter();
    mistakes.map(|mistake| mistake.message.clone()).collect()
}

#[test]
fn mistakes_of_all_kinds_are_found_at_once() {
    let mut text = BASE.to_owned();
    for (old, new) in [
        ("question = \"Q?\"\n", ""),
        ("seeds = 4", "seeds = \"four\""),
        ("validation = 0.25", "validation = 1.5"),
        ("kind = \"batch\"", "kind = \"bach\""),
        ("epochs = 5", "epoch = 5"),
        ("[16, 8]", "[16, 8.5]"),
        ("bias = \"off\"", "bias = \"of\""),
        ("control = \"bias\"", "control = \"bais\""),
        ("margin = 0.5", "margin = \"0.5\""),
        ("sd = 0.1", "sds = 0.1"),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    let error = parse(&text).unwrap_err();
    let keys: Vec<&str> = (error.mistakes().iter()).map(|m| m.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "seeds",
            "data.validation",
            "model.hidden[1]",
            "model.block.norm.kind",
            "train.epoch",
            "arms[no-bias].set.model.block.bias",
            "contrasts[no-bias-vs-bias].control",
            "contrasts[no-bias-vs-bias].margin",
            "published[0].sds",
            "question",
        ],
        "{:#?}",
        messages(&error)
    );
    let lines: Vec<Option<usize>> = error.mistakes().iter().map(|m| m.line).collect();
    assert!(lines[..9].is_sorted() && lines[9].is_none(), "{lines:?}");
}

#[test]
fn a_mistake_of_all_arms_is_told_once() {
    let text = BASE
        .replacen("epochs = 5", "epochs = 5\nevaluate_at = [9]", 1)
        .replacen("batch_size = 32\n", "", 1);
    let error = parse(&text).unwrap_err();
    assert_eq!(error.mistakes().len(), 2, "{:#?}", messages(&error));
}

#[test]
fn report_shows_twenty_mistakes_and_counts_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.toml");
    let unknown: String = (0..25).map(|i| format!("zz{i} = {i}\n")).collect();
    std::fs::write(&path, format!("{unknown}{BASE}")).unwrap();
    let report = Spec::load(&path, &[]).unwrap_err().report();
    assert_eq!(report.matches("unknown key").count(), 20, "{report}");
    assert!(report.ends_with("and 5 more: 25 mistakes"), "{report}");
    let first = "1: unknown key `zz0`; ";
    assert!(report.contains(first), "{report}");
    assert!(
        report.contains("\n   |\n 1 | zz0 = 0\n   | ^^^\n"),
        "{report}"
    );
}

#[test]
fn mistake_of_the_extended_file_is_shown_there() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("base.toml", &BASE.replacen("[16, 8]", "\"16\"", 1));
    write("own.toml", "extends = \"base\"\ntitle = \"T\"\n");
    let error = Spec::load(&folder.path().join("own.toml"), &[]).unwrap_err();
    assert!(error.file().ends_with("own.toml"), "{error}");
    let [mistake] = error.mistakes() else {
        panic!("{:#?}", messages(&error));
    };
    assert!(mistake.file.ends_with("base.toml"));
    // Valid alone, but not with the other settings of `own`.
    write(
        "base.toml",
        &BASE.replacen("epochs = 5", "epochs = 5\nevaluate_at = [5]", 1),
    );
    write(
        "own.toml",
        "extends = \"base\"\ntitle = \"T\"\ntrain.epochs = 3\n",
    );
    let error = Spec::load(&folder.path().join("own.toml"), &[]).unwrap_err();
    let report = error.report();
    assert!(report.contains("base.toml:27: "), "{report}");
    assert!(report.contains("27 | evaluate_at = [5]"), "{report}");
}

#[test]
fn unknown_keys_get_path_and_nearest_valid_key() {
    assert_all_answered(
        r#"
        title | titel = 1\ntitle | titel | titel | unknown key `titel`; did you mean `title`?
        epochs = 5 | epoch = 5 | epoch = 5 | train.epoch | unknown key `train.epoch`; did you mean `train.epochs`?
        epochs = 5 | zzz = 5 | zzz | train.zzz | valid keys there are `epochs`, `steps`, `evaluate_every`, `evaluate_at`, `batch_size`, `learning_rate`
        validation = 0.25 | valid = 0.25 | valid = | data.valid | did you mean `data.validation`?
        hidden = | hiden = | hiden | model.hiden | did you mean `model.hidden`?
        activation = | activaton = | activaton | model.block.activaton | did you mean `model.block.activation`?
        momentum = 0.2 | momentun = 0.2 | momentun | model.block.norm.momentun | did you mean `model.block.norm.momentum`?
        kind = "batch" | kind = "none" | momentum = 0.2 | model.block.norm.momentum | no other key is valid there
        momentum = 0.9 | beta1 = 0.9 | beta1 | train.optimizer.beta1 | valid keys there are `momentum`, `nesterov`
        floor = 0.1 | flor = 0.1 | flor | train.schedule.flor | did you mean `train.schedule.floor`?
        label = | lable = | lable | arms[bias].lable | did you mean `arms[bias].label`?
        block.bias = "on" | block.biass = "on" | biass | arms[bias].set.model.block.biass | did you mean `arms[bias].set.model.block.bias`?
        bias = "off" | biass = "off" | biass | arms[no-bias].set.model.block.biass | did you mean `arms[no-bias].set.model.block.bias`?
        set.model.block.bias | set.seeds = 3\nset.model.block.bias | set.seeds | arms[bias].set.seeds | valid keys there are `data`, `model`, `train`, `probes`
        metric = | metrics = | metrics | contrasts[no-bias-vs-bias].metrics | did you mean `contrasts[no-bias-vs-bias].metric`?
        source = | sorce = | sorce | published[0].sorce | did you mean `published[0].source`?
        [train] | ["träin"]\n[train] | träin | "träin" | unknown key `"träin"`; did you mean `train`?
        "#,
    );
}

#[test]
fn equal_scores_need_a_validation_split() {
    let text = BASE.replace("margin = 0.5", "margin = 0.5\nwhen = \"equal_nll\"");
    assert!(parse(&text).is_ok());
    let text = text
        .replace("validation = 0.25", "validation = 0.0")
        .replace("[0.001, 0.01]", "0.01");
    let error = parse(&text).expect_err("nothing to match by");
    assert_eq!(error.key(), Some("contrasts[no-bias-vs-bias].when"));
    let message = error.to_string();
    for part in ["no validation split", "set `data.validation` above 0"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn mistyped_key_is_found_in_a_replaced_table() {
    let text = BASE
        .replace("momentum = 0.2", "momentun = 0.2")
        .replace("block.bias = \"on\"", "block.norm.kind = \"none\"")
        .replace("bias = \"off\"", "norm.kind = \"layer\"");
    let error = parse(&text).unwrap_err();
    assert_eq!(error.key(), Some("model.block.norm.momentun"));
}

#[test]
fn wrong_types_name_expected_and_found_type() {
    assert_all_answered(
        r#"
        epochs = 5 | epochs = "five" | five | train.epochs | must be a whole number, at least 0, not the string `five`
        epochs = 5 | epochs = 5.0 | 5.0 | train.epochs | must be a whole number, at least 0, not 5.0
        epochs = 5 | epochs = -5 | -5 | train.epochs | must be a whole number, at least 0, not -5
        epochs = 5 | epochs = 2026-01-01 | 2026 | train.epochs | not a date
        epochs = 5 | epochs = 99999999999999999999 | 9999 | train.epochs | beyond 64 bits
        momentum = 0.2 | momentum = true | true | model.block.norm.momentum | must be a number, not `true`
        momentum = 0.2 | center = "on" | center | model.block.norm.center | must be `true` or `false`, not the string `on`
        hidden = [16, 8] | hidden = 16 | hidden | model.hidden | must be an array, not 16
        hidden = [16, 8] | hidden = [16,\n 8.5] |  8.5 | model.hidden[1] | not 8.5
        kind = "sgd"\nmomentum = 0.9 | kind = 3 | kind = 3 | train.optimizer.kind | must be a string, not 3
        learning_rate = [0.001, 0.01] | learning_rate = "fast" | fast | train.learning_rate | a number or an array of numbers, not the string `fast`
        learning_rate = [0.001, 0.01] | learning_rate = [0.1, "fast"] | fast | train.learning_rate[1] | must be a number, not the string `fast`
        activation = "tanh" | activation = { kind = "tanh" } | activation | model.block.activation | must be a string, not a table
        title = "T" | title = 3 | title | title | must be a string, not 3
        seeds = 4 | seeds = -1 | seeds | seeds | at least 0, not -1
        seeds = 4 | seeds = [1, -1] | seeds | seeds[1] | at least 0, not -1
        bias = "off" | norm = "none" | norm = "none" | arms[no-bias].set.model.block.norm | must be a table such as `{ kind = "none" }`, not the string `none`
        [arms.set.model.block]\nbias = "off" | set = 3 | set = 3 | arms[no-bias].set | must be a table, not 3
        [arms.set.model.block]\nbias = "off" | set.train = [1, 2] | set.train | arms[no-bias].set.train | must be a table, not an array
        "#,
    );
}

#[test]
fn missing_keys_are_named_with_their_table() {
    assert_all_answered(
        r#"
        question = "Q?"\n | - | - | question | `question` is missing
        seeds = 4\n | - | - | seeds | `seeds` is missing
        [data]\nname = "digits"\nvalidation = 0.25\n | - | - | data | `data` is missing (arm `bias`)
        epochs = 5\n | - | [train] | train.epochs | `train.epochs` is missing (arm `bias`)
        kind = "mlp"\n | - | [model] | model.kind | is missing; valid values are `mlp`, `cnn`, `resnet`
        kind = "batch"\n | - | [model.block.norm] | model.block.norm.kind | valid values are `none`, `batch`, `layer`, `group`
        bias = "off" | norm.kind = "group"\n[arms.set.model]\nkind = "cnn" | [arms.set.model] | arms[no-bias].set.model.channels | is missing
        note = "N."\n | - | [[contrasts]] | contrasts[no-bias-vs-bias].note | is missing
        sentence = "S."\n | - | - | sentence | a spec with a `claim` must quote its sentence
        "#,
    );
}

#[test]
fn unknown_values_get_the_nearest_or_all_values() {
    assert_all_answered(
        r#"
        name = "digits" | name = "digit" | digit" | data.name | cannot be `digit`; did you mean `digits`?
        name = "digits" | name = "cats" | cats | data.name | valid values are `digits`, `mnist`, `fashion_mnist`, `kmnist`
        kind = "mlp" | kind = "mpl" | mpl | model.kind | did you mean `mlp`?
        kind = "batch" | kind = "bach" | bach | model.block.norm.kind | did you mean `batch`?
        kind = "sgd" | kind = "lion" | lion | train.optimizer.kind | valid values are `sgd`, `adam`, `adamw`, `rmsprop`
        kind = "mlp" | preset = "no-such-model" | preset | model.preset | cannot be `no-such-model`
        kind = "mlp" | kind = "mlp"\npreset = "mlp-digits" | kind = "mlp" | model.kind | remove one of them
        metric = "test_accuracy" | metric = "accuracy" | "accuracy" | contrasts[no-bias-vs-bias].metric | did you mean `test_accuracy`?
        margin = 0.5 | margin = 0.5\nwhen = "first" | when | contrasts[no-bias-vs-bias].when | cannot be `first`; valid values are `last`, `equal_accuracy`, `equal_nll`
        margin = 0.5 | margin = 0.5\nwhen = { epoch = 9 } | when | contrasts[no-bias-vs-bias].when | is epoch 9, at which `no-bias` is not scored; see `train.evaluate_at`
        margin = 0.5 | margin = 0.5\nwhen = { step = 5 } | when | contrasts[no-bias-vs-bias].when | is step 5, at which `no-bias` is not scored
        margin = 0.5 | margin = 0.5\nwhen = { epok = 5 } | when | contrasts[no-bias-vs-bias].when | has the key `epok`; give an `epoch` or a `step`
        margin = 0.5 | margin = 0.5\nwhen = {} | when | contrasts[no-bias-vs-bias].when | give an `epoch` or a `step`
        margin = 0.5 | margin = 0.5\nwhen = { epoch = 1, step = 2 } | when | contrasts[no-bias-vs-bias].when | not both
        set.model.block.bias = "on" | set.train.steps = 9 | train.steps | arms[bias].set.train.steps | conflicts with `train.epochs`; remove one of them
        epochs = 5 | epochs = 5\nevaluate_every = 1\nevaluate_at = [2] | evaluate_at | train.evaluate_at | conflicts with `train.evaluate_every`
        margin = 0.5 | margin = 0.5\nwhen = "equal_accuracy" | when | contrasts[no-bias-vs-bias].when | makes arms about equal in `test_accuracy`
        metric = "test_accuracy" | metric = "probe:acuracy_gap" | acuracy | contrasts[no-bias-vs-bias].metric | cannot be `probe:acuracy_gap`; did you mean `probe:accuracy_gap`?
        metric = "test_accuracy" | metric = "probe:x" | probe:x | contrasts[no-bias-vs-bias].metric | probes measure `probe:train_accuracy`
        metric = "test_accuracy" | metric = "probe:dead.blocks.0" | probe:dead | contrasts[no-bias-vs-bias].metric | the arm `no-bias` does not have `saturation` among its `probes`
        metric = "test_accuracy" | metric = "probe:accuracy_gap.blocks.0" | probe:acc | contrasts[no-bias-vs-bias].metric | does not have; it has `probe:accuracy_gap`
        metric = "test_accuracy" | metric = "probe:accuracy_gap"\nwhen = "equal_accuracy" | when | contrasts[no-bias-vs-bias].when | `probe:accuracy_gap` is measured only after the last epoch
        expect = "equivalent" | expect = "same" | same | contrasts[no-bias-vs-bias].expect | valid values are `better`, `worse`, `equivalent`, `differs`
        claim = "C6" | claim = "C 6" | C 6 | claim | must be letters, digits and `-`, as in `C1`, not `C 6`
        claim = "C6" | claim = "C6"\nbears_on = ["../x"] | ../x | bears_on[0] | must be letters, digits and `-`
        ["train_test_gap"] | ["gap"] | gap | probes[0] | valid values are `train_test_gap`, `saturation`
        "#,
    );
}

#[test]
fn numbers_out_of_range_are_rejected_in_every_table() {
    assert_all_answered(
        r#"
        seeds = 4 | seeds = 0 | seeds | seeds | must be at least 1
        seeds = 4 | seeds = 9999999999 | seeds | seeds | must be at most 10000
        seeds = 4 | seeds = [] | seeds | seeds | is empty
        seeds = 4 | seeds = [3, 1, 3] | seeds | seeds | has 3 twice
        validation = 0.25 | validation = 1 | validation | data.validation | must be at least 0 and below 1, not 1
        validation = 0.25 | label_noise = nan | label_noise | data.label_noise | not NaN
        validation = 0.25 | folds = 1 | folds | data.folds | must be at least 2, not 1
        validation = 0.25 | subset = 0 | subset | data.subset | must be at least 1
        validation = 0.25 | validation = 0 | learning_rate | train.learning_rate | has 2 rates to choose from on the validation split, but `data.validation` is 0
        epochs = 5 | epochs = 0 | epochs | train.epochs | must be at least 1
        batch_size = 32 | batch_size = 0 | batch_size | train.batch_size | must be at least 1
        [0.001, 0.01] | [] | learning_rate | train.learning_rate | is empty
        [0.001, 0.01] | [0.1, nan] | learning_rate | train.learning_rate | must be positive and finite, not NaN
        [0.001, 0.01] | inf | learning_rate | train.learning_rate | must be positive and finite, not inf
        [0.001, 0.01] | 0 | learning_rate | train.learning_rate | must be positive and finite, not 0
        [0.001, 0.01] | [0.1, 0.10] | learning_rate | train.learning_rate | has 0.1 twice
        epochs = 5 | steps = 0 | steps | train.steps | must be at least 1
        epochs = 5 | epochs = 5\nevaluate_every = 0 | evaluate_every | train.evaluate_every | must be from 1 to 5, the epochs of the run, not 0
        epochs = 5 | steps = 90\nevaluate_every = 91 | evaluate_every | train.evaluate_every | must be from 1 to 90, the steps of the run, not 91
        epochs = 5 | epochs = 5\nevaluate_at = [] | evaluate_at | train.evaluate_at | must be ascending epochs from 1 to 5
        epochs = 5 | epochs = 5\nevaluate_at = [3, 2] | evaluate_at | train.evaluate_at | must be ascending
        epochs = 5 | epochs = 5\nevaluate_at = [3, 6] | evaluate_at | train.evaluate_at | must be ascending
        epochs = 5 | epochs = 5\nloss_scale = 0 | loss_scale | train.loss_scale | must be positive and finite, not 0
        epochs = 5 | epochs = 5\nonly = [] | only | train.only | is empty
        epochs = 5 | epochs = 5\nonly = ["scale", "scale"] | only | train.only | names `scale` twice
        epochs = 5 | epochs = 5\nonly = ["bias", "random_weights"] | only | train.only | must be the only entry
        epochs = 5 | epochs = 5\nweight_decay = 1\nonly = ["random_weights"] | weight_decay | train.weight_decay | would move the frozen weights
        "cosine"\nfloor = 0.1 | "decay"\nto = -1\ntau = 1 | to = | train.schedule.to | at least 0 and finite, not -1
        "cosine"\nfloor = 0.1 | "decay"\nto = 0\ntau = 0 | tau | train.schedule.tau | must be positive and finite, not 0
        momentum = 0.2 | ghost = 0 | ghost | model.block.norm.ghost | must be at least 1
        momentum = 0.2 | ghost = 5 | ghost | model.block.norm.ghost | is 5, which does not divide `train.batch_size` = 32
        hidden = [16, 8] | hidden = [16, 8]\nlast_block.activation = "relu" | last_block | model.last_block.activation | differs from `block.activation`
        hidden = [16, 8] | hidden = []\nlast_block.bias = "off" | last_block | model.last_block | needs a hidden layer
        epochs = 5 | epochs = 5\nweight_decay = -0.1 | weight_decay | train.weight_decay | must be at least 0 and finite, not -0.1
        epochs = 5 | epochs = 5\nweight_decay = inf | weight_decay | train.weight_decay | finite, not inf
        epochs = 5 | epochs = 5\nmax_norm = 0 | max_norm | train.max_norm | must be positive and finite, not 0
        epochs = 5 | epochs = 5\ndecay_on = ["bias", "bias"] | decay_on | train.decay_on | names `bias` twice
        epochs = 5 | epochs = 5\nweight_decay = 1\ndecay_on = [] | decay_on | train.decay_on | is empty
        momentum = 0.9 | momentum = 1.0 | momentum = 1.0 | train.optimizer.momentum | below 1, not 1
        momentum = 0.9 | nesterov = true | nesterov | train.optimizer.nesterov | needs a `momentum` above 0
        "sgd"\nmomentum = 0.9 | "adam"\nbeta1 = -0.1 | beta1 | train.optimizer.beta1 | not -0.1
        "sgd"\nmomentum = 0.9 | "adamw"\nbeta2 = 1 | beta2 | train.optimizer.beta2 | not 1
        "sgd"\nmomentum = 0.9 | "adam"\nepsilon = 0 | epsilon | train.optimizer.epsilon | must be positive and finite, not 0
        floor = 0.1 | floor = 1.5 | floor | train.schedule.floor | at most 1, not 1.5
        "cosine"\nfloor = 0.1 | "step"\nevery = 0\nfactor = 0.5 | every | train.schedule.every | must be at least 1
        "cosine"\nfloor = 0.1 | "step"\nevery = 1\nfactor = 0 | factor | train.schedule.factor | above 0 and at most 1, not 0
        "cosine"\nfloor = 0.1 | "exponential"\nfactor = 1.1 | factor | train.schedule.factor | above 0 and at most 1, not 1.1
        hidden = [16, 8] | hidden = [16, 0] | hidden | model.hidden | has a layer of 0 units (arm `bias`)
        momentum = 0.2 | momentum = 0.0 | momentum = 0.0 | model.block.norm.momentum | must be above 0
        bias = "off" | dropout.rate = 1.0 | dropout | arms[no-bias].set.model.block.dropout.rate | below 1, not 1
        margin = 0.5 | margin = 0 | margin | contrasts[no-bias-vs-bias].margin | must be positive and finite, not 0
        margin = 0.5 | margin = inf | margin | contrasts[no-bias-vs-bias].margin | not inf
        value = 98.5 | value = nan | value | published[0].value | must be finite
        sd = 0.1 | sd = -1 | sd = | published[0].sd | at least 0
        n = 5 | n = 0 # runs | # runs | published[0].n | must be at least 1
        "#,
    );
}

#[test]
fn inconsistent_names_are_rejected_with_advice() {
    assert_all_answered(
        r#"
        treatment = "no-bias" | treatment = "no-bais" | no-bais | contrasts[no-bias-vs-bias].treatment | names `no-bais`, which is no arm; did you mean `no-bias`?
        control = "bias" | control = "q" | control | contrasts[no-bias-vs-bias].control | arms are `bias`, `no-bias`
        control = "bias" | control = "no-bias" | control | contrasts[no-bias-vs-bias].control | is the treatment
        bias = "off" | bias = "on" | control | contrasts[no-bias-vs-bias].control | the same recipe
        arm = "bias" | arm = "b" | arm = "b" | published[0].arm | names `b`, which is no arm
        name = "bias" | name = "Bias" | Bias | arms[0].name | lower-case letters, digits and `-`, not `Bias`
        name = "no-bias-vs-bias" | name = "a b" | a b | contrasts[0].name | not `a b`
        claim = "C6" | claim = "C6"\nbears_on = ["C6"] | bears_on | bears_on[0] | is the `claim` itself
        margin = 0.5 | margin = 0.5\nclaim = "C 1" | claim = "C 1" | contrasts[no-bias-vs-bias].claim | must be letters, digits and `-`
        reading = "R." | reading = "R."\ndesigned = "after_trial" | - | designed_reason | say in a sentence what the trial changed
        reading = "R." | reading = "R."\ndesigned_reason = "A." | designed_reason | designed_reason | needs `designed = "after_trial"`
        reading = "R." | reading = "R."\ndesigned = "later" | later | designed | valid values are `before`, `after_trial`
        claim = "C6" | claim = "C6"\nbears_on = ["C1", "C1"] | bears_on | bears_on[1] | repeats `C1`
        place = "table 1" | place = " " | place | published[0].place | is empty
        suites = ["standard"] | suites = ["a", "a"] | suites | suites[1] | repeats `a`
        suites = ["standard"] | suites = ["A"] | suites | suites[0] | not `A`
        sentence = "S." | sentence = " " | sentence | sentence | is empty
        note = "N." | note = "" | note | contrasts[no-bias-vs-bias].note | is empty
        label = "with bias" | label = "" | label | arms[bias].label | is empty
        probes = ["train_test_gap"] | probes = ["saturation", "saturation"] | probes | probes | names `saturation` twice
        "#,
    );
}

#[test]
fn duplicate_name_is_reported_at_its_second_use() {
    let text = BASE.replace("name = \"no-bias\"", "name = \"bias\"");
    let error = parse(&text).unwrap_err();
    let named = text.lines().enumerate();
    let second = named.filter(|(_, line)| *line == "name = \"bias\"").last();
    assert_eq!(error.line(), second.map(|(i, _)| i + 1));
    assert!(error.message().contains("repeats `bias`"), "{error}");

    let (head, contrast) = BASE.split_once("[[contrasts]]").unwrap();
    let contrast = contrast.split_once("[[published]]").unwrap().0;
    let text = format!("{head}[[contrasts]]{contrast}[[contrasts]]{contrast}");
    let error = parse(&text).unwrap_err();
    let name = text.rfind("name = ").unwrap();
    assert_eq!(error.line(), Some(text[..name].lines().count() + 1));
    assert!(
        error.message().contains("repeats `no-bias-vs-bias`"),
        "{error}"
    );
}

#[test]
fn unnamed_arm_is_reported_by_its_index() {
    let text = BASE.replace("name = \"no-bias\"\n", "");
    let error = parse(&text).unwrap_err();
    assert_eq!(error.key(), Some("arms[1].name"));
    let header = text.rfind("[[arms]]").unwrap();
    assert_eq!(error.line(), Some(text[..header].lines().count() + 1));
}

#[test]
fn spec_without_arms_is_rejected() {
    let text = &BASE[..BASE.find("[[arms]]").unwrap()];
    let error = parse(text).unwrap_err();
    assert_eq!(error.key(), Some("arms"));
    let message = error.message();
    assert!(message.contains("add at least one `[[arms]]`"), "{error}");
}

#[test]
fn too_many_arms_are_rejected() {
    let many: String = (0..255)
        .map(|i| format!("[[arms]]\nname = \"a{i}\"\n"))
        .collect();
    let error = parse(&format!("{BASE}{many}")).unwrap_err();
    assert_eq!(error.key(), Some("arms"));
    assert!(error.message().contains("257 entries; 256"), "{error}");
}

#[test]
fn probe_without_anything_to_measure_is_rejected() {
    let probe = |name: &str| BASE.replace("[\"train_test_gap\"]", &format!("[\"{name}\"]"));
    for name in [
        "bias_gradient",
        "bias_twin",
        "scale_fold",
        "saturation",
        "homogeneity",
    ] {
        parse(&probe(name)).unwrap_or_else(|error| panic!("{error}"));
    }
    let batch = "kind = \"batch\"\nmomentum = 0.2";
    for (name, old, new, lack) in [
        ("bias_gradient", "\"on\"", "\"auto\"", "a block with a bias"),
        (
            "bias_twin",
            batch,
            "kind = \"none\"",
            "no arm with it has a norm",
        ),
        (
            "scale_fold",
            batch,
            "kind = \"batch\"\nscale = false",
            "a norm with a scale",
        ),
        ("saturation", "[16, 8]", "[]", "a hidden block"),
    ] {
        let text = probe(name);
        assert!(text.contains(old), "{old}");
        let error = parse(&text.replace(old, new)).unwrap_err();
        let location = (error.line(), error.key());
        assert_eq!(location, (Some(8), Some("probes")), "{error}");
        let said = error.message();
        assert!(said.contains(name) && said.contains(lack), "{error}");
    }
    let own = "bias = \"off\"\n[arms.set]\nprobes = [\"bias_gradient\"]";
    let error = parse(&BASE.replace("bias = \"off\"", own)).unwrap_err();
    assert_eq!(error.key(), Some("arms[no-bias].set.probes"), "{error}");
}

#[test]
fn invalid_toml_is_rejected_with_its_line() {
    for (old, new, on_line) in [
        ("epochs = 5", "epochs = = 5", "= = 5"),
        ("epochs = 5", "epochs = 5\nepochs = 6", "epochs = 6"),
        ("[train]", "[train", "[train"),
        ("title = \"T\"", "title = \"T", "title"),
    ] {
        let text = BASE.replacen(old, new, 1);
        let error = parse(&text).unwrap_err();
        let line = text.lines().position(|line| line.contains(on_line));
        assert_eq!(error.line(), line.map(|i| i + 1), "{error}");
        assert!(error.message().starts_with("not valid TOML: "), "{error}");
    }
}

#[test]
fn untestable_identity_is_rejected_with_advice() {
    const IDENTITY: &str = "\n[[identities]]\nnumber = 1\nstatement = \"I.\"\nvalue = \"accuracy_gap\"\n\
                            bound = 1e-9\nholds = [\"bias\"]\nfails = [\"no-bias\"]\nnote = \"Why.\"\n";
    assert!(parse(&format!("{BASE}{IDENTITY}")).is_ok());
    for (old, new, key, part) in [
        ("1e-9", "0", "bound", "must be positive and finite, not 0"),
        ("\"I.\"", "\" \"", "statement", "is empty"),
        ("\"Why.\"", "\"\"", "note", "is empty"),
        (
            "\"accuracy_gap\"",
            "\"gap\"",
            "value",
            "is `gap`, which no probe measures",
        ),
        (
            "\"accuracy_gap\"",
            "\"accuracy_gap.flex\"",
            "holds[0]",
            "names `bias`, which has no `accuracy_gap.flex`",
        ),
        (
            "\"accuracy_gap\"",
            "\"scale_sd\"",
            "value",
            "use a quantity with a single value",
        ),
        (
            "\"accuracy_gap\"",
            "\"dead\"",
            "holds[0]",
            "names `bias`, which does not have the probe `saturation`",
        ),
        (
            "[\"bias\"]",
            "[\"bais\"]",
            "holds[0]",
            "did you mean `bias`?",
        ),
        (
            "[\"bias\"]",
            "[\"no-bias\"]",
            "fails[0]",
            "names `no-bias` for the second time",
        ),
        (
            "holds = [\"bias\"]\nfails = [\"no-bias\"]\n",
            "",
            "holds",
            "name an arm in either",
        ),
    ] {
        let text = format!("{BASE}{}", IDENTITY.replacen(old, new, 1));
        let error = parse(&text).expect_err(new);
        let key = format!("identities[0].{key}");
        assert_eq!(error.key(), Some(key.as_str()), "{error}");
        assert!(error.message().contains(part), "{error}");
    }
}
