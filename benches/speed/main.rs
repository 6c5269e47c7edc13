//! Training steps of this project beside the same steps in PyTorch and in JAX, on the CPU.
//!
//! ```sh
//! python3 -m venv .venv && .venv/bin/pip install -r benches/speed/requirements.txt
//! cargo bench --profile dev --bench speed
//! ```
//!
//! It writes `speed.json` with every number, and from it `report.md` and the figure.

mod contest;
mod curves;
mod limit;
mod memory;
mod ours;
mod peer;
mod ratio;
mod record;
mod report;
mod work;

use clap::{Parser, ValueEnum};
use contest::{Contestant, Failure, contest};
use limit::Limit;
use ours::Ours;
use peer::{PEERS, Process, Variant};
use record::{Comparison, Library, Record, Times, Variation};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use work::{Compared, Work};

/// Where the results of a whole run belong.
const RESULTS: &str = "results/speed";

/// Times training steps, ours and those of PyTorch and JAX, turn by turn.
#[derive(Debug, Parser)]
#[command(
    name = "speed",
    bin_name = "cargo bench --profile dev --bench speed --"
)]
struct Arguments {
    /// Python interpreter that has the peers.
    #[arg(long, value_name = "PATH", default_value = ".venv/bin/python")]
    python: PathBuf,
    /// Rounds; in each, everyone is timed once.
    #[arg(long, value_name = "N", default_value = "7", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of a measure, about.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: f64,
    /// Only works with this in their name.
    #[arg(long, value_name = "WORK")]
    only: Option<String>,
    /// Devices of ours.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "flex,ndarray"
    )]
    device: Vec<String>,
    /// What to take.
    #[arg(
        long,
        value_enum,
        value_name = "PARTS",
        value_delimiter = ',',
        default_value = "compared,varied,memory,curves"
    )]
    parts: Vec<Part>,
    /// Time ours alone.
    #[arg(long)]
    no_peers: bool,
    /// Folder of the results; without it, only a whole run is kept, in `results/speed`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Time other activations and places of the norm beside the peers, and nothing else. Where the
    /// results are kept, they get a record of their own.
    #[arg(long, conflicts_with_all = ["parts", "no_peers"])]
    activations: bool,
    /// Time nothing; write the report anew from the record in the folder of the results.
    #[arg(long)]
    report: bool,
    /// Print the bytes that our step takes on a device, and nothing else.
    #[arg(long, value_name = "DEVICE", hide = true)]
    memory_of: Option<String>,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Works side by side with the peers.
    Compared,
    /// Other activations and places of the norm.
    Varied,
    /// Peaks of resident memory.
    Memory,
    /// Cost against size.
    Curves,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("must lie between 0.001 and 3600".to_owned()),
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
    let folder = arguments.out.clone().unwrap_or_else(|| RESULTS.into());
    if arguments.report {
        return report_from(&folder);
    }
    if arguments.activations {
        let record = take_activations(arguments)?;
        print!("{}", report::activations(&record));
        record.write(&folder, record::ACTIVATIONS)?;
        // Without the other record there is no report yet.
        return match folder.join(record::NAME).exists() {
            true => report_from(&folder),
            false => Ok(()),
        };
    }
    let record = take(arguments)?;
    print!("{}", report::tables(&record));
    if arguments.out.is_some() || arguments.is_whole() {
        record.write(&folder, record::NAME)?;
        if !record.curves.is_empty() {
            record::write(&folder, report::FIGURE, &curves::figure(&record.curves)?)?;
        }
        report_from(&folder)?;
        tell(&format!(
            "the report is in `{}`",
            folder.join(report::NAME).display()
        ));
    }
    Ok(())
}

/// Writes the report from the records in `folder`.
fn report_from(folder: &Path) -> Result<(), Failure> {
    let record = Record::read(folder, record::NAME)?;
    let there = folder.join(record::ACTIVATIONS).exists();
    let activations = there.then(|| Record::read(folder, record::ACTIVATIONS));
    let activations = activations.transpose()?;
    let text = report::report(&record, activations.as_ref(), folder);
    record::write(folder, report::NAME, &text)
}

fn tell(what: &str) {
    eprintln!("{what}");
}

