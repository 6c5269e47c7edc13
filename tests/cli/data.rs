//! Missing, damaged and inconsistent data files.

use crate::bench::{Bench, Done, TINY};

const TRAIN_IMAGES: &str = "data/mnist/train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "data/mnist/train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "data/mnist/t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "data/mnist/t10k-labels-idx1-ubyte";

/// An IDX file of 28x28 images whose header claims `claimed` images, followed by `bytes` pixels.
fn images(claimed: u32, bytes: usize) -> Vec<u8> {
    let header = [0x0803, claimed, 28, 28].map(u32::to_be_bytes).concat();
    let pixels = (0..bytes).map(|i| (i % 251) as u8);
    header.into_iter().chain(pixels).collect()
}

fn labels(count: u32) -> Vec<u8> {
    let header = [0x0801, count].map(u32::to_be_bytes).concat();
    header
        .into_iter()
        .chain((0..count).map(|i| (i % 10) as u8))
        .collect()
}

/// A test folder with a spec on MNIST, and data files of 40 training and 20 test images.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write(
        "experiments/images.toml",
        TINY.replace("\"digits\"", "\"mnist\""),
    );
    bench.write(TRAIN_IMAGES, images(40, 40 * 784));
    bench.write(TRAIN_LABELS, labels(40));
    bench.write(TEST_IMAGES, images(20, 20 * 784));
    bench.write(TEST_LABELS, labels(20));
    bench
}

fn run(bench: &Bench, arguments: &str) -> Done {
    let mut command = bench.command(arguments);
    command.env("ABLATE_DATA_DIR", bench.path("data"));
    command.output().unwrap().into()
}

/// Asserts that a run and a check fail on the data before anything is written.
#[track_caller]
fn is_unavailable(bench: &Bench, says: &str) {
    run(bench, "run images").ends(5).with_one_error().says(says);
    run(bench, "data check mnist")
        .ends(5)
        .with_one_error()
        .says(says);
    assert!(!bench.path("results").exists());
}

#[test]
fn missing_files_are_named_with_their_folder() {
    let bench = Bench::new();
    bench.write(
        "experiments/images.toml",
        TINY.replace("\"digits\"", "\"mnist\""),
    );
    std::fs::create_dir(bench.path("data")).unwrap();
    is_unavailable(&bench, "put them into");
    run(&bench, "data list").ends(0).shows("missing");
    run(&bench, "check images").ends(0);
    let plan = run(&bench, "plan images").ends(0).says("no time estimate");
    plan.shows("6 to train");
}

#[test]
fn truncated_file_is_named() {
    let bench = bench();
    bench.write(TRAIN_IMAGES, images(40, 39 * 784 + 5));
    is_unavailable(&bench, "train-images-idx3-ubyte`: its header claims");
}

#[test]
fn wrong_header_is_found() {
    let bench = bench();
    bench.write(TRAIN_IMAGES, images(41, 41 * 784));
    is_unavailable(&bench, "41 examples");
    bench.write(TRAIN_IMAGES, labels(40));
    is_unavailable(&bench, "it starts with 0x00000801");
}

#[test]
fn header_claiming_4_gib_is_rejected() {
    let bench = bench();
    bench.write(TRAIN_IMAGES, images(u32::MAX / 784, 784));
    is_unavailable(&bench, "exceeds the limit of 256 MiB");
}

#[test]
fn failed_cells_are_recorded_and_retried() {
    let bench = bench();
    // A batch of 64 fits the published size of the data set but not these files.
    let done = run(&bench, "run images").ends(3);
    let done = done.says("warning: images: a cell of arm `plain` failed: `train.batch_size` is 64");
    let done = done.says("error: 6 cells failed; run the same command again to retry");
    done.shows("images: Does it run?").shows("0 finished pairs");
    assert!(
        bench
            .text("results/images/runs.jsonl")
            .contains("\"failed\"")
    );
    run(&bench, "run images").ends(3).says("trained 6 cells");
    let small = TINY
        .replace("\"digits\"", "\"mnist\"")
        .replace("= 64", "= 8");
    bench.write("experiments/images.toml", small);
    run(&bench, "run images").ends(0).says("trained 6 cells");
}

#[test]
fn unpublished_data_warn_and_fail_a_check() {
    let bench = bench();
    let done = run(&bench, "data check mnist").ends(4);
    let done = done
        .shows("differs: published 60000")
        .says("is not MNIST as published");
    done.says("error: the data differ from the published data set");
    run(&bench, "data list").ends(0).shows("40 + 20 images");
    bench.run("data check digits").ends(0).shows("ok");
    bench.run("data check cifar").ends(2).with_one_error();
}
