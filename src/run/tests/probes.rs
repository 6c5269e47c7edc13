//! Tests that hold for every probe, with the real trainer.

use crate::plan::Plan;
use crate::recipe::{Length, PlantedFault, Probe, Repair};
use crate::record::{CellRecord, EpochRecord};
use crate::run::events::Silent;
use crate::run::fake::spec;
use crate::spec::{Measure, QUANTITIES, Timing};
use crate::train::BurnTrainer;
use crate::trainer::{Job, StopFlag, Trainer};
use ablate_models::block::{Bias, Position};
use ablate_models::dropout::Placement;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::zoo::ModelConfig;
use std::collections::BTreeSet;

fn every_probe() -> Vec<Probe> {
    let probes: BTreeSet<Probe> = QUANTITIES.iter().map(|q| q.probe).collect();
    probes.into_iter().collect()
}

/// Norm positions and dropout placements of the nets under test.
fn variants() -> [(Position, Placement); 3] {
    [
        (Position::Before, Placement::End),
        (Position::After, Placement::End),
        (Position::Before, Placement::BeforeNorm),
    ]
}

/// Trains a small net with everything that probes measure: two seeds, two epochs.
fn trained(probes: &[Probe], (position, placement): (Position, Placement)) -> Vec<CellRecord> {
    let mut spec = spec(&["a"], 2);
    let arm = spec.arms[0].net_mut().unwrap();
    let ModelConfig::Mlp(mlp) = &mut arm.model else {
        unreachable!("the fake's model is an MLP")
    };
    mlp.hidden = vec![8, 6];
    mlp.block.bias = Bias::On;
    mlp.block.position = position;
    mlp.block.norm = NormConfig::Batch(BatchNormConfig::default());
    mlp.block.dropout.placement = placement;
    mlp.block.dropout.rate = 0.25;
    arm.data.subset = Some(128);
    arm.train.fault = Some(PlantedFault {
        after: 1,
        at_nll: None,
        layer: 0,
        units: 3,
        repair: Repair::All,
    });
    arm.probes = probes.to_vec();
    let plan = Plan::new(&spec, "flex", 2, "f");
    let jobs = plan.jobs(|_| true);
    let train = |job: &Job| BurnTrainer::new(1).train(job, &Silent, &StopFlag::default());
    jobs.iter().flat_map(|job| train(job).unwrap()).collect()
}

#[test]
fn measured_quantities_match_the_catalogue() {
    let mut missing: BTreeSet<(&str, Timing)> =
        QUANTITIES.iter().map(|q| (q.name, q.timing)).collect();
    let mut measured = |name: &str, is_timing: fn(Timing) -> bool| {
        let measure = Measure::named(name);
        let measure = measure.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        let quantity = measure.quantity;
        assert!(
            is_timing(quantity.timing),
            "{name} at {:?}",
            quantity.timing
        );
        missing.remove(&(quantity.name, quantity.timing));
    };
    // Shares of a repair exist only in nets that have the time for one.
    let records = variants().map(|variant| trained(&every_probe(), variant));
    for records in records.into_iter().chain([trained_at_loss(3)]) {
        for record in records {
            let (values, traces, series) = (record.probes, record.traces, record.series);
            values
                .keys()
                .for_each(|n| measured(n, |t| t == Timing::AtEnd));
            traces
                .keys()
                .for_each(|n| measured(n, |t| t == Timing::EveryEpoch));
            series
                .keys()
                .for_each(|n| measured(n, |t| matches!(t, Timing::Series(_) | Timing::Matrix)));
            assert!(traces.values().all(|trace| trace.len() == 2));
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn probes_do_not_change_training() {
    for variant in variants() {
        let plain = trained(&[], variant);
        for (probed, plain) in trained(&every_probe(), variant).iter().zip(&plain) {
            assert_eq!(probed.epochs, plain.epochs);
        }
    }
}

/// Trains cells whose faults are planted at equal loss, with at most `replicas` cells per stack.
fn trained_at_loss(replicas: usize) -> Vec<CellRecord> {
    let mut spec = spec(&["a"], 3);
    let arm = spec.arms[0].net_mut().unwrap();
    arm.data.subset = Some(256);
    arm.data.validation = 0.2;
    arm.train.length = Length::Epochs(6);
    arm.train.fault = Some(PlantedFault {
        after: 4,
        at_nll: Some(2.0),
        layer: 0,
        units: 2,
        repair: Repair::All,
    });
    arm.probes = vec![Probe::PlantedFault];
    let jobs = Plan::new(&spec, "flex", replicas, "f").jobs(|_| true);
    let train = |job: &Job| BurnTrainer::new(1).train(job, &Silent, &StopFlag::default());
    let mut records: Vec<CellRecord> = jobs.iter().flat_map(|job| train(job).unwrap()).collect();
    records.sort_by_key(|record| record.seed);
    records
}

#[test]
fn faults_at_equal_loss_follow_the_validation_loss_of_each_cell() {
    let records = trained_at_loss(3);
    assert_eq!(records, trained_at_loss(1));
    let epochs = records.iter().map(|record| {
        let reached = |epoch: &EpochRecord| epoch.validation.is_some_and(|v| v.nll <= 2.0);
        let first = record.epochs.iter().position(reached);
        first.map_or(4, |epoch| (epoch + 1).min(4))
    });
    let epochs: Vec<usize> = epochs.collect();
    assert!(epochs.iter().any(|epoch| *epoch != epochs[0]), "{epochs:?}");
    for (record, epoch) in records.iter().zip(&epochs) {
        let steps_per_epoch = record.probes["fault_step"] / *epoch as f64;
        assert_eq!(
            steps_per_epoch,
            records[0].probes["fault_step"] / epochs[0] as f64
        );
    }
}
