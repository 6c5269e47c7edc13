//! Missing, damaged and inconsistent data files.

use crate::bench::{Bench, Done, TINY};
use zune_core::bit_depth::BitDepth;
use zune_core::colorspace::ColorSpace;
use zune_core::options::EncoderOptions;

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

/// `tiny` on MNIST, with any content.
fn on_any_mnist() -> String {
    TINY.replace("\"digits\"", "\"mnist\"\ncontent = \"any\"")
}

/// A test folder with a spec on MNIST, and data files of 40 training and 20 test images.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("experiments/images.toml", on_any_mnist());
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
    let done = done.shows("images: Does it run?").shows("0 finished pairs");
    let why = "withheld: 6 of 6 cells failed; run again";
    done.shows(why);
    assert!(bench.text("results/images/report.md").contains(why));
    run(&bench, "list images")
        .ends(0)
        .shows("withheld: 6 of 6 cells");
    assert!(
        bench
            .text("results/images/runs.jsonl")
            .contains("\"failed\"")
    );
    run(&bench, "run images").ends(3).says("trained 6 cells");
    let small = on_any_mnist().replace("= 64", "= 8");
    bench.write("experiments/images.toml", small);
    run(&bench, "run images").ends(0).says("trained 6 cells");
}

#[test]
fn unpublished_data_fail_run_and_check() {
    let bench = bench();
    let any = bench.text("experiments/images.toml");
    bench.write(
        "experiments/images.toml",
        any.replace("\ncontent = \"any\"", ""),
    );
    let done = run(&bench, "run images").ends(5).with_one_error();
    done.says("train-images-idx3-ubyte` is not a file of MNIST as published")
        .says("set `data.content = \"any\"`");
    assert!(!bench.path("results").exists());
    let done = run(&bench, "data check mnist").ends(4);
    let done = done
        .shows("differs: published 60000")
        .shows("differs: published ba891046e6505d7a");
    done.says("error: the data differ from the published data set");
    let done = run(&bench, "data list").ends(0);
    done.shows("other content").shows("40 + 20 images");
    bench.run("data check digits").ends(0).shows("ok");
    bench.run("data check cifar").ends(2).with_one_error();
    let done = run(&bench, "run images --set data.content=all").ends(2);
    done.says("use `published`, `any`, or the 64 digits of a content hash");
}

/// The training labels of MNIST are 60,000 with these numbers per class, and start and end like this.
fn mnist_labels() -> Vec<u8> {
    let mut counts: [usize; 10] = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    let (first, last) = ([5, 0, 4], [5, 6, 8]);
    for label in first.iter().chain(&last) {
        counts[usize::from(*label)] -= 1;
    }
    let middle = (0u8..).zip(counts).flat_map(|(class, n)| vec![class; n]);
    let labels = first.into_iter().chain(middle).chain(last);
    let header = [0x0801, 60_000u32].map(u32::to_be_bytes).concat();
    header.into_iter().chain(labels).collect()
}

#[test]
fn black_training_images_fail_run_and_check() {
    let bench = bench();
    let header = [0x0803, 60_000u32, 28, 28].map(u32::to_be_bytes).concat();
    bench.write(TRAIN_IMAGES, [header, vec![0; 60_000 * 784]].concat());
    bench.write(TRAIN_LABELS, mnist_labels());
    let test = (0..10_000).map(|i| (i % 10) as u8);
    let header = [0x0801, 10_000u32].map(u32::to_be_bytes).concat();
    bench.write(
        TEST_LABELS,
        header.into_iter().chain(test).collect::<Vec<u8>>(),
    );
    bench.write(TEST_IMAGES, images(10_000, 10_000 * 784));
    let done = run(&bench, "run images --set data.content=published").ends(5);
    done.with_one_error()
        .says("the SHA-256 of its training images is")
        .says("published is ba891046e6505d7a");
    let done = run(&bench, "data check mnist").ends(4);
    done.shows("differs: published ba891046e6505d7a");
}

