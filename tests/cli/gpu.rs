//! Tests with wgpu. They need an adapter; Mesa's software adapter is enough.
#![cfg(feature = "wgpu")]

use crate::bench::Bench;
use serde_json::Value;

/// The first adapter.
fn adapter(bench: &Bench) -> Value {
    let done = bench.run("devices --format json").ends(0);
    let rows: Value = serde_json::from_str(&done.out).unwrap();
    let rows = rows.as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == "wgpu").unwrap();
    assert_eq!(
        row["present"], true,
        "no adapter; `apt-get install mesa-vulkan-drivers libvulkan1` brings one: {row:#}"
    );
    row["device"].clone()
}

#[test]
fn run_records_its_adapter() {
    let bench = Bench::new();
    let device = adapter(&bench);
    let name = device["adapter"].as_str().unwrap();
    println!("on {name}");
    bench.change_tiny("epochs = 2", "epochs = 1");
    let done = bench.run("run tiny --device wgpu").ends(0);
    let software = device["kind"] == "software_adapter";
    let warnings = done.err.matches("which runs on the CPU").count();
    assert_eq!(warnings, usize::from(software), "{}", done.err);

    let provenance = bench.text("ablate-results/tiny@device=wgpu/provenance.json");
    let provenance: Value = serde_json::from_str(&provenance).unwrap();
    let recorded = provenance["run"]["adapter"].as_str().unwrap();
    assert!(recorded.starts_with(name), "{recorded}");
    let report = bench.text("ablate-results/tiny@device=wgpu/report.md");
    assert!(
        report.contains(&format!("`wgpu` was {recorded}. ")),
        "{report}"
    );
    assert_eq!(report.contains("runs on the CPU"), software);
    let check = "report tiny@device=wgpu --check";
    bench.run(check).ends(0);

    let moved = bench.text("ablate-results/tiny@device=wgpu/provenance.json");
    let moved = moved.replace(recorded, "Another GPU");
    let moved = crate::reports::without_checksum(&moved);
    bench.write("ablate-results/tiny@device=wgpu/provenance.json", moved);
    bench.run(check).ends(4).says("report.md` is out of date");
    let done = bench.run("verify tiny@device=wgpu --cells 1");
    done.says(&format!(
        "trained on Another GPU, but `wgpu` is {recorded} here"
    ));
}

#[test]
fn missing_adapter_error_lists_available_ones() {
    let bench = Bench::new();
    let device = adapter(&bench);
    for verb in ["run tiny", "plan tiny"] {
        let done = bench.run(&format!("{verb} --device wgpu:999")).ends(5);
        let done = done
            .with_one_error()
            .says("there is no device `wgpu:999` on this machine");
        done.says(device["adapter"].as_str().unwrap());
    }
    assert!(!bench.path("ablate-results").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn no_adapter_error_says_what_to_install() {
    let bench = Bench::new();
    // Paths at which the Vulkan and OpenGL loaders find no driver.
    let hidden = |arguments: &str| {
        let mut command = bench.command(arguments);
        for name in [
            "VK_DRIVER_FILES",
            "VK_ICD_FILENAMES",
            "__EGL_VENDOR_LIBRARY_FILENAMES",
        ] {
            command.env(name, "/nowhere");
        }
        crate::bench::Done::from(command.output().unwrap())
    };
    let done = hidden("run tiny --device wgpu").ends(5).with_one_error();
    done.says("apt-get install mesa-vulkan-drivers libvulkan1");
    hidden("devices")
        .ends(0)
        .shows("mesa-vulkan-drivers libvulkan1");
    hidden("run tiny --device flex -q").ends(0);
}

/// One convolution with batch norm over more examples times pixels than llvmpipe's loop limit.
const LONG_SUMS: &str = r#"
title = "Long sums"
question = "Does the adapter finish them?"
reading = "It says nothing."
seeds = 1

[data]
name = "digits"

[model]
kind = "cnn"
channels = [2]
block.norm = { kind = "batch", ghost = 1100 }

[train]
epochs = 1
batch_size = 1100
learning_rate = 0.01

[[arms]]
name = "cnn"
"#;

/// Mesa's llvmpipe stops loops of a shader after 65,535 iterations (`LP_MAX_TGSI_LOOP_ITERATIONS`), so
/// sums over 1,100 images of 64 pixels that burn computes are truncated, for example those of ghost
/// batches. GPUs have no such limit.
#[test]
fn wrong_sums_of_llvmpipe_end_with_code_4() {
    let bench = Bench::new();
    let device = adapter(&bench);
    bench.write("experiments/long-sums.toml", LONG_SUMS);
    let done =
        bench.run("compare long-sums --devices flex,wgpu --steps 1 --only parity --results out");
    if !device["adapter"].as_str().unwrap().starts_with("llvmpipe") {
        done.ends(0).shows("within rounding");
        return;
    }
    done.ends(4)
        .says(
            "error: long-sums: `cnn` on `wgpu` deviates from double precision at step 1: the loss",
        )
        .says("the first deviation is the input of the activation of `stages.0.blocks.0`");
    let report = bench.text("out/backends/long-sums/report.md");
    assert!(
        report.contains("silently stops loops of a shader"),
        "{report}"
    );
}
