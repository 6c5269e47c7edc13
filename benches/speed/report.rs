//! `report.md`, derived from the record.

use super::record::{Memory, PeerComparison, RoundTimes, SpeedRecord, Variation};
use super::summary::{median, quartiles};
use super::workload::position_word;
use ablate::compare::analysis::time_ratio;
use ablate::compare::report;
use ablate::stats::Estimate;
use ablate::text::markdown::{Align, Table};
use ablate::text::number::{compact, fixed};
use ablate_models::Activation;
use ablate_models::block::Position;
use std::collections::BTreeSet;
use std::path::Path;

/// File name of the report.
pub(crate) const NAME: &str = "report.md";
/// File name of the figure.
pub(crate) const FIGURE: &str = "cost.svg";

/// Goal for other activations and norm positions: the ratio to the best peer over that of ReLU.
const MIN_OF_RELU: f64 = 0.85;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The report, with sections on `activations` and on AVX2 from other sessions, and links to the profiles in
/// `folder`.
pub(crate) fn report(
    record: &SpeedRecord,
    activations: Option<&SpeedRecord>,
    avx2: Option<&SpeedRecord>,
    folder: &Path,
) -> String {
    let mut out = String::from("# Speed of a training step on the CPU\n\n");
    out += &setting(record);
    out += "\nMethod: after a warm-up, every library takes training steps for about the seconds of a measurement \
            once per round. The order of the libraries is reversed from one round to the next. A step is \
            one of all replicas: it gathers a batch of real images from memory, the same for every library \
            (ours also scales the pixels from bytes), runs forward and backward, and takes a step of Adam. \
            Our replicas are spread over the cores as in `ablate run`; if their weights do not fit a core's \
            caches together, they train one after the other. A peer loops over the replicas in turn or \
            batches them (`vmap`), and uses its own threads. The nets have the same layers and the same number of trained \
            parameters. Our dense layers skip the zeros of ReLU and dropout and the background of images; how much that \
            saves depends on the data. In workloads whose images have no background, each pixel was \
            standardized separately. A ratio is the median time of the best peer over ours, so we are faster \
            above 1. The best peer is the one with the smallest median. The interval covers the ratio of medians at least \
            95 % of the time (order statistics, no distribution assumed); it needs 7 rounds.\n";
    out += &tables(record);
    if !record.curves.is_empty() {
        out += &format!("\n![Time of a training step by size]({FIGURE})\n");
    }
    if let Some(record) = avx2 {
        out += &format!(
            "\n## With AVX2 only\n\nThe same steps on a machine with AVX-512, of which neither ours nor the \
             peers made use, in a session of its own by `cargo bench --profile dev --bench speed -- --avx2`; all \
             numbers are in [{name}]({name}).\n\n{}\n{}{}",
            setting(record),
            best_peer_table(record),
            verdict(&record.compared),
            name = super::record::AVX2,
        );
        out += &super::limit::section(&record.compared);
    }
    if let Some(record) = activations {
        out += &self::activations(record);
    }
    out += &profiles(folder);
    out += "\nMade by `cargo bench --profile dev --bench speed`. All numbers are in [speed.json](speed.json); \
            `cargo bench --profile dev --bench speed -- --report` derives this page from them.\n";
    out
}

/// The tables of the report.
pub(crate) fn tables(record: &SpeedRecord) -> String {
    let mut out = String::new();
    if !record.compared.is_empty() {
        out += &format!("\n## Against the best peer\n\n{}", best_peer_table(record));
        out += &verdict(&record.compared);
        out += &super::limit::section(&record.compared);
        out += &format!("\n## All libraries\n\n{}", all_libraries(&record.compared));
    }
    if !record.varied.is_empty() {
        out += "\n## Other activations and norm positions\n\nTime relative to ReLU with the norm before it.\n\n";
        out += &variations(&record.varied);
    }
    if !record.memory.is_empty() {
        out += &format!("\n## Memory\n\n{}", memory(&record.memory));
    } else if !super::memory::is_measured() {
        out += "\n## Memory\n\nNot measured: only Linux reports the peak memory of a process.\n";
    }
    if !record.curves.is_empty() {
        out += &format!("\n## Cost against size\n\n{}", curves(record));
    }
    out
}