#[test]
fn content_is_part_of_cell_ids_and_of_provenance() {
    let bench = bench();
    let small = on_any_mnist().replace("= 64", "= 8");
    bench.write("experiments/images.toml", small);
    run(&bench, "run images -q").ends(0);
    let recorded = || {
        let text = bench.text("results/images/provenance.json");
        let provenance: serde_json::Value = serde_json::from_str(&text).unwrap();
        provenance["data"]["mnist"].as_str().unwrap().to_owned()
    };
    let first = recorded();
    let list: serde_json::Value =
        serde_json::from_str(&run(&bench, "data list --format json").ends(0).out).unwrap();
    assert_eq!(list[1]["content"], first.as_str());
    run(&bench, "plan images --no-time")
        .ends(0)
        .shows("0 to train");
    run(&bench, "report images --check").ends(0);

    // Other data: other cells.
    let mut changed = labels(40);
    changed[8] = 9;
    bench.write(TRAIN_LABELS, changed);
    run(&bench, "plan images --no-time")
        .ends(0)
        .shows("6 to train");
    let done = run(&bench, "report images --check").ends(4);
    done.says("6 cells of the current experiment file have no record");
    run(
        &bench,
        &format!("plan images --set data.content={first} --no-time"),
    )
    .ends(0);
    let done = run(&bench, &format!("run images --set data.content={first}")).ends(5);
    done.with_one_error().says("has the content").says(&first);
    run(&bench, "run images -q").ends(0);
    assert_ne!(recorded(), first);

    // A machine without the files.
    std::fs::remove_dir_all(bench.path("data")).unwrap();
    run(&bench, "plan images").ends(0).says("no time estimate");
    run(&bench, "list images").ends(0);
    let done = run(&bench, "report images --check").ends(0);
    done.says("the files of data set `mnist` are not here");
    let done = run(&bench, "run images").ends(5).with_one_error();
    done.says("put them into");
}

/// A grey PNG file of 8x8 pixels of one value.
fn png(value: u8) -> Vec<u8> {
    let options = EncoderOptions::new(8, 8, ColorSpace::Luma, BitDepth::Eight);
    let mut bytes = Vec::new();
    let pixels = [value; 64];
    zune_png::PngEncoder::new(&pixels, options)
        .encode(&mut bytes)
        .unwrap();
    bytes
}

/// A test folder with an experiment on a folder of dark and bright images.
fn pets() -> Bench {
    let bench = Bench::new();
    bench.write(
        "experiments/pets.toml",
        TINY.replace("\"digits\"", "\"pets\""),
    );
    for (part, n) in [("train", 50), ("test", 10)] {
        for (class, value) in [("cat", 20), ("dog", 200)] {
            for i in 0..n {
                bench.write(&format!("data/pets/{part}/{class}/{i}.png"), png(value + i));
            }
        }
    }
    bench
}

#[test]
fn folder_of_images_is_a_data_set() {
    let bench = pets();
    run(&bench, "data list")
        .ends(0)
        .shows("pets")
        .shows("data/pets");
    let done = run(&bench, "data show pets --sheet sheet.png").ends(0);
    done.shows("grey images of 8x8 pixels")
        .shows("dog      50    10");
    assert!(bench.path("sheet.png").exists());
    run(&bench, "run pets").ends(0).says("trained");
    run(&bench, "run pets").ends(0).says("reused");
    // Other images are other cells.
    bench.write("data/pets/train/cat/0.png", png(77));
    run(&bench, "run pets").ends(0).says("reused 0");
}

#[test]
fn corrupt_images_are_named_and_skipped_only_on_request() {
    let bench = pets();
    bench.write("data/pets/train/cat/3.png", "not an image");
    let done = run(&bench, "run pets").ends(5).with_one_error();
    done.says("1 of its 120 images cannot be decoded: `train/cat/3.png`");
    assert!(!bench.path("results").exists());
    let skipping = TINY.replace("\"digits\"", "\"pets\"\ncorrupt = \"skip\"");
    bench.write("experiments/pets.toml", skipping);
    let done = run(&bench, "run pets").ends(0);
    done.says("leaving out 1 of 120 images")
        .says("`train/cat/3.png`");
    let digits = TINY.replace("\"digits\"", "\"digits\"\ncorrupt = \"skip\"");
    bench.write("experiments/pets.toml", digits);
    run(&bench, "run pets")
        .ends(2)
        .says("`data.corrupt` is for folders of images");
}

/// `tiny` on the table `flowers` with its classes in the column `species`.
fn on_flowers() -> String {
    let data = "\"flowers\"\nlabel = \"species\"\nscale = \"standardize_features\"";
    TINY.replace("\"digits\"", data).replace("= 64", "= 16")
}

