//! Times training steps of this project and the same steps in PyTorch and JAX, on the CPU.
//!
//! ```sh
//! python3 -m venv .venv && .venv/bin/pip install -r benches/speed/requirements.txt
//! cargo bench --profile dev --bench speed
//! ```
//!
//! It writes all numbers to `speed.json`, and derives `report.md` and the figure from that file.

mod curves;
mod limit;
mod memory;
mod ours;
mod peer;
mod record;
mod report;
mod rounds;
mod summary;
mod workload;

use ablate::compare::measure::timing::stopwatch::Stepper;
use ablate_kernels::InstructionSet;
use clap::{Parser, ValueEnum};
use limit::Limit;
use ours::Ours;
use peer::{MatrixProduct, PEERS, Peer, PeerVariant, Process};
use record::{Library, PeerComparison, RoundTimes, SpeedRecord, Variation};
use rounds::{Failure, time_rounds};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use workload::{ComparedWorkload, Workload};

/// Folder of the results of a complete run.
const RESULTS: &str = "results/speed";

/// Times training steps of this project, PyTorch and JAX in interleaved rounds.
#[derive(Debug, Parser)]
#[command(
    name = "speed",
    bin_name = "cargo bench --profile dev --bench speed --"
)]
struct Arguments {
    /// Python interpreter with PyTorch and JAX installed.
    #[arg(long, value_name = "PATH", default_value = ".venv/bin/python")]
    python: PathBuf,
    /// Rounds; every library is timed once per round.
    #[arg(long, value_name = "N", default_value = "7", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Approximate seconds per measurement.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: f64,
    /// Only workloads with this text in their name.
    #[arg(long, value_name = "WORKLOAD")]
    only: Option<String>,
    /// Devices of this project.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "flex,ndarray"
    )]
    device: Vec<String>,
    /// What to measure.
    #[arg(
        long,
        value_enum,
        value_name = "PARTS",
        value_delimiter = ',',
        default_value = "compared,varied,memory,curves"
    )]
    parts: Vec<Part>,
    /// Time this project only.
    #[arg(long)]
    no_peers: bool,
    /// Folder of the results [default: `results/speed` for a complete run; other runs are not saved].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Time only the other activations and norm positions, together with PyTorch and JAX. The results
    /// are saved in `activations.json`.
    #[arg(long, conflicts_with_all = ["parts", "no_peers"])]
    activations: bool,
    /// Use AVX2 only, the peers too, on a machine with AVX-512. The results are saved in
    /// `speed-avx2.json`.
    #[arg(long, conflicts_with = "activations")]
    avx2: bool,
    /// Write the report again from the saved numbers, without timing anything.
    #[arg(long)]
    report: bool,
    /// Print the peak memory of our training step on a device in bytes, and nothing else.
    #[arg(long, value_name = "DEVICE", hide = true)]
    memory_of: Option<String>,
    /// Passed by `cargo bench` to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Workloads timed together with PyTorch and JAX.
    Compared,
    /// Other activations and norm positions.
    Varied,
    /// Peak resident memory.
    Memory,
    /// Cost against size.
    Curves,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("must be between 0.001 and 3600".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(device) = &arguments.memory_of {
        println!("{}", memory::here(device)?);
        return Ok(());
    }
    if arguments.avx2 {
        (InstructionSet::Avx2.limit()).map_err(|error| Failure(error.to_string()))?;
    }
    let folder = arguments.out.clone().unwrap_or_else(|| RESULTS.into());
    if arguments.report {
        return report_from(&folder);
    }
    if arguments.activations {
        let record = measure_activations(arguments)?;
        print!("{}", report::activations(&record));
        record.write(&folder, record::ACTIVATIONS)?;
        // The report needs the main record.
        return match folder.join(record::NAME).exists() {
            true => report_from(&folder),
            false => Ok(()),
        };
    }
    let record = measure(arguments)?;
    print!("{}", report::tables(&record));
    if arguments.out.is_some() || arguments.is_complete() {
        if arguments.avx2 {
            record.write(&folder, record::AVX2)?;
            return match folder.join(record::NAME).exists() {
                true => report_from(&folder),
                false => Ok(()),
            };
        }
        record.write(&folder, record::NAME)?;
        report_from(&folder)?;
        log(&format!(
            "the report is in `{}`",
            folder.join(report::NAME).display()
        ));
    }
    Ok(())
}

