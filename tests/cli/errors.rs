//! Mistakes: each ends with its code and one line that says what to do, and nothing is trained.

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
fn an_unknown_key_is_named_with_the_nearest_valid_one() {
    bad_spec(
        "epochs = 2",
        "epochs = 2\nepoch = 3",
        "did you mean `train.epochs`?",
    );
}

#[test]
fn a_wrong_type_is_named() {
    bad_spec("epochs = 2", "epochs = \"two\"", "train.epochs");
}

#[test]
fn a_contrast_needs_arms_that_are_there() {
    bad_spec("treatment = \"dropout\"", "treatment = \"drop\"", "drop");
}

#[test]
fn a_dropout_rate_of_one_leaves_nothing() {
    bad_spec("rate = 0.3", "rate = 1.0", "rate");
}

#[test]
fn an_empty_list_of_seeds_runs_nothing() {
    bad_spec("seeds = 3", "seeds = []", "seeds");
}

#[test]
fn a_learning_rate_is_a_number() {
    bad_spec(
        "learning_rate = 0.01",
        "learning_rate = nan",
        "learning_rate",
    );
}

#[test]
fn a_batch_larger_than_the_training_split_is_found_before_the_run() {
    bad_spec(
        "batch_size = 64",
        "batch_size = 1200",
        "arms `plain`, `dropout`: `train.batch_size` is 1200, but the splits leave only 1150 training examples",
    );
}

#[test]
fn more_pooling_than_there_are_pixels_is_found_before_the_run() {
    bad_spec(
        "kind = \"mlp\"\nhidden = [16]",
        "kind = \"cnn\"\nchannels = [4, 4, 4, 4, 4]",
        "`model.channels` leave nothing of an image of 8x8",
    );
}

#[test]
fn a_model_larger_than_any_memory_is_found_before_the_run() {
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
fn a_subset_larger_than_what_the_splits_leave_is_found_before_the_run() {
    bad_spec(
        "name = \"digits\"",
        "name = \"digits\"\nsubset = 1500",
        "`data.subset` is 1500",
    );
}

#[test]
fn a_check_names_every_bad_file_and_passes_the_good_ones() {
    let bench = Bench::new();
    bench.write(
        "experiments/a.toml",
        TINY.replace("epochs = 2", "epochs = 0"),
    );
    bench.write("experiments/b.toml", "not toml");
    let done = bench.run("check").ends(2).shows("ok experiments/tiny.toml");
    let errors: Vec<&str> = done.err.lines().collect();
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
fn a_name_that_is_nothing_is_answered_with_the_nearest_one() {
    let bench = Bench::new();
    let done = bench.run("run tinny").ends(2).with_one_error();
    done.says("did you mean `tiny`?")
        .says("suites are `quick`, `standard`");
    let done = bench.run("run no/such.toml").ends(2).with_one_error();
    done.says("no/such.toml");
}

#[test]
fn without_a_folder_of_experiments_the_way_there_is_told() {
    let bench = Bench::new();
    let done = bench
        .run("run --experiments elsewhere")
        .ends(2)
        .with_one_error();
    done.says("there is no folder `elsewhere`; run from the root of the repository");
}

#[test]
fn two_files_of_one_name_do_not_share_a_folder() {
    let bench = Bench::new();
    bench.write("mine/tiny.toml", TINY);
    let done = bench
        .run("run tiny mine/tiny.toml")
        .ends(2)
        .with_one_error();
    done.says("would share the results folder `tiny`");
}

#[test]
fn overrides_and_arguments_are_checked_like_files() {
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
    bench.run("run tiny --jobs 0").ends(2);
    bench.run("run tiny --nonsense").ends(2);
    bench.run("train").ends(2);
}

#[test]
fn a_device_that_is_not_there_is_never_replaced_by_another() {
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
fn results_that_cannot_be_written_are_found_before_the_run() {
    let bench = Bench::new();
    bench.write("results", "a file");
    let done = bench.run("run tiny").ends(5).with_one_error();
    done.says("a file is where a folder should be: move it away");
    bench.run("run tiny --fresh").ends(5).with_one_error();
}

#[test]
fn records_that_were_tampered_with_are_named_by_line() {
    let bench = Bench::new();
    bench.write("results/tiny/runs.jsonl", "{}\n");
    for arguments in ["run tiny", "report tiny", "verify tiny", "plan tiny"] {
        let done = bench.run(arguments).ends(5).with_one_error();
        done.says("`results/tiny/runs.jsonl` line 1 is not a record");
    }
}