fn setting(record: &SpeedRecord) -> String {
    let cpu = record.machine.cpu.as_deref().unwrap_or("unknown CPU");
    let revision = match &record.revision {
        Some(revision) if revision.dirty => format!("`{}` with changes", revision.commit),
        Some(revision) => format!("`{}`", revision.commit),
        None => "unknown".to_owned(),
    };
    let peer =
        |l: &super::record::Library| format!("{} {} ({} threads)", l.library, l.version, l.threads);
    let peers: Vec<String> = record.libraries.iter().map(peer).collect();
    let mut table = Table::new([("setting", Align::Left), ("value", Align::Left)]);
    table.row(["machine", &format!("{cpu}, {}", record.machine.os)]);
    table.row(["cores used", &record.threads.to_string()]);
    table.row(["vector extensions", &record.vectors.join(", ")]);
    table.row(["revision", &revision]);
    table.row(["compiler", &record.build.rustc]);
    table.row(["peers", &peers.join("; ")]);
    let measures = format!("{} rounds of about {} s", record.rounds, record.seconds);
    table.row(["measurements", &measures]);
    table.render()
}

/// The peer with the smallest median time, and that time.
fn best_peer(peers: &[RoundTimes]) -> Option<(&RoundTimes, f64)> {
    let medians = peers.iter().filter_map(|times| {
        let median = median(&times.milliseconds)?;
        Some((times, median))
    });
    medians.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Time of the best peer over `ours`.
pub(crate) fn against_best(comparison: &PeerComparison, ours: &RoundTimes) -> Option<Estimate> {
    let (best, _) = best_peer(&comparison.peers)?;
    time_ratio(&best.milliseconds, &ours.milliseconds)
}

/// Time of the fastest round of any peer over that of `ours`.
fn fastest(comparison: &PeerComparison, ours: &RoundTimes) -> Option<f64> {
    let least = |times: &RoundTimes| times.milliseconds.iter().copied().min_by(f64::total_cmp);
    let peers = comparison.peers.iter().filter_map(least);
    Some(peers.min_by(f64::total_cmp)? / least(ours)?)
}

fn best_peer_table(record: &SpeedRecord) -> String {
    let first = record.compared.first();
    let names: Vec<&str> = first
        .into_iter()
        .flat_map(|c| &c.ours)
        .map(|t| t.name.as_str())
        .collect();
    let mut columns = vec![
        ("workload", Align::Left),
        ("best peer", Align::Left),
        ("peer, ms", Align::Right),
    ];
    let headers: Vec<(String, String)> = (names.iter())
        .map(|name| (format!("{name}, ms"), format!("ratio, {name}")))
        .collect();
    for (time, ratio) in &headers {
        columns.push((time, Align::Right));
        columns.push((ratio, Align::Right));
    }
    columns.push(("goal", Align::Right));
    let mut table = Table::new(columns);
    for comparison in &record.compared {
        let mut row = vec![comparison.workload.title()];
        match best_peer(&comparison.peers) {
            Some((peer, time)) => row.extend([peer.name.clone(), compact(time)]),
            None => row.extend(["none".to_owned(), String::new()]),
        }
        for ours in &comparison.ours {
            row.push(median(&ours.milliseconds).map(compact).unwrap_or_default());
            row.push(
                against_best(comparison, ours)
                    .map(with_interval)
                    .unwrap_or_default(),
            );
        }
        row.push(
            comparison
                .goal
                .map(|goal| fixed(goal, 1))
                .unwrap_or_default(),
        );
        table.row(row);
    }
    table.render()
}

/// A ratio with its interval.
pub(crate) fn with_interval(ratio: Estimate) -> String {
    report::with_interval(ratio, |x| fixed(x, 2))
}

/// The workloads on which we are slower than the best peer or miss the goal.
fn verdict(compared: &[PeerComparison]) -> String {
    let (mut slower, mut short) = (Vec::new(), Vec::new());
    for comparison in compared {
        for ours in &comparison.ours {
            let Some(ratio) = against_best(comparison, ours) else {
                continue;
            };
            let line = format!(
                "{} on {}: {}",
                comparison.workload.title(),
                ours.name,
                with_interval(ratio)
            );
            if ratio.value < 1.0 {
                slower.push(format!("- {line}\n"));
            } else if let Some(goal) = comparison.goal.filter(|goal| ratio.value < *goal) {
                short.push(format!("- {line}, goal {}\n", fixed(goal, 1)));
            }
        }
    }
    if compared
        .iter()
        .all(|comparison| best_peer(&comparison.peers).is_none())
    {
        return String::new();
    }
    let mut out = String::new();
    if slower.is_empty() {
        out += "\nOurs is at least as fast as the best peer on every workload.\n";
    } else {
        out += &format!("\nSlower than the best peer:\n\n{}", slower.concat());
    }
    out += &not_timed(compared);
    if !short.is_empty() {
        out += &format!(
            "\nFaster than the best peer, but below the goal:\n\n{}",
            short.concat()
        );
    }
    out
}

/// The peers that failed, one line each.
fn not_timed(compared: &[PeerComparison]) -> String {
    let lines = compared.iter().flat_map(|comparison| {
        comparison.peers.iter().filter_map(|times| {
            let error = times.error.as_ref()?;
            let (title, name) = (comparison.workload.title(), &times.name);
            Some(format!("- {title} in {name}: {error}\n"))
        })
    });
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\nFailed, so not among the peers:\n\n{lines}"),
    }
}

