//! Profile of a training step on a GPU: every kernel that a step launches, how often, and how long it
//! takes.
//!
//! ```sh
//! cargo bench --profile dev --features wgpu --bench gpu -- --nets 64
//! ```
//!
//! The table separates our kernels from burn's. A software adapter launches the same kernels of ours,
//! but burn tunes its products to other variants there, and the times are not those of a GPU.

use ablate::device;
use ablate::files::write_atomic;
use ablate::provenance::Revision;
use ablate::recipe::{NetRecipe, Recipe};
use ablate::train::Training;
use ablate::trainer::{Job, JobCell};
use burn_cubecl::cubecl::logging::{Duration, LaunchObservation, LaunchObserver};
use burn_cubecl::cubecl::logging::{TimingMethod, TimingRequest};
use clap::Parser;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Counts and times the kernels of training steps.
#[derive(Debug, Parser)]
#[command(
    name = "gpu",
    bin_name = "cargo bench --profile dev --features wgpu --bench gpu --"
)]
struct Arguments {
    /// The device.
    #[arg(long, value_name = "NAME", default_value = "wgpu")]
    device: String,
    /// Number of nets in one stack.
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..))]
    nets: u16,
    /// Images per batch.
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Number of steps to time, and then to profile.
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Only nets with this text in their name.
    #[arg(long, value_name = "NET")]
    only: Option<String>,
    /// Output file [default: print the tables].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Passed by `cargo bench` to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Warm-up steps, in which kernels are compiled and tuned.
const WARM_UP: usize = 2;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let info = device::info(&arguments.device)?;
    let mut page = format!(
        "# Kernels of a training step on a GPU\n\nDevice `{}` ({info}), revision `{}`; {} nets in \
         one stack, batches of {} images of MNIST. The time of a step is the median of {}, without \
         profiling; kernels are timed one by one in as many further steps.\n",
        arguments.device,
        revision(),
        arguments.nets,
        arguments.batch,
        arguments.steps,
    );
    for (name, model) in nets() {
        let wanted = arguments.only.as_ref();
        if wanted.is_none_or(|part| name.contains(part.as_str())) {
            page += &profile(arguments, name, model)?;
        }
    }
    match &arguments.out {
        Some(path) => {
            write_atomic(path, page.as_bytes())?;
        }
        None => print!("{page}"),
    }
    Ok(())
}

fn revision() -> String {
    match Revision::of(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        Some(revision) if revision.dirty => format!("{:.7}, with changes", revision.commit),
        Some(revision) => format!("{:.7}", revision.commit),
        None => "unknown".to_owned(),
    }
}

/// The nets of the experiment `backends-mnist`.
fn nets() -> [(&'static str, Value); 2] {
    let block = json!({ "norm": { "kind": "batch" }, "dropout": { "rate": 0.3 } });
    [
        (
            "convolutional net, 32-64-128",
            json!({ "kind": "cnn", "channels": [32, 64], "dense": [128], "block": block }),
        ),
        (
            "dense net, 512-512",
            json!({ "kind": "mlp", "hidden": [512, 512], "block": block }),
        ),
    ]
}

fn profile(
    arguments: &Arguments,
    name: &str,
    model: Value,
) -> Result<String, Box<dyn std::error::Error>> {
    let train = json!({ "length": { "epochs": 1 }, "batch_size": arguments.batch });
    let cell = |seed| JobCell {
        id: String::new(),
        seed,
        learning_rate: Some(1e-3),
    };
    let job = Job {
        arm: name.to_owned(),
        device: arguments.device.clone(),
        recipe: Recipe::Net(NetRecipe {
            data: serde_json::from_value(json!({ "name": "mnist" }))?,
            model: serde_json::from_value(model)?,
            train: serde_json::from_value(train)?,
            probes: Vec::new(),
        }),
        cells: (0..u64::from(arguments.nets)).map(cell).collect(),
        until: None,
    };
    let mut training = Training::new(&job, ablate::machine::cores())?;
    let started = Instant::now();
    training.steps(WARM_UP);
    let warm_up = started.elapsed().as_secs_f64();
    let mut times: Vec<f64> = (0..arguments.steps)
        .map(|_| {
            let started = Instant::now();
            training.steps(1);
            started.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let kernels = Arc::new(Kernels::default());
    let watching = LaunchObservation::new(kernels.clone());
    training.steps(usize::from(arguments.steps));
    drop(watching);
    let kernels = kernels.0.lock().expect("no launch panicked");
    Ok(table(
        name,
        times[times.len() / 2],
        warm_up,
        usize::from(arguments.steps),
        &kernels,
    ))
}

/// Number of launches and seconds by kernel name.
#[derive(Default)]
struct Kernels(Mutex<BTreeMap<String, (usize, f64)>>);

impl LaunchObserver for Kernels {
    fn launched(&self, kernel: &'static str) {
        let mut kernels = self.0.lock().expect("no launch panicked");
        kernels.entry(short(kernel)).or_default().0 += 1;
    }

    fn timing(&self) -> TimingRequest {
        TimingRequest::Resolved
    }

    fn timed(&self, kernel: &'static str, duration: Duration, _: TimingMethod) {
        let mut kernels = self.0.lock().expect("no launch panicked");
        kernels.entry(short(kernel)).or_default().1 += duration.as_secs_f64();
    }
}

/// The last segment of a type path.
fn short(name: &str) -> String {
    let path = name.split('<').next().unwrap_or(name);
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

/// The operation of a kernel, and whether it is burn's.
fn purpose(kernel: &str) -> &'static str {
    match kernel {
        "GatherPatches" | "AddPatches" => "patches of convolutions",
        "Largest" | "ToTheLargest" => "max pooling",
        "ApplyNorm" | "InputGradient" | "SumColumns" | "SumGradients" => {
            "sums over rows, batch norm and activation"
        }
        "DrawMasks" => "dropout masks",
        _ if kernel.contains("Matmul") || kernel.contains("Gemm") => "matrix products (burn)",
        _ if kernel.contains("Fuse") => "fused operations (burn)",
        _ => "single operations (burn)",
    }
}

fn table(
    name: &str,
    step: f64,
    warm_up: f64,
    steps: usize,
    kernels: &BTreeMap<String, (usize, f64)>,
) -> String {
    let launches: usize = kernels.values().map(|(launches, _)| launches).sum();
    let seconds: f64 = kernels.values().map(|(_, seconds)| seconds).sum();
    let mut rows: Vec<_> = kernels.iter().collect();
    rows.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    let each = |launches: usize| launches as f64 / steps as f64;
    let mut out = format!(
        "\n## {name}\n\nA step takes {:.1} ms and launches {:.0} kernels, which take {:.1} ms one by \
         one. The first {WARM_UP} steps, including compiling and tuning, took {warm_up:.0} s.\n\n",
        1e3 * step,
        each(launches),
        1e3 * seconds / steps as f64,
    );
    out += "| kernel | operation | launches per step | ms per step | share |\n";
    out += "| ------ | --------- | ----------------: | ----------: | ----: |\n";
    for (kernel, &(launches, time)) in rows {
        writeln!(
            out,
            "| `{kernel}` | {} | {:.0} | {:.2} | {:.1} % |",
            purpose(kernel),
            each(launches),
            1e3 * time / steps as f64,
            100.0 * time / seconds,
        )
        .expect("writing to a string does not fail");
    }
    out
}
