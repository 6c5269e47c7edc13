//! How time and memory grow with the number of cells, with a trainer that trains nothing:
//! `cargo run --example scale -- [CELLS]...` (default: 1000 10000 100000).
//!
//! For each number it plans an experiment of ten arms, runs it, resumes it when all is recorded, and derives its report,
//! all in a temporary folder. Most of the time of a run is waiting for the disk, once per job.

use ablate::plan::{Outline, Plan};
use ablate::report::derive;
use ablate::run::events::Silent;
use ablate::run::fake::{FakeTrainer, spec};
use ablate::run::share::Sharing;
use ablate::run::{RunOptions, run_spec, runs};
use ablate::trainer::StopFlag;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ARMS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [one, part] = &arguments[..]
        && part == "--alone"
    {
        return measure(one.parse()?);
    }
    let counts = match arguments.is_empty() {
        true => vec!["1000".to_owned(), "10000".to_owned(), "100000".to_owned()],
        false => arguments,
    };
    println!(
        "| cells | plan, s | run, s | per cell, ms | files | resume, s | report, s | peak memory, MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for count in counts {
        // A process of its own, so that its peak of memory is that of this number.
        let program = std::env::current_exe()?;
        let status = Command::new(program).args([&*count, "--alone"]).status()?;
        if !status.success() {
            return Err(format!("the run with {count} cells failed").into());
        }
    }
    Ok(())
}

fn measure(cells: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let spec = spec(&ARMS, cells / ARMS.len());
    let clock = Instant::now();
    let outline = Outline::new(&spec, "flex", 10, "f");
    assert_eq!(outline.count(), cells);
    let plan = Plan::new(&spec, "flex", 10, "f");
    let planned = clock.elapsed().as_secs_f64();
    let options = RunOptions {
        jobs: 1,
        fresh: false,
        adopt: false,
        records: Vec::new(),
        results: folder.path().to_owned(),
        sharing: Sharing::default(),
    };
    let stop = StopFlag::default();
    let run = || {
        let clock = Instant::now();
        let report = run_spec(&plan, &FakeTrainer::new(), &options, &Silent, &stop);
        report.map(|report| (report.trained, clock.elapsed().as_secs_f64()))
    };
    let (trained, ran) = run()?;
    assert_eq!(trained, cells);
    let files = count_files(&folder.path().join("fake"))?;
    let (again, resumed) = run()?;
    assert_eq!(again, 0);
    let clock = Instant::now();
    let found = runs::read_runs(&folder.path().join("fake").join(runs::NAME))?;
    derive(
        &spec,
        &found.records,
        None,
        None,
        Vec::new(),
        &Default::default(),
    )?;
    let reported = clock.elapsed().as_secs_f64();
    println!(
        "| {cells} | {planned:.2} | {ran:.1} | {:.2} | {files} | {resumed:.1} | {reported:.1} | {} |",
        1000.0 * ran / cells as f64,
        peak_memory().map_or("?".to_owned(), |megabytes| megabytes.to_string())
    );
    Ok(())
}

fn count_files(folder: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        count += match entry.file_type()?.is_dir() {
            true => count_files(&entry.path())?,
            false => 1,
        };
    }
    Ok(count)
}

/// The largest resident set of this process in MB, where Linux reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}
