//! `report.md`, from the record alone.

use super::ratio::{Ratio, median, quartiles, ratio};
use super::record::{Comparison, Memory, Record, Times, Variation};
use super::work::place_of;
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

/// What is left of the ratio to the peers with another activation or place of the norm, at least.
const LEAST_OF_RELU: f64 = 0.85;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The whole report, with a section of `activations` taken in another sitting; `folder` may hold
/// profiles to point to.
pub(crate) fn report(record: &Record, activations: Option<&Record>, folder: &Path) -> String {
    let mut out = String::from("# Speed of a training step on the CPU\n\n");
    out += &setting(record);
    out += "\nHow it is timed: every contestant takes training steps for about the seconds of a measure, \
            once a round, one after the other, in an order that turns round from one round to the next. \
            A step is of all replicas. It gathers a batch of real images, the same for everyone, from \
            memory (ours also scales the pixels from bytes), runs forward and backward, and takes a step of Adam. Our replicas \
            are spread over the cores and, where their weights would not fit a core's caches together, \
            train one after the other, as `ablate run` does it; a peer's loop over replicas goes one by \
            one as well, and the peers use their own threads. The nets have equal layers and as many trained numbers. \
            What our dense layers gain by passing over the zeros of ReLU and dropout and over the \
            background of images depends on the data: where images are said to have no background, \
            pixels were standardized one by one. A ratio is the median of \
            the peer's times over the median of ours, so above 1 we are faster; its interval is a 95 % \
            bootstrap over the rounds, the best peer chosen anew in each draw.\n";
    out += &tables(record);
    if !record.curves.is_empty() {
        out += &format!("\n![time of a step against its size]({FIGURE})\n");
    }
    if let Some(record) = activations {
        out += &self::activations(record);
    }
    out += &profiles(folder);
    out += "\nMade by `cargo bench --profile dev --bench speed`; every number is in [speed.json](speed.json), \
            from which `cargo bench --profile dev --bench speed -- --report` writes this page anew.\n";
    out
}

/// The tables of the report.
pub(crate) fn tables(record: &Record) -> String {
    let mut out = String::new();
    if !record.compared.is_empty() {
        out += &format!("\n## Against the best peer\n\n{}", against_best(record));
        out += &verdict(&record.compared);
        out += &super::limit::section(&record.compared);
        out += &format!("\n## Everyone\n\n{}", everyone(&record.compared));
    }
    if !record.varied.is_empty() {
        out += "\n## Other activations and places of the norm\n\nTime relative to ReLU with the norm before it.\n\n";
        out += &variations(&record.varied);
    }
    if !record.memory.is_empty() {
        out += &format!("\n## Memory\n\n{}", memory(&record.memory));
    } else if !super::memory::is_measured() {
        out += "\n## Memory\n\nNot measured: only Linux tells the peak of a process.\n";
    }
    if !record.curves.is_empty() {
        out += &format!("\n## Cost against size\n\n{}", curves(record));
    }
    out
}

fn setting(record: &Record) -> String {
    let cpu = record
        .machine
        .cpu
        .as_deref()
        .unwrap_or("a CPU without a name");
    let revision = match &record.revision {
        Some(revision) if revision.dirty => format!("`{}` with changes", revision.commit),
        Some(revision) => format!("`{}`", revision.commit),
        None => "unknown".to_owned(),
    };
    let peer =
        |l: &super::record::Library| format!("{} {} ({} threads)", l.library, l.version, l.threads);
    let peers: Vec<String> = record.libraries.iter().map(peer).collect();
    let mut table = Table::new([("taken", Align::Left), ("with", Align::Left)]);
    table.row(["machine", &format!("{cpu}, {}", record.machine.os)]);
    table.row(["cores used", &record.threads.to_string()]);
    table.row(["vector extensions", &record.vectors.join(", ")]);
    table.row(["revision", &revision]);
    table.row(["compiler", &record.build.rustc]);
    table.row(["peers", &peers.join("; ")]);
    let measures = format!("{} rounds of about {} s", record.rounds, record.seconds);
    table.row(["measures", &measures]);
    table.render()
}

/// The peer with the smallest median.
fn best(peers: &[Times]) -> Option<(&str, f64)> {
    let medians = peers.iter().filter_map(|t| {
        let median = median(&t.milliseconds)?;
        Some((t.name.as_str(), median))
    });
    medians.min_by(|a, b| a.1.total_cmp(&b.1))
}

fn against(comparison: &Comparison, ours: &Times) -> Option<Ratio> {
    let peers = comparison.peers.iter().map(|t| t.milliseconds.as_slice());
    let peers: Vec<&[f64]> = peers.filter(|times| !times.is_empty()).collect();
    ratio(&peers, &ours.milliseconds)
}

