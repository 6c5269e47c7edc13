//! Passes facts about the build to the program: fingerprints of its code, compiler, features.

use sha2::{Digest, Sha256};
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

#[path = "src/provenance/fingerprint.rs"]
mod fingerprint;

use fingerprint::Target;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    for path in [
        "build.rs",
        "Cargo.lock",
        "src",
        "models/src",
        "models/kernels/src",
        "models/streams/src",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    for (name, target) in [("CPU", Target::Cpu), ("GPU", Target::Gpu)] {
        let fingerprint = fingerprint::fingerprint(&root, &lock, target)?;
        println!("cargo::rustc-env=ABLATE_{name}_FINGERPRINT={fingerprint}");
    }
    println!(
        "cargo::rustc-env=ABLATE_LOCK_SHA256={:x}",
        Sha256::digest(&lock)
    );
    println!("cargo::rustc-env=ABLATE_FEATURES={}", features());
    println!("cargo::rustc-env=ABLATE_RUSTC={}", rustc_version()?);
    Ok(())
}

/// Names of the enabled features, sorted and separated by commas.
fn features() -> String {
    let name =
        |(key, _): (String, String)| Some(key.strip_prefix("CARGO_FEATURE_")?.to_lowercase());
    let mut names: Vec<String> = env::vars()
        .filter_map(name)
        .filter(|n| n != "default")
        .collect();
    names.sort();
    names.join(",").replace('_', "-")
}

fn rustc_version() -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var("RUSTC")?).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