impl Arguments {
    fn takes(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether nothing was left out.
    fn is_whole(&self) -> bool {
        let parts = Part::value_variants().iter().all(|part| self.takes(*part));
        parts && self.only.is_none() && !self.no_peers
    }

    fn wants(&self, work: &Work) -> bool {
        (self.only.as_ref()).is_none_or(|part| work.name().contains(part.as_str()))
    }

    fn python(&self) -> Option<&Path> {
        (!self.no_peers).then_some(self.python.as_path())
    }
}

fn take(arguments: &Arguments) -> Result<Record, Failure> {
    let mut record = Record::new(arguments.rounds.into(), arguments.seconds);
    let wanted: Vec<Compared> = (work::compared().into_iter())
        .filter(|compared| arguments.wants(&compared.work))
        .collect();
    let varied = work::varied()
        .into_iter()
        .filter(|work| arguments.wants(work));
    if wanted.is_empty() {
        let names: Vec<String> = work::compared().iter().map(|c| c.work.name()).collect();
        let message = format!(
            "no work has such a name; there are `{}`",
            names.join("`, `")
        );
        return Err(Failure(message));
    }
    record.libraries = libraries(arguments)?;
    if arguments.takes(Part::Compared) {
        for compared in wanted {
            record.compared.push(compare(&compared, arguments)?);
        }
    }
    if arguments.takes(Part::Varied) {
        for work in varied {
            record.varied.extend(vary(&work, arguments)?);
        }
    }
    if arguments.takes(Part::Memory) && memory::is_measured() && arguments.wants(&memory::work()) {
        record.memory = memory::measure(&arguments.device, arguments.python(), tell)?;
    }
    if arguments.takes(Part::Curves) && arguments.only.is_none() {
        record.curves = curves::measure(&arguments.device, arguments.seconds, tell)?;
    }
    Ok(record)
}

/// Every variation of the varied works, beside the peers.
fn take_activations(arguments: &Arguments) -> Result<Record, Failure> {
    let mut record = Record::new(arguments.rounds.into(), arguments.seconds);
    record.libraries = libraries(arguments)?;
    let wanted = work::varied()
        .into_iter()
        .filter(|work| arguments.wants(work));
    for work in wanted {
        for (activation, position) in work::variations() {
            tell(&format!("{activation:?}, norm {position:?}"));
            let work = work.with(activation, position);
            record
                .compared
                .push(compare(&Compared { work, goal: None }, arguments)?);
        }
    }
    Ok(record)
}

/// Who the peers are.
fn libraries(arguments: &Arguments) -> Result<Vec<Library>, Failure> {
    let Some(python) = arguments.python() else {
        return Ok(Vec::new());
    };
    let library = |peer| Ok(Process::start(peer, python)?.library.clone());
    PEERS.into_iter().map(library).collect()
}

/// Ours and the peers at one work, turn by turn.
fn compare(compared: &Compared, arguments: &Arguments) -> Result<Comparison, Failure> {
    let work = &compared.work;
    tell(&work.title());
    let dataset = work.dataset().map_err(|e| Failure(e.to_string()))?;
    let jobs = |device: &String| work.jobs(device, ablate::machine::cores());
    let jobs: Vec<_> = arguments.device.iter().map(jobs).collect();
    let peers = match arguments.python() {
        Some(python) => {
            let examples = (work.examples(&dataset)).map_err(|e| Failure(e.to_string()))?;
            Some((python, examples))
        }
        None => None,
    };
    let mut contestants: Vec<Box<dyn Contestant + '_>> = Vec::new();
    for (device, jobs) in arguments.device.iter().zip(&jobs) {
        contestants.push(Box::new(Ours::new(&ours::name(device), jobs, &dataset)?));
    }
    if let Some((python, examples)) = &peers {
        contestants.push(Box::new(Limit::new(work)));
        // New processes for each work: what a compiler keeps of one does not weigh on the next.
        for peer in PEERS {
            let process = Rc::new(RefCell::new(Process::start(peer, python)?));
            for variant in peer.variants(work) {
                let task = work.task(&dataset, examples.path());
                let variant = Variant::new(&process, variant, task, work.parameters());
                contestants.push(Box::new(variant));
            }
        }
    }
    let rounds = arguments.rounds.into();
    let scores = contest(&mut contestants, rounds, arguments.seconds, tell);
    let mut times = scores.into_iter().map(Times::from);
    let ours: Vec<Times> = times.by_ref().take(jobs.len()).collect();
    let limit = peers.as_ref().and_then(|_| times.next());
    if let Some(error) = ours.iter().find_map(|times| times.error.clone()) {
        return Err(Failure(format!("{}: {error}", work.name())));
    }
    Ok(Comparison {
        work: work.clone(),
        goal: compared.goal,
        ours,
        peers: times.collect(),
        limit,
    })
}

/// Ours at every variation of one work, turn by turn.
fn vary(work: &Work, arguments: &Arguments) -> Result<Vec<Variation>, Failure> {
    tell(&format!("{}, varied", work.title()));
    let dataset = work.dataset().map_err(|e| Failure(e.to_string()))?;
    let varied = |device: &String| {
        let variations = work::variations().into_iter();
        let device = device.clone();
        variations.map(move |(activation, position)| {
            let work = work.with(activation, position);
            let jobs = work.jobs(&device, ablate::machine::cores());
            (device.clone(), work, jobs)
        })
    };
    let varied: Vec<_> = arguments.device.iter().flat_map(varied).collect();
    let mut contestants: Vec<Box<dyn Contestant + '_>> = Vec::new();
    for (device, _, jobs) in &varied {
        contestants.push(Box::new(Ours::new(&ours::name(device), jobs, &dataset)?));
    }
    let rounds = arguments.rounds.into();
    let scores = contest(&mut contestants, rounds, arguments.seconds, |_| ());
    drop(contestants);
    let variations = varied.into_iter().zip(scores);
    Ok(variations
        .map(|((_, work, _), score)| Variation {
            work,
            times: score.into(),
        })
        .collect())
}
