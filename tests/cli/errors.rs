//! User errors: each gives an exit code and one line with advice, and trains nothing.

use crate::bench::{Bench, TINY};

/// Runs `ablate run tiny` on the spec with `from` replaced by `to`.
#[track_caller]
fn bad_spec(from: &str, to: &str, says: &str) {
    let bench = Bench::new();
    bench.change_tiny(from, to);
    for verb in ["run", "check", "plan"] {
        let done = bench.run(&format!("{verb} tiny")).ends(2).with_one_error();
        done.says("experiments/tiny.toml").says(says);
    }
    assert!(!bench.path("results").exists());
}

#[test]
fn unknown_key_suggests_the_nearest() {
    bad_spec(
        "epochs = 2",
        "epochs = 2\nepoch = 3",
        "did you mean `train.epochs`?",
    );
}

#[test]
fn wrong_type_names_the_key() {
    bad_spec("epochs = 2", "epochs = \"two\"", "train.epochs");
}

#[test]
fn contrast_with_an_unknown_arm_is_rejected() {
    bad_spec("treatment = \"dropout\"", "treatment = \"drop\"", "drop");
}

#[test]
fn dropout_rate_of_one_is_rejected() {
    bad_spec("rate = 0.3", "rate = 1.0", "rate");
}

#[test]
fn empty_list_of_seeds_is_rejected() {
    bad_spec("seeds = 3", "seeds = []", "seeds");
}

#[test]
fn nan_learning_rate_is_rejected() {
    bad_spec(
        "learning_rate = 0.01",
        "learning_rate = nan",
        "learning_rate",
    );
}

#[test]
fn batch_larger_than_the_training_split_is_rejected() {
    bad_spec(
        "batch_size = 64",
        "batch_size = 1200",
        "arms `plain`, `dropout`: `train.batch_size` is 1200, but there are only 1150 training examples",
    );
}

#[test]
fn too_many_poolings_are_rejected() {
    bad_spec(
        "kind = \"mlp\"\nhidden = [16]",
        "kind = \"cnn\"\nchannels = [4, 4, 4, 4, 4]",
        "`model.channels` has too many stages for an image of 8x8",
    );
}

#[test]
fn huge_models_are_rejected() {
    bad_spec(
        "hidden = [16]",
        "hidden = [4_000_000_000]",
        "at most 1048576",
    );
    bad_spec(
        "hidden = [16]",
        "hidden = [100_000, 100_000]",
        "10007600010 parameters",
    );
    let convs = "kind = \"cnn\"\nchannels = [4]\nconvs = 9_000_000_000";
    bad_spec("kind = \"mlp\"\nhidden = [16]", convs, "`model.convs` is");
}

#[test]
fn subset_larger_than_the_training_split_is_rejected() {
    bad_spec(
        "name = \"digits\"",
        "name = \"digits\"\nsubset = 1500",
        "`data.subset` is 1500",
    );
}

#[test]
fn every_verb_shows_all_mistakes_of_a_file() {
    let bench = Bench::new();
    let text = TINY.replace("seeds = 3", "seeds = \"three\"");
    bench.write(
        "experiments/tiny.toml",
        text.replace("epochs = 2", "epoch = 2"),
    );
    for verb in ["run", "check", "plan"] {
        let done = bench.run(&format!("{verb} tiny")).ends(2);
        let done = (done.says("`seeds` must be a number"))
            .says("did you mean `train.epochs`?")
            .says("| epoch = 2\n")
            .says("| ^^^^^\n");
        assert!(done.err.ends_with("\n\n2 mistakes\n"), "{done:#?}");
    }
}

