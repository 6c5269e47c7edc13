//! Figures of probes.

use super::super::distributions::distributions;
use super::super::matrices::matrices;
use super::super::traces::{probe_series, traces};
use super::*;
use crate::analysis::fixture::crossed;
use crate::spec::{Measure, Metric};
use ablate_models::zoo::ModelConfig;

/// The traces and the series of a figure of probes.
fn probed(spec: &Spec, records: &[CellRecord]) -> [Option<String>; 2] {
    let summary = summarize(spec, records).expect("records of one run");
    let cells = Cells::new(spec, records).expect("records of one run");
    let along = traces(spec, &cells, &summary, Theme::Screen).expect("a figure");
    let trained = probe_series(spec, &cells, &summary, Theme::Screen).expect("a figure");
    [along, trained].map(svg)
}

/// Records with two traces (one of them of the whole net and of a block) and one curve per block.
fn with_probes(spec: &Spec) -> Vec<CellRecord> {
    let mut records = records(spec);
    for record in &mut records {
        let epochs = record.epochs.len();
        let trace = |from: f64| {
            (0..epochs)
                .map(|e| from + e as f64 / 10.0)
                .collect::<Vec<_>>()
        };
        for name in ["update_gini", "update_gini.blocks.0", "cancellation"] {
            record
                .traces
                .insert(name.to_owned(), trace(record.seed as f64));
        }
        for name in ["ablation_curve.blocks.0", "ablation_curve.blocks.1"] {
            let curve = vec![98.0 - record.seed as f64, 70.0, 10.0];
            record.series.insert(name.to_owned(), curve);
        }
    }
    records
}

#[test]
fn probe_figures_have_a_facet_per_quantity() {
    let spec = spec(3, 4, 5);
    let [along, trained] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    for svg in [&along, &trained] {
        assert_sound(svg);
        // Two facets of three arms. The block has none, because the whole net was measured too.
        assert_eq!(count(svg, "class=\"series\""), 6);
        assert_eq!(count(svg, "class=\"key\""), 3);
        assert!(
            texts(svg)
                .iter()
                .any(|t| t.starts_with("Line: mean over n seeds"))
        );
    }
    assert_eq!(texts(&along).iter().filter(|t| **t == "epoch").count(), 2);
    let removed = |t: &&&str| t.starts_with("share of the block");
    assert_eq!(texts(&trained).iter().filter(removed).count(), 2);
    assert_eq!(probed(&spec, &records(&spec)), [None, None]);
}

#[test]
fn many_crossed_arms_are_grouped_by_factors() {
    let spec = crossed(3, 2);
    let [along, _] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    assert_sound(&along);
    // The norm is varied; two activations and two widths make four facets per quantity.
    assert_eq!(count(&along, "class=\"series\""), 2 * 4 * 2);
    assert_eq!(count(&along, "class=\"key\""), 2);
    let group = "relu label, 8 label (n = 3)";
    assert_eq!(texts(&along).iter().filter(|t| **t == group).count(), 2);
}

#[test]
fn several_panels_show_only_compared_quantities() {
    let mut spec = crossed(3, 2);
    spec.contrasts[0].metric = Metric::Probe(Measure::named("update_gini").expect("a quantity"));
    let [along, _] = probed(&spec, &with_probes(&spec)).map(|svg| svg.expect("probes"));
    assert_eq!(count(&along, "class=\"series\""), 4 * 2);
}

#[test]
fn distributions_have_a_facet_per_arm() {
    let spec = spec(3, 4, 5);
    let mut records = records(&spec);
    // The last arm has no scales.
    for record in records.iter_mut().filter(|record| record.arm != "c") {
        for (point, at) in [("low", 0.5), ("median", 1.0), ("high", 1.5)] {
            for block in ["blocks.0", "blocks.1"] {
                let trace = (0..5).map(|e| at + f64::from(e) / 100.0).collect();
                record
                    .traces
                    .insert(format!("scale_{point}.{block}"), trace);
            }
        }
        for name in ["scale_sd.blocks.0", "cancellation"] {
            record.traces.insert(name.to_owned(), vec![0.25; 5]);
        }
    }
    let summary = summarize(&spec, &records).expect("records of one run");
    let cells = Cells::new(&spec, &records).expect("records of one run");
    let figures = distributions(&spec, &cells, &summary, Theme::Screen).expect("figures");
    let [(kind, drawing)] = &figures[..] else {
        panic!("{} figures", figures.len());
    };
    let svg = &drawing.svg;
    assert_eq!(kind.file, "scales.svg");
    assert_sound(svg);
    assert_eq!(count(svg, "class=\"series\""), 2 * 2);
    assert_eq!(count(svg, "class=\"key\""), 2);
    let texts = texts(svg);
    for arm in ["a label (n = 4)", "b label (n = 4)"] {
        assert_eq!(texts.iter().filter(|t| **t == arm).count(), 1, "{arm}");
    }
    assert!(!texts.contains(&"c label (n = 4)"));
    let caption =
        "Line: median of the learned scales over the units of a block. Band: from the 5 %";
    assert!(texts.iter().any(|t| t.starts_with(caption)), "{texts:?}");
    // Both facets have the same ticks.
    let ticks = texts.iter().filter(|t| **t == "1.0").count();
    assert_eq!(ticks, 2, "{texts:?}");

    let along = traces(&spec, &cells, &summary, Theme::Screen).expect("a figure");
    let along = along.expect("something else was traced").svg;
    assert_eq!(count(&along, "class=\"series\""), 2);
}

#[test]
fn matrices_have_a_facet_per_arm() {
    let mut spec = spec(2, 3, 2);
    for arm in &mut spec.arms {
        let ModelConfig::Mlp(mlp) = &mut arm.net_mut().unwrap().model else {
            unreachable!("the fixture's models are MLPs")
        };
        mlp.hidden = vec![2, 2];
    }
    let mut records = records(&spec);
    let drawn = |records: &[CellRecord]| {
        let summary = summarize(&spec, records).expect("records of one run");
        let cells = Cells::new(&spec, records).expect("records of one run");
        svg(matrices(&spec, &cells, &summary, Theme::Screen).expect("a figure"))
    };
    assert_eq!(drawn(&records), None);
    for record in &mut records {
        let matrix = vec![0.5, -1.0, -1.0, 0.25];
        for name in ["within.blocks.0", "across.blocks.0", "within.blocks.1"] {
            let name = format!("interaction_{name}");
            record.series.insert(name, matrix.clone());
        }
    }
    let svg = drawn(&records).expect("matrices");
    assert_sound(&svg);
    let named = |name: &str| texts(&svg).iter().filter(|t| **t == name).count();
    // At the left of each matrix and below it.
    assert_eq!([named("1st block"), named("2nd block")], [4, 4]);
    let first = records.iter().map(|r| r.seed).min().expect("records");
    let caption = format!("of the net of seed {first}");
    let words = texts(&svg).join(" ");
    assert!(words.contains(&caption), "{words}");
    for record in &mut records {
        record.series.remove("interaction_across.blocks.0");
    }
    assert_eq!(drawn(&records), None);
}
