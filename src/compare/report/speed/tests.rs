use super::{answer, section};
use crate::compare::analysis::fixture::{comparison, size};
use crate::compare::figures::SPEED_FILES;
use crate::compare::results::{DeviceComparison, TimingOutcome, TrainingSize};
use crate::device::DeviceKind;

fn text(comparison: &DeviceComparison) -> String {
    section(comparison, &[]).expect("something was timed")
}

/// The cells of the first row under `heading` that contains all of `words`.
fn row<'a>(text: &'a str, heading: &str, words: &[&str]) -> Vec<&'a str> {
    let (_, part) = text.split_once(heading).expect(heading);
    let part = part.split("\n#").next().unwrap_or_default();
    let line = part
        .lines()
        .find(|line| line.starts_with('|') && words.iter().all(|word| line.contains(word)));
    let line = line.unwrap_or_else(|| panic!("{words:?} in {part}"));
    line.trim_matches('|').split(" | ").map(str::trim).collect()
}

#[test]
fn answer_compares_devices_at_one_and_many_nets() {
    let answer = answer(&comparison()).unwrap();
    assert_eq!(
        answer,
        "`wgpu` against `flex`: a step of 1 net takes 4.25 times as long; a step of 64 nets is 3.20 \
         times as fast."
    );
}

#[test]
fn throughput_table_has_rates_and_ratios() {
    let text = text(&comparison());
    let cells = row(&text, "### Throughput", &["plain", "`wgpu`", " 64 |"]);
    assert_eq!(cells[2], "64");
    assert!(
        cells[3].starts_with("20.0 (") && cells[4].starts_with("102,000 ("),
        "{cells:?}"
    );
    assert!(
        cells[5].starts_with("3.20 (") && cells[6].starts_with("4.71 ("),
        "{cells:?}"
    );
    let cells = row(&text, "### Throughput", &["plain", "`flex`"]);
    assert_eq!((cells[2], cells[5], cells[6]), ("1", "", ""));
}

#[test]
fn crossover_names_a_size_or_none() {
    let mut comparison = comparison();
    comparison.arms[1]
        .speed
        .retain(|timed| timed.size.replicas < 16);
    let text = text(&comparison);
    let heading = "### Crossover between devices";
    let cells = row(&text, heading, &["plain"]);
    assert!(cells[3].starts_with("5.6 (5."), "{cells:?}");
    assert!(cells[4].starts_with("2.4 (2.3 to "), "{cells:?}");
    assert_eq!(
        cells[5], "not within the measured sizes",
        "four times the batch is too few"
    );
    let cells = row(&text, heading, &["dropout"]);
    assert_eq!(cells[3], "not within the measured sizes");
}

#[test]
fn time_to_accuracy_has_and_excludes_start_up() {
    let text = text(&comparison());
    let heading = "### Time to an accuracy";
    let cells = row(&text, heading, &["plain", "`flex`"]);
    assert_eq!(cells[2..6], ["94.0", "2 of 3", "144", "0.144"]);
    let cells = row(&text, heading, &["plain", "`wgpu`"]);
    assert_eq!(
        cells[3..5],
        ["1 of 3", "not reached"],
        "99 % of 95 is 94.05"
    );
    assert_eq!(cells[5..], ["not reached"; 2]);
    let cells = row(&text, "### Start-up", &["plain", "`wgpu`"]);
    assert_eq!(cells[2..5], ["2.00", "2.42", "100"], "{cells:?}");
    assert!(cells[5].starts_with("2.0"), "{cells:?}");
    assert_eq!(cells[6], "64 nets, batch 32");
}

#[test]
fn software_adapter_is_marked_in_every_table() {
    let mut comparison = comparison();
    comparison.devices[1].kind = DeviceKind::SoftwareAdapter;
    let text = text(&comparison);
    let warned = text.find("is a software adapter").unwrap();
    assert!(warned < text.find("### Throughput").unwrap());
    let rows = text
        .lines()
        .filter(|line| line.starts_with('|') && line.contains("`wgpu`"));
    let (called, all): (Vec<&str>, Vec<&str>) =
        rows.partition(|line| line.contains("`wgpu` (software adapter)"));
    assert!(called.len() > 10 && all.is_empty(), "{all:?}");
}

#[test]
fn skipped_sizes_have_reasons() {
    let mut comparison = comparison();
    let seen = size(16, 1.0, 32);
    for timed in &mut comparison.arms[0].speed {
        timed.outcome = match (timed.size.replicas, timed.size.width) {
            (16 | 64, _) => TimingOutcome::TooSlow {
                size: seen,
                step: 0.7,
                spent: 2.0,
            },
            (_, 4.0) => TimingOutcome::Unfit {
                reason: "too wide".into(),
            },
            (_, 2.0) => TimingOutcome::OutOfTime { spent: 130.0 },
            (4, _) => TimingOutcome::Failed {
                error: "lost".into(),
            },
            _ => continue,
        };
    }
    if let TimingOutcome::Done(speed) = &mut comparison.arms[1].speed[0].outcome {
        speed.settled = false;
    }
    let text = text(&comparison);
    for line in [
        "- plain label, `wgpu`, 16 nets, batch 32: a step takes 0.700 s, longer than the limit of 0.5 s",
        "- plain label, `wgpu`, 64 nets, batch 32: not tried, because 16 nets, batch 32 already \
         takes 0.700 s per step",
        "- plain label, `flex`, 1 net, batch 32, width ×4: not possible: too wide",
        "- plain label, `wgpu`, 1 net, batch 32, width ×2: no time left: the other sizes took 130 s \
         of 120 s",
        "- plain label, `flex`, 4 nets, batch 32: failed: lost",
        "- dropout label, `flex`, 1 net, batch 32: the step time was not stable",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn sizes_with_one_reason_share_a_line() {
    let mut comparison = comparison();
    for timed in &mut comparison.arms[0].speed {
        let TrainingSize {
            replicas,
            width,
            batch,
        } = timed.size;
        if timed.device == "wgpu" && (replicas > 4 || width > 1.0 || batch == 128) {
            timed.outcome = TimingOutcome::OutOfTime { spent: 130.0 };
        }
    }
    let text = text(&comparison);
    assert!(
        text.contains(
            "- plain label, `wgpu`, 16, 64 nets; width ×2, ×4; batch 128: no time left: the other \
             sizes took 130 s of 120 s\n"
        ),
        "{text}"
    );
    assert_eq!(text.matches("no time left").count(), 1);
}

#[test]
fn section_needs_times_and_shows_its_own_figures() {
    let mut comparison = comparison();
    let text = section(&comparison, &[SPEED_FILES[2].0, "parity.svg"]).unwrap();
    assert_eq!(text.matches("![").count(), 1);
    assert!(text.contains("](cost.svg)"));
    assert_eq!(text, section(&comparison, &[SPEED_FILES[2].0]).unwrap());
    comparison.timing = None;
    assert_eq!(section(&comparison, &[]), None);
}

#[test]
fn untimed_arm_does_not_change_others() {
    let mut comparison = comparison();
    let before = section(&comparison, &[]).unwrap();
    let mut later = comparison.arms[0].clone();
    later.arm = "later".into();
    later.speed.clear();
    comparison.arms.push(later);
    let text = section(&comparison, &[]).unwrap();
    let lost = before.lines().find(|line| !text.contains(line));
    assert_eq!(lost, None);
    crate::compare::report::derive(&comparison).unwrap();
}
