//! Checks exported weights with PyTorch, both ways: every preset, and every kind of norm, position, scale,
//! center, bias and activation in an MLP and a CNN.
//!
//! ```sh
//! python3 -m venv venv && venv/bin/pip install -r examples/interchange/requirements.txt
//! cargo run --example interchange -- venv/bin/python
//! ```
//!
//! Each net classifies 1,000 images here and, loaded into a plain `nn.Sequential`, in PyTorch. PyTorch then
//! changes the weights and saves them; they are read back here and compared again. Presets for MNIST need its
//! files (`ablate data list`) and are skipped without them.

mod cases;

use ablate::data::PixelScaling;
use ablate::train::TrainedNet;
use ablate_models::interchange::Weights;
use cases::{Case, Images, cases};
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Largest difference of logits, relative to the largest logit of the image.
const BOUND: f64 = 1e-5;

fn main() -> ExitCode {
    let Some(python) = std::env::args().nth(1) else {
        eprintln!(
            "usage: interchange PYTHON (an interpreter with examples/interchange/requirements.txt)"
        );
        return ExitCode::from(2);
    };
    match check(&python) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all logits agree.
fn check(python: &str) -> Result<bool, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let cases = cases()?;
    for case in &cases {
        write(case, &folder.path().join(&case.name))?;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/interchange/check.py");
    let status = Command::new(python)
        .arg(script)
        .arg(folder.path())
        .status()?;
    if !status.success() {
        return Err(format!("`{python} {script}` failed").into());
    }
    let mut all = true;
    println!(
        "{:<44} {:>9} {:>9}",
        "largest relative difference of logits", "out", "back"
    );
    for case in &cases {
        let own = folder.path().join(&case.name);
        let there = floats(&own.join("torch.f32"))?;
        let out = difference(case, &logits(case, &case.weights)?, &there);
        let back = Weights::from_safetensors(&std::fs::read(own.join("back.safetensors"))?)?;
        let there = floats(&own.join("back.f32"))?;
        let back = difference(case, &logits(case, &back)?, &there);
        let agrees = out <= BOUND && back <= BOUND;
        all &= agrees;
        let mark = if agrees { "" } else { "  DIFFERS" };
        println!("{:<44} {out:>9.1e} {back:>9.1e}{mark}", case.name);
    }
    let n = cases.len();
    println!(
        "{n} nets, bound {BOUND:e}: {}",
        if all { "all agree" } else { "NOT all agree" }
    );
    Ok(all)
}

/// Writes weights, code and images of `case`.
fn write(case: &Case, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(
        folder.join("net.safetensors"),
        case.weights.to_safetensors()?,
    )?;
    std::fs::write(folder.join("net.py"), case.network.python())?;
    let Images { pixels, scaling } = &*case.images;
    let bytes = scaling.apply(pixels).into_iter().flat_map(f32::to_le_bytes);
    std::fs::write(folder.join("images.f32"), bytes.collect::<Vec<u8>>())?;
    let [height, width, channels] = case.network.input();
    assert_eq!(
        channels, 1,
        "otherwise the channels would have to move to the front"
    );
    std::fs::write(folder.join("size"), format!("{channels} {height} {width}"))?;
    Ok(())
}

/// The logits of the images of `case` with `weights`.
fn logits(case: &Case, weights: &Weights) -> Result<Vec<f32>, Box<dyn Error>> {
    let Images { pixels, scaling } = &*case.images;
    let scaling = PixelScaling::clone(scaling);
    let net = TrainedNet::new(case.network.clone(), weights, scaling, "flex", 1)?;
    Ok(net.logits(pixels))
}

fn floats(path: &Path) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let (chunks, _) = bytes.as_chunks::<4>();
    Ok(chunks
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}

/// The largest difference of the logits of an image, relative to its largest logit.
fn difference(case: &Case, here: &[f32], there: &[f32]) -> f64 {
    let classes = case.network.classes();
    assert_eq!(here.len(), there.len());
    let images = here.chunks(classes).zip(there.chunks(classes));
    let each = images.map(|(here, there)| {
        let pairs = here.iter().zip(there);
        let largest = there
            .iter()
            .fold(0.0, |largest, x| f64::from(x.abs()).max(largest));
        let gaps = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        // A NaN is the largest difference.
        gaps.fold(0.0, |most, gap| if gap <= most { most } else { gap }) / largest
    });
    each.fold(0.0, |most, gap| if gap <= most { most } else { gap })
}
