//! Data that are missing, damaged or lying.

use crate::bench::{Bench, Done, TINY};

const TRAIN_IMAGES: &str = "data/mnist/train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "data/mnist/train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "data/mnist/t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "data/mnist/t10k-labels-idx1-ubyte";

/// Images of 28x28 in IDX: what the header says, and how many bytes follow.
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

/// One with a spec on MNIST and a data set of 40 and 20 images.
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

/// Fails unless the data are found to be bad before anything is written.
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
fn missing_files_are_named_with_where_to_put_them() {
    let bench = Bench::new();
    bench.write(
        "experiments/images.toml",
        TINY.replace("\"digits\"", "\"mnist\""),
    );
    std::fs::create_dir(bench.path("data")).unwrap();
    is_unavailable(&bench, "put them into");
    run(&bench, "data list").ends(0).shows("missing");
    run(&bench, "check images").ends(0);
    let plan = run(&bench, "plan images").ends(0).says("cannot be timed");
    plan.shows("6 to train");
}

#[test]
fn a_truncated_file_is_named() {
    let bench = bench();
    bench.write(TRAIN_IMAGES, images(40, 39 * 784 + 5));
    is_unavailable(&bench, "train-images-idx3-ubyte`: it claims to hold");
}

#[test]
fn a_lying_header_is_found() {
    let bench = bench();
    bench.write(TRAIN_IMAGES, images(41, 41 * 784));
    is_unavailable(&bench, "41 examples");
    bench.write(TRAIN_IMAGES, labels(40));
    is_unavailable(&bench, "it starts with 0x00000801");
}

#[test]
fn a_claim_of_four_gibibytes_is_refused_without_being_believed() {
    let bench = bench();
    bench.write(TRAIN_IMAGES, images(u32::MAX / 784, 784));
    is_unavailable(&bench, "more than the 256 MiB that are read");
}

#[test]
fn cells_that_fail_are_records_and_the_next_run_tries_them_again() {
    let bench = bench();
    // The published sizes allow batches of 64; these files do not.
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
fn data_other_than_published_are_used_with_a_warning_and_fail_a_check() {
    let bench = bench();
    let done = run(&bench, "data check mnist").ends(4);
    let done = done
        .shows("differs: published 60000")
        .says("is not MNIST as published");
    done.says("error: data are not as they were published");
    run(&bench, "data list").ends(0).shows("40 + 20 images");
    bench.run("data check digits").ends(0).shows("ok");
    bench.run("data check cifar").ends(2).with_one_error();
}
