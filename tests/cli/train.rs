//! Nets that are trained, scored, used, exported and imported.

use crate::bench::{Bench, wait_until};
use serde_json::Value;
use zune_core::bit_depth::BitDepth;
use zune_core::colorspace::ColorSpace;
use zune_core::options::EncoderOptions;

/// A training of a few seconds, as a file with the recipe alone.
const SLOW: &str = "\
[data]
name = \"digits\"

[model]
preset = \"mlp-digits-bn\"
block.dropout.rate = 0.2

[train]
epochs = 40
batch_size = 32
learning_rate = 0.003
";

fn trained() -> Bench {
    let bench = Bench::new();
    let done = bench.run("train mlp-digits --set train.epochs=2 --seeds 2");
    done.ends(0)
        .shows("of 2 seeds")
        .shows("wrote trained/mlp-digits.safetensors");
    bench
}

#[test]
fn evaluation_reproduces_the_card_from_either_file() {
    let bench = trained();
    let accuracy = |name: &str| {
        let done = bench.run(&format!("evaluate {name} --format json")).ends(0);
        let found: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(found["reproduced"], true);
        found["accuracy"].as_f64().unwrap()
    };
    let names = [
        "mlp-digits",
        "trained/mlp-digits.toml",
        "trained/mlp-digits.safetensors",
    ];
    let found = names.map(accuracy);
    assert!(
        found[0] > 80.0 && found.iter().all(|&a| a == found[0]),
        "{found:?}"
    );
    let card = bench.text("trained/mlp-digits.toml");
    assert!(card.contains(&format!("accuracy = {}", found[0])), "{card}");
    let left = bench.files("trained").into_keys().collect::<Vec<_>>();
    assert_eq!(left, ["mlp-digits.safetensors", "mlp-digits.toml"]);
}

#[test]
fn one_flipped_byte_of_the_weights_exits_4() {
    let bench = trained();
    let mut bytes = bench.read("trained/mlp-digits.safetensors");
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    bench.write("trained/mlp-digits.safetensors", bytes);
    for command in ["evaluate mlp-digits", "predict mlp-digits x.csv"] {
        let done = bench.run(command).ends(4).with_one_error();
        done.says("are not those of their card: SHA-256 is");
    }
}

#[test]
fn another_accuracy_in_the_card_exits_4() {
    let bench = trained();
    let card = bench.text("trained/mlp-digits.toml");
    let line = |key: &str| {
        let found = card.lines().find(|line| line.starts_with(key));
        found
            .unwrap_or_else(|| panic!("no `{key}` in {card}"))
            .to_owned()
    };
    let rest = ["accuracy", "seeds", "mean", "sd"].map(line);
    let other = [
        "accuracy = 50.0",
        "seeds = [50.0]",
        "mean = 50.0",
        "sd = 0.0",
    ];
    let changed = rest
        .iter()
        .zip(other)
        .fold(card.clone(), |card, (old, new)| card.replace(old, new));
    bench.write("trained/mlp-digits.toml", changed);
    bench
        .run("evaluate mlp-digits")
        .ends(4)
        .says("the card says 50 %");
}

#[test]
fn killed_training_continues_to_the_same_bytes() {
    let bench = Bench::new();
    bench.write("slow.toml", SLOW);
    let mut run = bench.start("train slow.toml");
    let checkpoint = bench.path("trained/slow.checkpoint/checkpoint.json");
    wait_until("a checkpoint", || {
        assert_eq!(
            run.try_wait().unwrap(),
            None,
            "the training ended too early"
        );
        checkpoint.exists()
    });
    run.kill().unwrap();
    assert_eq!(run.wait().unwrap().code(), None);
    assert!(!bench.path("trained/slow.toml").exists());
    bench
        .run("train slow.toml")
        .ends(0)
        .says("slow: goes on after evaluation");
    let alone = Bench::new();
    alone.write("slow.toml", SLOW);
    alone.run("train slow.toml").ends(0);
    assert_eq!(bench.files("trained"), alone.files("trained"));
}

#[test]
fn a_checkpoint_of_other_settings_needs_fresh() {
    let bench = Bench::new();
    bench.write("slow.toml", SLOW);
    let mut run = bench.start("train slow.toml");
    let checkpoint = bench.path("trained/slow.checkpoint/checkpoint.json");
    wait_until("a checkpoint", || checkpoint.exists());
    run.kill().unwrap();
    run.wait().unwrap();
    let other = "train slow.toml --set train.epochs=1";
    bench.run(other).ends(2).with_one_error().says("`--fresh`");
    bench.run(&format!("{other} --fresh")).ends(0);
}

#[test]
fn early_stopping_ends_before_the_last_epoch() {
    let bench = Bench::new();
    let recipe = SLOW
        .replace("0.003", "0.1")
        .replace("epochs = 40", "epochs = 400");
    bench.write("early.toml", recipe);
    bench.run("train early.toml --patience 2").ends(0);
    let card: toml::Table = bench.text("trained/early.toml").parse().unwrap();
    let training = &card["training"];
    assert_eq!(training["patience"].as_integer(), Some(2));
    assert!(training["kept"].as_integer().unwrap() < 398, "{training}");
    let recipe = SLOW.replace("name = \"digits\"", "name = \"digits\"\nvalidation = 0.0");
    bench.write("none.toml", recipe);
    let done = bench
        .run("train none.toml --patience 2")
        .ends(2)
        .with_one_error();
    done.says("needs a validation split");
}

