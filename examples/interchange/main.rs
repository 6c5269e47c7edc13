//! Checks exported weights with PyTorch, both ways, and with ONNX Runtime: every preset, and every kind of norm, position, scale,
//! center, bias and activation in an MLP, a CNN and a residual net.
//!
//! ```sh
//! python3 -m venv venv && venv/bin/pip install -r examples/interchange/requirements.txt
//! cargo run --example interchange -- venv/bin/python
//! ```
//!
//! Each net classifies 1,000 images here and, loaded into a plain `nn.Sequential`, in PyTorch. PyTorch then
//! changes the weights and saves them; they are read back here and compared again. ONNX Runtime classifies the
//! same images with the exported ONNX model. Presets for MNIST and
//! CIFAR-10 need their files (`ablate data list`) and are skipped without them.
//!
//! In double precision all logits must agree to nine digits, which no mistake in a layout survives. In single
//! precision they must agree to 1e-5 of the largest logit of the image. A norm over a few nearly equal values
//! enlarges rounding errors; there the bound is four times PyTorch's own rounding error.

mod cases;

use ablate::data::{PixelScaling, Row};
use ablate::export::onnx;
use ablate::train::TrainedNet;
use ablate_models::interchange::Weights;
use ablate_models::{Pass, Start};
use burn::tensor::Device;
use cases::{Case, Images, cases};
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Largest difference of logits in single precision, relative to the largest logit of the image.
const BOUND: f64 = 1e-5;

/// The same in double precision.
const DOUBLE_BOUND: f64 = 1e-9;

/// Bound in units of PyTorch's own rounding error, where that is larger.
const ROUNDINGS: f64 = 4.0;

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
        "{:<46} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "largest relative difference of logits", "double", "out", "back", "ONNX", "PyTorch's"
    );
    for case in &cases {
        let own = folder.path().join(&case.name);
        let read = |name: &str| std::fs::read(own.join(name));
        let exact = doubles(&read("torch.f64")?);
        let there = floats(&read("torch.f32")?);
        let double = difference(case, &double_logits(case)?, &exact);
        let out = difference(case, &logits(case, &case.weights)?, &there);
        let rounding = difference(case, &there, &exact);
        let back = Weights::from_safetensors(&read("back.safetensors")?)?;
        let back = difference(case, &logits(case, &back)?, &floats(&read("back.f32")?));
        let onnx = floats(&read("onnx.f32")?);
        let onnx = difference(case, &logits(case, &case.weights)?, &onnx);
        let bound = BOUND.max(ROUNDINGS * rounding);
        let agrees = double <= DOUBLE_BOUND && [out, back, onnx].iter().all(|d| *d <= bound);
        all &= agrees;
        let mark = if agrees { "" } else { "  DIFFERS" };
        println!(
            "{:<46} {double:>8.0e} {out:>8.1e} {back:>8.1e} {onnx:>8.1e} {rounding:>8.1e}{mark}",
            case.name
        );
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
    let model = onnx(&case.network, &case.weights, &case.name);
    std::fs::write(folder.join("net.onnx"), model)?;
    let Images { pixels, scaling } = &*case.images;
    let [height, width, channels] = case.network.input();
    let inputs = scaling.apply(Row::Bytes(pixels));
    let images = inputs.chunks_exact(height * width * channels);
    // PyTorch has the channels first.
    let values = images.flat_map(|image| {
        let channel = |c: usize| image.iter().skip(c).step_by(channels);
        (0..channels).flat_map(channel).copied()
    });
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    std::fs::write(folder.join("images.f32"), bytes)?;
    std::fs::write(folder.join("size"), format!("{channels} {height} {width}"))?;
    Ok(())
}

/// The logits of the images of `case` with `weights`.
fn logits(case: &Case, weights: &Weights) -> Result<Vec<f64>, Box<dyn Error>> {
    let Images { pixels, scaling } = &*case.images;
    let scaling = PixelScaling::clone(scaling);
    let net = TrainedNet::new(case.network.clone(), weights, scaling, "flex", 1)?;
    Ok(net
        .logits(Row::Bytes(pixels))
        .into_iter()
        .map(f64::from)
        .collect())
}

/// The logits of the images of `case` in double precision.
fn double_logits(case: &Case) -> Result<Vec<f64>, Box<dyn Error>> {
    let Images { pixels, scaling } = &*case.images;
    let start = Start::new([0], &Device::flex()).double();
    let model = case.network.import(&case.weights, &start)?;
    let pixels: Vec<f64> = scaling
        .apply(Row::Bytes(pixels))
        .into_iter()
        .map(f64::from)
        .collect();
    let features: usize = case.network.input().iter().product();
    let images = start.tensor(pixels.clone(), [1, pixels.len() / features, features]);
    let logits = model.forward(images, &Pass::evaluate());
    Ok(logits
        .try_into_vec_as()
        .map_err(|error| format!("{error:?}"))?)
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<4>();
    let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes));
    values.map(f64::from).collect()
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<8>();
    chunks
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect()
}

/// The largest difference of the logits of an image, relative to its largest logit.
fn difference(case: &Case, here: &[f64], there: &[f64]) -> f64 {
    let classes = case.network.classes();
    assert_eq!(here.len(), there.len());
    let images = here.chunks(classes).zip(there.chunks(classes));
    let each = images.map(|(here, there)| {
        let pairs = here.iter().zip(there);
        let largest = there.iter().fold(0.0, |largest, x| x.abs().max(largest));
        let gaps = pairs.map(|(a, b)| (a - b).abs());
        // A NaN is the largest difference.
        gaps.fold(0.0, |most, gap| if gap <= most { most } else { gap }) / largest
    });
    each.fold(0.0, |most, gap| if gap <= most { most } else { gap })
}