/// A table of two classes, 60 rows each, with columns of very different units.
fn flowers() -> String {
    let rows = (0..60).flat_map(|i| {
        let small = f64::from(i % 7) / 10.0;
        [
            format!("{},{},rose\n", 1000.0 + f64::from(i), small),
            format!("{},{},tulip\n", 1200.0 + f64::from(i), small - 0.8),
        ]
    });
    ["height,width,species\n".to_owned()]
        .into_iter()
        .chain(rows)
        .collect()
}

#[test]
fn table_is_a_data_set() {
    let bench = Bench::new();
    bench.write("experiments/flowers.toml", on_flowers());
    bench.write("data/flowers.csv", flowers());
    run(&bench, "data list")
        .ends(0)
        .shows("flowers")
        .shows("table");
    let done = run(&bench, "data show flowers --label species").ends(0);
    done.shows("table `flowers`: rows of 2 numbers")
        .shows("tulip     60");
    let done = run(&bench, "data show flowers").ends(5).with_one_error();
    done.says("set `data.label` to the column of the classes, one of `height`, `width`, `species`");
    run(&bench, "data check flowers --label species")
        .ends(0)
        .shows("ok");
    run(&bench, "run flowers").ends(0).says("trained 6 cells");
    run(&bench, "run flowers").ends(0).says("reused 6");
    // The form of the file does not count, its numbers do.
    bench.write(
        "data/flowers.csv",
        flowers().replace(',', ";").replace('\n', "\r\n"),
    );
    run(&bench, "run flowers").ends(0).says("reused 6");
    bench.write("data/flowers.csv", flowers().replace("1000,", "1001,"));
    run(&bench, "plan flowers --no-time")
        .ends(0)
        .shows("6 to train");
}

#[test]
fn defects_of_a_table_are_found_before_anything_is_trained() {
    let bench = Bench::new();
    bench.write("experiments/flowers.toml", on_flowers());
    bench.write("data/flowers.csv", flowers().replace("1003,", "tall,"));
    let done = run(&bench, "run flowers").ends(5).with_one_error();
    done.says("data/flowers.csv`, line 8, column `height`: `tall` is not a number");
    bench.write("data/flowers.csv", flowers());
    let unit = on_flowers().replace("standardize_features", "standardize");
    bench.write("experiments/flowers.toml", unit);
    let done = run(&bench, "run flowers").ends(2).with_one_error();
    done.says("`data.scale` must be `standardize_features` for the table `flowers`");
    let label = TINY.replace("\"digits\"", "\"digits\"\nlabel = \"species\"");
    bench.write("experiments/flowers.toml", label);
    let done = run(&bench, "run flowers").ends(2).with_one_error();
    done.says("`data.label` is for tables, and `digits` is none; remove it");
    assert!(!bench.path("results").exists());
}

#[test]
fn net_of_a_table_classifies_rows() {
    let bench = Bench::new();
    let recipe = on_flowers();
    let start = recipe.find("[data]").unwrap();
    let recipe = &recipe[start..recipe.find("[[arms]]").unwrap()];
    bench.write("flowers.toml", recipe.replace("epochs = 2", "epochs = 20"));
    bench.write("data/flowers.csv", flowers());
    run(&bench, "train flowers.toml --out nets").ends(0);
    run(&bench, "evaluate nets/flowers.toml").ends(0);
    bench.write("new.csv", "height,width\n1010,0.3\n1250,-0.6\n");
    let done = run(&bench, "predict nets/flowers.toml new.csv").ends(0);
    let classes: Vec<_> = done
        .out
        .lines()
        .map(|line| line.contains("\"class\":1"))
        .collect();
    assert_eq!(classes, [false, true], "{}", done.out);
    bench.write("new.csv", "1010,tall\n");
    let done = run(&bench, "predict nets/flowers.toml new.csv").ends(5);
    done.says("line 1: `tall` is not a finite number");
}

#[test]
fn download_that_fails_says_where_files_belong() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("data")).unwrap();
    // Nobody listens on port 1.
    let done = run(&bench, "data fetch mnist --mirror http://127.0.0.1:1/mnist").ends(5);
    done.says("cannot download `http://127.0.0.1:1/mnist/train-images-idx3-ubyte.gz`")
        .says("and put it into `")
        .says("data/mnist`");
    run(&bench, "data fetch digits").ends(2).with_one_error();
    let list = run(&bench, "data list --format json").ends(0);
    list.shows("`ablate data fetch cifar10` downloads them");
}