#[test]
fn predictions_are_json_lines_with_class_probability_and_logits() {
    let bench = trained();
    let image = |first: u8| {
        let pixels: Vec<String> = (0..64).map(|i| (i % 17 * first % 17).to_string()).collect();
        pixels.join(",")
    };
    bench.write("a.csv", format!("{}\n{}\n", image(3), image(5)));
    let done = bench.run("predict mlp-digits a.csv").ends(0);
    assert_eq!(done.out.lines().count(), 2);
    for (i, line) in done.out.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (line["file"].as_str(), line["image"].as_u64()),
            (Some("a.csv"), Some(i as u64))
        );
        let logits: Vec<f64> = serde_json::from_value(line["logits"].clone()).unwrap();
        let class = line["class"].as_u64().unwrap() as usize;
        assert!(logits.iter().all(|logit| *logit <= logits[class]), "{line}");
        let sum: f64 = logits
            .iter()
            .map(|logit| (logit - logits[class]).exp())
            .sum();
        assert!(
            (line["probability"].as_f64().unwrap() - 1.0 / sum).abs() < 1e-9,
            "{line}"
        );
    }
    // The same images as IDX.
    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8];
    idx.extend(
        [3u8, 5]
            .into_iter()
            .flat_map(|first| (0..64u16).map(move |i| (i * u16::from(first) % 17) as u8)),
    );
    bench.write("a-idx3-ubyte", &idx);
    let other = bench.run("predict mlp-digits a-idx3-ubyte").ends(0);
    assert_eq!(other.out.replace("a-idx3-ubyte", "a.csv"), done.out);
    bench.write("b.csv", "1,2,3\n");
    let wrong = bench
        .run("predict mlp-digits b.csv")
        .ends(5)
        .with_one_error();
    wrong.says("line 1: has 3 values, but an image has 64");
    bench.write("c-idx3-ubyte", &idx[..100]);
    bench
        .run("predict mlp-digits c-idx3-ubyte")
        .ends(5)
        .with_one_error();
}

#[test]
fn image_files_are_classified_and_broken_ones_are_counted() {
    let bench = trained();
    let image = |first: usize| -> Vec<u8> { (0..64).map(|i| (i * first % 17) as u8).collect() };
    let line = |first| {
        let cells: Vec<String> = image(first).iter().map(u8::to_string).collect();
        cells.join(",")
    };
    bench.write("a.csv", format!("{}\n{}\n", line(3), line(5)));
    let rows = bench.run("predict mlp-digits a.csv").ends(0).out;
    let png = |first| {
        let options = EncoderOptions::new(8, 8, ColorSpace::Luma, BitDepth::Eight);
        let mut bytes = Vec::new();
        let pixels = image(first);
        let encoded = zune_png::PngEncoder::new(&pixels, options).encode(&mut bytes);
        encoded.unwrap();
        bytes
    };
    bench.write("new/3/one.png", png(3));
    bench.write("new/two.PNG", png(5));
    let done = bench.run("predict mlp-digits new").ends(0);
    let expected = rows
        .replace("\"a.csv\",\"image\":0", "\"new/3/one.png\",\"image\":0")
        .replace("\"a.csv\",\"image\":1", "\"new/two.PNG\",\"image\":0");
    assert_eq!(done.out, expected);
    bench.write("new/broken.png", &png(3)[..40]);
    bench
        .run("predict mlp-digits new new/two.PNG")
        .ends(5)
        .says("warning: cannot use `new/broken.png`")
        .says("error: 1 of 4 image files could not be classified")
        .shows("new/3/one.png");
}

#[test]
fn exported_weights_are_imported_with_every_bit() {
    let bench = trained();
    bench
        .run("models export mlp-digits --out out")
        .ends(0)
        .shows("wrote out/mlp-digits.py");
    assert!(
        bench
            .text("out/mlp-digits.py")
            .contains("nn.Linear(64, 128),  # 1")
    );
    let done = bench
        .run("models import out/mlp-digits.safetensors mlp-digits --name again")
        .ends(0);
    done.shows("test images correct");
    let files = bench.files("trained");
    assert_eq!(files["again.safetensors"], files["mlp-digits.safetensors"]);
    bench.run("evaluate again").ends(0);
    let wrong = bench
        .run("models import out/mlp-digits.safetensors mlp-digits-bn")
        .ends(5);
    wrong
        .with_one_error()
        .says("the model also needs `2.weight`, `2.bias`");
}

#[test]
fn what_cannot_be_trained_is_said_before_training() {
    let bench = Bench::new();
    for (command, message) in [
        ("train lstm", "there is no such experiment"),
        ("train linear --data nothing", "nothing"),
        (
            "train tiny",
            "choose an arm with `--arm NAME`: `plain`, `dropout`",
        ),
        (
            "train tiny --arm x",
            "there is no arm `x`; choose one of `plain`, `dropout`",
        ),
        (
            "train linear --set train.learning_rate=[0.1,0.2]",
            "has 2 learning rates",
        ),
        (
            "train linear --seed 9223372036854775807 --seeds 2",
            "lower `--seed`",
        ),
        ("evaluate lstm", "there is no trained net `lstm`"),
    ] {
        bench.run(command).ends(2).with_one_error().says(message);
    }
    bench
        .run("train tiny --arm dropout --set train.epochs=1")
        .ends(0);
    bench.run("evaluate tiny-dropout").ends(0);
}