/// Writes the report and its figure from the records in `folder`.
fn report_from(folder: &Path) -> Result<(), Failure> {
    let record = SpeedRecord::read(folder, record::NAME)?;
    if !record.curves.is_empty() {
        record::write(folder, report::FIGURE, &curves::figure(&record.curves)?)?;
    }
    let other = |name: &str| {
        let exists = folder.join(name).exists();
        exists.then(|| SpeedRecord::read(folder, name)).transpose()
    };
    let (activations, avx2) = (other(record::ACTIVATIONS)?, other(record::AVX2)?);
    let text = report::report(&record, activations.as_ref(), avx2.as_ref(), folder);
    record::write(folder, report::NAME, &text)
}

fn log(message: &str) {
    eprintln!("{message}");
}

impl Arguments {
    fn includes(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether the run is complete.
    fn is_complete(&self) -> bool {
        // Memory, curves and variations are the same question on any instruction set.
        let parts = (self.avx2 && self.includes(Part::Compared))
            || Part::value_variants()
                .iter()
                .all(|part| self.includes(*part));
        parts && self.only.is_none() && !self.no_peers
    }

    fn wants(&self, workload: &Workload) -> bool {
        (self.only.as_ref()).is_none_or(|part| workload.name().contains(part.as_str()))
    }

    fn python(&self) -> Option<&Path> {
        (!self.no_peers).then_some(self.python.as_path())
    }
}

fn measure(arguments: &Arguments) -> Result<SpeedRecord, Failure> {
    let mut record = SpeedRecord::new(arguments.rounds.into(), arguments.seconds);
    let wanted: Vec<ComparedWorkload> = (workload::compared().into_iter())
        .filter(|compared| arguments.wants(&compared.workload))
        .collect();
    let varied = workload::varied()
        .into_iter()
        .filter(|workload| arguments.wants(workload));
    if wanted.is_empty() {
        let names: Vec<String> = workload::compared()
            .iter()
            .map(|c| c.workload.name())
            .collect();
        let message = format!(
            "no workload matches `--only`; the workloads are `{}`",
            names.join("`, `")
        );
        return Err(Failure(message));
    }
    // Missing data must not end a benchmark half way.
    for compared in &wanted {
        (compared.workload.dataset()).map_err(|error| Failure(error.to_string()))?;
    }
    record.libraries = libraries(arguments)?;
    if arguments.includes(Part::Compared) {
        for compared in wanted {
            record.compared.push(compare(&compared, arguments)?);
        }
    }
    if arguments.avx2 {
        return Ok(record);
    }
    if arguments.includes(Part::Varied) {
        for workload in varied {
            record.varied.extend(vary(&workload, arguments)?);
        }
    }
    if arguments.includes(Part::Memory)
        && memory::is_measured()
        && arguments.wants(&memory::workload())
    {
        record.memory = memory::measure(&arguments.device, arguments.python(), log)?;
    }
    if arguments.includes(Part::Curves) && arguments.only.is_none() {
        record.curves = curves::measure(&arguments.device, arguments.seconds, log)?;
    }
    Ok(record)
}

/// Times every variation of the varied workloads together with PyTorch and JAX.
fn measure_activations(arguments: &Arguments) -> Result<SpeedRecord, Failure> {
    let mut record = SpeedRecord::new(arguments.rounds.into(), arguments.seconds);
    record.libraries = libraries(arguments)?;
    let wanted = workload::varied()
        .into_iter()
        .filter(|workload| arguments.wants(workload));
    for workload in wanted {
        for (activation, position) in workload::variations() {
            log(&format!("{activation:?}, norm {position:?}"));
            let workload = workload.with(activation, position);
            record.compared.push(compare(
                &ComparedWorkload {
                    workload,
                    goal: None,
                },
                arguments,
            )?);
        }
    }
    Ok(record)
}

/// Names and versions of the peers.
fn libraries(arguments: &Arguments) -> Result<Vec<Library>, Failure> {
    let Some(python) = arguments.python() else {
        return Ok(Vec::new());
    };
    let library = |peer| Ok(Process::start(peer, python)?.library.clone());
    PEERS.into_iter().map(library).collect()
}

/// Times this project and the peers on one workload, in interleaved rounds.
fn compare(compared: &ComparedWorkload, arguments: &Arguments) -> Result<PeerComparison, Failure> {
    let workload = &compared.workload;
    log(&workload.title());
    let dataset = workload.dataset().map_err(|e| Failure(e.to_string()))?;
    let jobs = |device: &String| ours::jobs(workload, device);
    let jobs: Vec<_> = arguments.device.iter().map(jobs).collect();
    let peers = match arguments.python() {
        Some(python) => {
            let examples = (workload.examples(&dataset)).map_err(|e| Failure(e.to_string()))?;
            Some((python, examples))
        }
        None => None,
    };
    let mut names: Vec<String> = arguments.device.iter().map(|d| ours::name(d)).collect();
    let mut steppers: Vec<Box<dyn Stepper + '_>> = Vec::new();
    for jobs in &jobs {
        steppers.push(Box::new(Ours::new(jobs, &dataset)?));
    }
    if let Some((python, examples)) = &peers {
        names.push(limit::NAME.to_owned());
        steppers.push(Box::new(Limit::new(workload)));
        names.push("PyTorch product".to_owned());
        let process = Process::start(Peer::Torch, python)?;
        steppers.push(Box::new(MatrixProduct(Rc::new(RefCell::new(process)))));
        // New processes per workload, so that what a compiler caches for one does not slow down another.
        for peer in PEERS {
            let process = Rc::new(RefCell::new(Process::start(peer, python)?));
            for variant in peer.variants(workload) {
                let task = workload.task(&dataset, examples.path());
                let variant = PeerVariant::new(&process, variant, task, workload.parameters());
                names.push(variant.name().to_owned());
                steppers.push(Box::new(variant));
            }
        }
    }
    let rounds = arguments.rounds.into();
    let mut times = time_rounds(names, steppers, rounds, arguments.seconds).into_iter();
    let ours: Vec<RoundTimes> = times.by_ref().take(jobs.len()).collect();
    let limit = peers.as_ref().and_then(|_| times.next());
    let product = peers.as_ref().and_then(|_| times.next());
    if let Some(error) = ours.iter().find_map(|times| times.error.clone()) {
        return Err(Failure(format!("{}: {error}", workload.name())));
    }
    Ok(PeerComparison {
        workload: workload.clone(),
        goal: compared.goal,
        ours,
        peers: times.collect(),
        limit,
        product,
    })
}

/// Times this project on every variation of one workload, in interleaved rounds.
fn vary(workload: &Workload, arguments: &Arguments) -> Result<Vec<Variation>, Failure> {
    log(&format!("{}, varied", workload.title()));
    let dataset = workload.dataset().map_err(|e| Failure(e.to_string()))?;
    let varied = |device: &String| {
        let variations = workload::variations().into_iter();
        let device = device.clone();
        variations.map(move |(activation, position)| {
            let workload = workload.with(activation, position);
            let jobs = ours::jobs(&workload, &device);
            (ours::name(&device), workload, jobs)
        })
    };
    let varied: Vec<_> = arguments.device.iter().flat_map(varied).collect();
    let mut steppers: Vec<Box<dyn Stepper + '_>> = Vec::new();
    for (_, _, jobs) in &varied {
        steppers.push(Box::new(Ours::new(jobs, &dataset)?));
    }
    let names = varied.iter().map(|(name, _, _)| name.clone()).collect();
    let rounds = arguments.rounds.into();
    let times = time_rounds(names, steppers, rounds, arguments.seconds);
    let variations = varied.into_iter().zip(times);
    Ok(variations
        .map(|((_, workload, _), times)| Variation { workload, times })
        .collect())
}