/// The ratio of the fastest rounds.
fn fastest(comparison: &Comparison, ours: &Times) -> Option<f64> {
    let least = |times: &Times| times.milliseconds.iter().copied().min_by(f64::total_cmp);
    let peers = comparison.peers.iter().filter_map(least);
    Some(peers.min_by(f64::total_cmp)? / least(ours)?)
}

fn against_best(record: &Record) -> String {
    let first = record.compared.first();
    let names: Vec<&str> = first
        .into_iter()
        .flat_map(|c| &c.ours)
        .map(|t| t.name.as_str())
        .collect();
    let mut columns = vec![
        ("work", Align::Left),
        ("best peer", Align::Left),
        ("its ms", Align::Right),
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
        let mut row = vec![comparison.work.title()];
        match best(&comparison.peers) {
            Some((name, time)) => row.extend([name.to_owned(), compact(time)]),
            None => row.extend(["none".to_owned(), String::new()]),
        }
        for ours in &comparison.ours {
            row.push(median(&ours.milliseconds).map(compact).unwrap_or_default());
            row.push(against(comparison, ours).map(shown).unwrap_or_default());
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

pub(crate) fn shown(ratio: Ratio) -> String {
    format!("{:.2} ({:.2} to {:.2})", ratio.value, ratio.low, ratio.high)
}

/// Says in words where we are slower, and where short of a goal.
fn verdict(compared: &[Comparison]) -> String {
    let (mut slower, mut short) = (Vec::new(), Vec::new());
    for comparison in compared {
        for ours in &comparison.ours {
            let Some(ratio) = against(comparison, ours) else {
                continue;
            };
            let line = format!(
                "{} on {}: {}",
                comparison.work.title(),
                ours.name,
                shown(ratio)
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
        .all(|comparison| best(&comparison.peers).is_none())
    {
        return String::new();
    }
    let mut out = String::new();
    if slower.is_empty() {
        out += "\nNowhere here are we slower than the best peer.\n";
    } else {
        out += &format!(
            "\nHere we are slower than the best peer:\n\n{}",
            slower.concat()
        );
    }
    out += &not_timed(compared);
    if !short.is_empty() {
        out += &format!(
            "\nHere we are faster, but short of the goal:\n\n{}",
            short.concat()
        );
    }
    out
}

/// The peers that failed, a line each.
fn not_timed(compared: &[Comparison]) -> String {
    let lines = compared.iter().flat_map(|comparison| {
        comparison.peers.iter().filter_map(|times| {
            let error = times.error.as_ref()?;
            let (title, name) = (comparison.work.title(), &times.name);
            Some(format!("- {title} in {name}: {error}\n"))
        })
    });
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\nNot timed, so no part of the best:\n\n{lines}"),
    }
}

fn everyone(compared: &[Comparison]) -> String {
    let mut table = Table::new([
        ("work", Align::Left),
        ("who", Align::Left),
        ("median, ms", Align::Right),
        ("quartiles, ms", Align::Right),
        ("its time over ours", Align::Right),
    ]);
    for comparison in compared {
        let title = comparison.work.title();
        let ours = comparison.ours.first();
        for times in comparison.ours.iter().chain(&comparison.peers) {
            let mut row = vec![title.clone(), times.name.clone()];
            match (quartiles(&times.milliseconds), &times.error) {
                (Some([low, median, high]), _) => {
                    row.push(compact(median));
                    row.push(format!("{} to {}", compact(low), compact(high)));
                    let over = ours.and_then(|o| ratio(&[&times.milliseconds], &o.milliseconds));
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

/// A row for each activation and place, a column for each net and device.
fn variations(varied: &[Variation]) -> String {
    let net = |v: &Variation| {
        (
            v.work.with(Activation::Relu, Position::Before),
            v.times.name.clone(),
        )
    };
    let mut nets = Vec::new();
    let mut kinds = Vec::new();
    for variation in varied {
        if !nets.contains(&net(variation)) {
            nets.push(net(variation));
        }
        let kind = (variation.work.activation, variation.work.position);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let headers: Vec<String> = (nets.iter())
        .map(|(work, name)| format!("{}, {name}", work.title()))
        .collect();
    let mut columns = vec![("activation", Align::Left), ("norm", Align::Left)];
    columns.extend(headers.iter().map(|header| (header.as_str(), Align::Right)));
    let mut table = Table::new(columns);
    let times = |of: &(super::work::Work, String), activation, position| {
        let work = of.0.with(activation, position);
        let found = varied
            .iter()
            .find(|v| v.work == work && v.times.name == of.1);
        found.map(|v| v.times.milliseconds.as_slice())
    };
    for (activation, position) in kinds {
        let mut row = vec![activation.name().to_owned(), place_of(position).to_owned()];
        for of in &nets {
            let here = times(of, activation, position);
            let relu = times(of, Activation::Relu, Position::Before);
            let relative = here.zip(relu).and_then(|(here, relu)| ratio(&[here], relu));
            row.push(relative.map(shown).unwrap_or_default());
        }
        table.row(row);
    }
    table.render()
}

/// Works and their variations beside the best peer that does the same.
pub(crate) fn activations(record: &Record) -> String {
    let mut out = format!(
        "\n## Other activations beside the peers\n\nA sitting of its own, by `cargo bench --profile dev --bench \
         speed -- --activations`; every number is in [{name}]({name}). Here the best peer has the same \
         activation in the same place. The last columns are the ratio over that with ReLU and the norm before \
         it, by medians and by everyone's fastest round: below 1, the change costs us more than the peers. \
         A variation and ReLU are not timed in the same rounds, so whatever slows a peer down for minutes \
         moves the medians' column; the fastest rounds' is steadier.\n\n{}",
        setting(record),
        name = super::record::ACTIVATIONS,
    );
    let plain = |c: &Comparison| c.work.with(Activation::Relu, Position::Before);
    let mut table = Table::new([
        ("work", Align::Left),
        ("activation", Align::Left),
        ("norm", Align::Left),
        ("best peer", Align::Left),
        ("its ms", Align::Right),
        ("ours", Align::Left),
        ("ms", Align::Right),
        ("ratio", Align::Right),
        ("over ReLU's", Align::Right),
        ("by the fastest", Align::Right),
    ]);
    let mut lowest = [f64::INFINITY; 2];
    for comparison in &record.compared {
        let Some((peer, time)) = best(&comparison.peers) else {
            continue;
        };
        let relu = record.compared.iter().find(|c| c.work == plain(comparison));
        for ours in &comparison.ours {
            let Some(here) = against(comparison, ours) else {
                continue;
            };
            let relu = relu.and_then(|c| Some((c, c.ours.iter().find(|t| t.name == ours.name)?)));
            let medians = relu.and_then(|(c, times)| Some(here.value / against(c, times)?.value));
            let fastest =
                relu.and_then(|(c, times)| Some(fastest(comparison, ours)? / fastest(c, times)?));
            for (lowest, over) in lowest.iter_mut().zip([medians, fastest]) {
                *lowest = over.unwrap_or(*lowest).min(*lowest);
            }
            let shown_over = |over: Option<f64>| over.map(|x| fixed(x, 2)).unwrap_or_default();
            table.row([
                plain(comparison).title(),
                comparison.work.activation.name().to_owned(),
                place_of(comparison.work.position).to_owned(),
                peer.to_owned(),
                compact(time),
                ours.name.clone(),
                median(&ours.milliseconds).map(compact).unwrap_or_default(),
                shown(here),
                shown_over(medians),
                shown_over(fastest),
            ]);
        }
    }
    out += "\n";
    out += &table.render();
    if lowest.iter().all(|lowest| lowest.is_finite()) {
        let [medians, fastest] = lowest.map(|lowest| fixed(lowest, 2));
        out += &format!(
            "\nThe lowest is {medians} by medians and {fastest} by the fastest rounds; the goal is \
             {LEAST_OF_RELU} or more.\n"
        );
    }
    out += &not_timed(&record.compared);
    out
}

fn memory(peaks: &[Memory]) -> String {
    let mut table = Table::new([
        ("who", Align::Left),
        ("peak, MiB", Align::Right),
        ("over the smallest of PyTorch", Align::Right),
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
        "Peak resident memory while taking steps of {}, beyond what was resident before the model was \
         built; each in a process of its own, after its first steps.\n\n{}",
        super::memory::work().title(),
        table.render()
    )
}

fn curves(record: &Record) -> String {
    let mut table = Table::new([
        ("varied", Align::Left),
        ("net", Align::Left),
        ("sizes", Align::Left),
        ("ms a step", Align::Left),
        ("power of the arithmetic", Align::Right),
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
        "The time of a step grows with a power of its multiply-adds (least squares in logarithms): 1 is in \
         proportion, below 1 a larger step is cheaper for its size.\n\n{}",
        table.render()
    )
}

fn profiles(folder: &Path) -> String {
    let there = |(name, what): (&str, &str)| {
        let there = folder.join(name).exists();
        there.then(|| format!("- [{name}]({name}): {what}\n"))
    };
    let files = [
        ("profile.md", "where the time of a step goes"),
        (
            "profile-before.md",
            "the same before the kernels were renewed",
        ),
        ("gpu.md", "what a step launches on a GPU"),
        (
            "gpu-before.md",
            "the same before GPUs had kernels of the zoo's own",
        ),
    ];
    let lines: String = files.into_iter().filter_map(there).collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\n## Profiles\n\n{lines}"),
    }
}