#[test]
fn check_reports_every_bad_file() {
    let bench = Bench::new();
    bench.write(
        "experiments/a.toml",
        TINY.replace("epochs = 2", "epochs = 0"),
    );
    bench.write("experiments/b.toml", "not toml");
    let done = bench.run("check").ends(2).shows("ok experiments/tiny.toml");
    let lines = done.err.lines().filter(|line| !line.starts_with(' '));
    let errors: Vec<&str> = lines.collect();
    assert_eq!(errors.len(), 2, "{done:#?}");
    assert!(
        errors[0].starts_with("error: experiments/a.toml:"),
        "{done:#?}"
    );
    assert!(
        errors[1].starts_with("error: experiments/b.toml:"),
        "{done:#?}"
    );
}

#[test]
fn unknown_experiment_suggests_the_nearest() {
    let bench = Bench::new();
    let done = bench.run("run tinny").ends(2).with_one_error();
    done.says("did you mean `tiny`?")
        .says("(suites: `quick`, `standard`)");
    let done = bench.run("run no/such.toml").ends(2).with_one_error();
    done.says("no/such.toml");
}

#[test]
fn missing_experiments_folder_gives_advice() {
    let bench = Bench::new();
    let done = bench
        .run("run --experiments elsewhere")
        .ends(2)
        .with_one_error();
    done.says("cannot find the experiments folder `elsewhere`")
        .says("`ablate init` writes one");
}

#[test]
fn two_files_with_one_name_are_rejected() {
    let bench = Bench::new();
    bench.write("mine/tiny.toml", TINY);
    let done = bench
        .run("run tiny mine/tiny.toml")
        .ends(2)
        .with_one_error();
    done.says("would share the results folder `tiny`");
}

#[test]
fn overrides_are_checked_like_files() {
    let bench = Bench::new();
    let done = bench
        .run("run tiny --set train.epoch=3")
        .ends(2)
        .with_one_error();
    done.says("did you mean `train.epochs`?");
    bench
        .run("run tiny --set trian.epochs=3")
        .ends(2)
        .says("did you mean `train`?");
    bench
        .run("run tiny --set model.block.dropout.rate=0.3")
        .ends(2)
        .with_one_error();
    bench.run("run tiny --seeds 0").ends(2).with_one_error();
    let done = bench.run("run tiny --jobs 0").ends(2);
    done.says("it must be a whole number of at least 1");
    bench.run("run tiny --nonsense").ends(2);
    bench.run("train").ends(2);
}

#[test]
fn missing_device_is_an_error() {
    let bench = Bench::new();
    let done = bench.run("run tiny --device gpu").ends(2).with_one_error();
    done.says("unknown device `gpu`");
    for name in ["wgpu:first", "cuda:-1", "flex:0", "wgpu:cpu:0:0"] {
        let done = bench.run(&format!("plan tiny --device {name}")).ends(2);
        done.with_one_error().says("unknown device");
    }
    for name in ablate::device::NAMES {
        if !ablate::device::built_in().contains(&name) {
            let done = bench.run(&format!("run tiny --device {name}")).ends(5);
            done.with_one_error().says(&format!("--features {name}"));
        }
    }
    assert!(!bench.path("results").exists());
}

#[test]
fn unwritable_results_folder_is_found_before_the_run() {
    let bench = Bench::new();
    bench.write("results", "a file");
    let done = bench.run("run tiny").ends(5).with_one_error();
    done.says("there is a file where a folder is needed: move or delete it");
    bench.run("run tiny --fresh").ends(5).with_one_error();
}

#[test]
fn damaged_records_are_named_set_aside_and_trained_again() {
    let bench = Bench::new();
    let damage = || bench.write("results/tiny/runs.jsonl", "{}\n");
    damage();
    bench.run("plan tiny").ends(0).says("line 1");
    bench
        .run("list")
        .ends(0)
        .says("line 1")
        .says("train the damaged cells again");
    bench.run("report tiny").ends(5).says("line 1");
    bench.run("verify tiny").ends(5);
    damage();
    let done = bench.run("run tiny").ends(0);
    done.says("`results/tiny/runs.jsonl` line 1");
    let aside = bench.path("results/tiny/runs.jsonl.damaged");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "{}\n");
    bench.run("report tiny --check").ends(0);
}