fn all_libraries(compared: &[PeerComparison]) -> String {
    let mut table = Table::new([
        ("workload", Align::Left),
        ("library", Align::Left),
        ("median, ms", Align::Right),
        ("quartiles, ms", Align::Right),
        ("time over ours", Align::Right),
    ]);
    for comparison in compared {
        let title = comparison.workload.title();
        let ours = comparison.ours.first();
        for times in comparison.ours.iter().chain(&comparison.peers) {
            let mut row = vec![title.clone(), times.name.clone()];
            match (quartiles(&times.milliseconds), &times.error) {
                (Some([low, median, high]), _) => {
                    row.push(compact(median));
                    row.push(format!("{} to {}", compact(low), compact(high)));
                    let over = ours.and_then(|o| time_ratio(&times.milliseconds, &o.milliseconds));
                    row.push(over.map(|r| fixed(r.value, 2)).unwrap_or_default());
                }
                (None, error) => row.push(error.clone().unwrap_or_default()),
            }
            table.row(row);
        }
    }
    let ours = compared.first().and_then(|c| c.ours.first());
    let ours = ours.map(|times| times.name.as_str()).unwrap_or_default();
    format!(
        "The last column is relative to {ours}.\n\n{}",
        table.render()
    )
}

/// One row per activation and norm position, one column per net and device.
fn variations(varied: &[Variation]) -> String {
    let net = |v: &Variation| {
        (
            v.workload.with(Activation::Relu, Position::Before),
            v.times.name.clone(),
        )
    };
    let mut nets = Vec::new();
    let mut kinds = Vec::new();
    for variation in varied {
        if !nets.contains(&net(variation)) {
            nets.push(net(variation));
        }
        let kind = (variation.workload.activation, variation.workload.position);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let headers: Vec<String> = (nets.iter())
        .map(|(workload, name)| format!("{}, {name}", workload.title()))
        .collect();
    let mut columns = vec![("activation", Align::Left), ("norm", Align::Left)];
    columns.extend(headers.iter().map(|header| (header.as_str(), Align::Right)));
    let mut table = Table::new(columns);
    let times = |of: &(super::workload::Workload, String), activation, position| {
        let workload = of.0.with(activation, position);
        let found = varied
            .iter()
            .find(|v| v.workload == workload && v.times.name == of.1);
        found.map(|v| v.times.milliseconds.as_slice())
    };
    for (activation, position) in kinds {
        let mut row = vec![
            activation.name().to_owned(),
            position_word(position).to_owned(),
        ];
        for of in &nets {
            let here = times(of, activation, position);
            let relu = times(of, Activation::Relu, Position::Before);
            let relative = here
                .zip(relu)
                .and_then(|(here, relu)| time_ratio(here, relu));
            row.push(relative.map(with_interval).unwrap_or_default());
        }
        table.row(row);
    }
    table.render()
}

/// Variations of the workloads against the best peer with the same activation and norm position.
pub(crate) fn activations(record: &SpeedRecord) -> String {
    let mut out = format!(
        "\n## Other activations against the peers\n\nMeasured in a session of its own, by `cargo bench --profile dev \
         --bench speed -- --activations`; all numbers are in [{name}]({name}). The best peer has the same \
         activation in the same position. The last two columns divide the ratio by that of ReLU with the norm before \
         it, by medians and by the fastest round of each library: below 1, the change costs us more than the peers. \
         A variation and ReLU are not timed in the same rounds, so a peer that is slow for minutes \
         shifts the medians; the fastest rounds are more robust.\n\n{}",
        setting(record),
        name = super::record::ACTIVATIONS,
    );
    let plain = |c: &PeerComparison| c.workload.with(Activation::Relu, Position::Before);
    let mut table = Table::new([
        ("workload", Align::Left),
        ("activation", Align::Left),
        ("norm", Align::Left),
        ("best peer", Align::Left),
        ("peer, ms", Align::Right),
        ("ours", Align::Left),
        ("ours, ms", Align::Right),
        ("ratio", Align::Right),
        ("over ReLU", Align::Right),
        ("fastest round, over ReLU", Align::Right),
    ]);
    let mut lowest = [f64::INFINITY; 2];
    for comparison in &record.compared {
        let Some((peer, time)) = best_peer(&comparison.peers) else {
            continue;
        };
        let relu = record
            .compared
            .iter()
            .find(|c| c.workload == plain(comparison));
        for ours in &comparison.ours {
            let Some(here) = against_best(comparison, ours) else {
                continue;
            };
            let relu = relu.and_then(|c| Some((c, c.ours.iter().find(|t| t.name == ours.name)?)));
            let medians =
                relu.and_then(|(c, times)| Some(here.value / against_best(c, times)?.value));
            let fastest =
                relu.and_then(|(c, times)| Some(fastest(comparison, ours)? / fastest(c, times)?));
            for (lowest, over) in lowest.iter_mut().zip([medians, fastest]) {
                *lowest = over.unwrap_or(*lowest).min(*lowest);
            }
            let with_two_decimals =
                |over: Option<f64>| over.map(|x| fixed(x, 2)).unwrap_or_default();
            table.row([
                plain(comparison).title(),
                comparison.workload.activation.name().to_owned(),
                position_word(comparison.workload.position).to_owned(),
                peer.name.clone(),
                compact(time),
                ours.name.clone(),
                median(&ours.milliseconds).map(compact).unwrap_or_default(),
                with_interval(here),
                with_two_decimals(medians),
                with_two_decimals(fastest),
            ]);
        }
    }
    out += "\n";
    out += &table.render();
    if lowest.iter().all(|lowest| lowest.is_finite()) {
        let [medians, fastest] = lowest.map(|lowest| fixed(lowest, 2));
        out += &format!(
            "\nThe lowest is {medians} by medians and {fastest} by the fastest rounds; the goal is at least \
             {MIN_OF_RELU}.\n"
        );
    }
    out += &not_timed(&record.compared);
    out
}

fn memory(peaks: &[Memory]) -> String {
    let mut table = Table::new([
        ("library", Align::Left),
        ("peak, MiB", Align::Right),
        ("over the smallest PyTorch variant", Align::Right),
    ]);
    let torch = peaks.iter().filter(|m| m.name.starts_with("PyTorch"));
    let least = torch.filter_map(|m| m.bytes).min();
    for peak in peaks {
        let mut row = vec![peak.name.clone()];
        match (peak.bytes, &peak.error) {
            (Some(bytes), _) => {
                row.push(fixed(bytes as f64 / MEBIBYTE, 0));
                let over = least.map(|least| fixed(bytes as f64 / least as f64, 2));
                row.push(over.unwrap_or_default());
            }
            (None, error) => row.push(error.clone().unwrap_or_default()),
        }
        table.row(row);
    }
    format!(
        "Peak resident memory during steps of {}, minus what was resident before the model was built. Each \
         library variant runs in its own process; the first steps are not counted.\n\n{}",
        super::memory::workload().title(),
        table.render()
    )
}

fn curves(record: &SpeedRecord) -> String {
    let mut table = Table::new([
        ("dimension", Align::Left),
        ("net", Align::Left),
        ("sizes", Align::Left),
        ("ms per step", Align::Left),
        ("exponent", Align::Right),
    ]);
    for curve in &record.curves {
        let sizes: BTreeSet<usize> = curve.points.iter().map(|p| p.size).collect();
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let times = curve.points.iter().filter_map(|p| median(&p.milliseconds));
        let times: Vec<String> = times.map(compact).collect();
        let power = curve
            .power()
            .map(|power| fixed(power, 2))
            .unwrap_or_default();
        let row = [
            curve.axis.clone(),
            curve.name.clone(),
            sizes.join(", "),
            times.join(", "),
            power,
        ];
        table.row(row);
    }
    format!(
        "The time of a step grows as a power of its multiply-adds. The exponent is fitted by least squares in \
         logarithms: 1 means proportional, below 1 a larger step costs less per multiply-add.\n\n{}",
        table.render()
    )
}

fn profiles(folder: &Path) -> String {
    let there = |(name, what): (&str, &str)| {
        let there = folder.join(name).exists();
        there.then(|| format!("- [{name}]({name}): {what}\n"))
    };
    let files = [
        ("profile.md", "time of a step by operation, on the CPU"),
        (
            "profile-before.md",
            "the same before the CPU kernels were rewritten",
        ),
        ("gpu.md", "kernels that a step launches on a GPU"),
        ("gpu-before.md", "the same with burn's GPU kernels only"),
    ];
    let lines: String = files.into_iter().filter_map(there).collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\n## Profiles\n\n{lines}"),
    }
}
