//! What holds for every probe.

use crate::plan::Plan;
use crate::record::CellRecord;
use crate::run::fake::spec;
use crate::run::trainer::{Job, Progress, StopFlag, Trainer};
use crate::spec::{Measure, PlantedFault, Probe, QUANTITIES, Repair, Timing};
use crate::train::BurnTrainer;
use ablate_models::block::Bias;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::zoo::ModelConfig;
use std::collections::BTreeSet;

struct Silent;

impl Progress for Silent {
    fn advanced(&self, _job: &Job, _done: usize) {}
}

fn every_probe() -> Vec<Probe> {
    let probes: BTreeSet<Probe> = QUANTITIES.iter().map(|q| q.probe).collect();
    probes.into_iter().collect()
}

/// A small net with everything that probes look for, two seeds of it, for two epochs.
fn trained(probes: Vec<Probe>) -> Vec<CellRecord> {
    let mut spec = spec(&["a"], 2);
    let arm = &mut spec.arms[0];
    let ModelConfig::Mlp(mlp) = &mut arm.model else {
        unreachable!("the fake's model is an MLP")
    };
    mlp.hidden = vec![8, 6];
    mlp.block.bias = Bias::On;
    mlp.block.norm = NormConfig::Batch(BatchNormConfig::default());
    arm.data.subset = Some(128);
    arm.train.fault = Some(PlantedFault {
        after: 1,
        layer: 0,
        units: 3,
        repair: Repair::All,
    });
    arm.probes = probes;
    let plan = Plan::new(&spec, "flex", 2, "f");
    let jobs = plan.jobs(|_| true);
    let train = |job: &Job| BurnTrainer::new(1).train(job, &Silent, &StopFlag::default());
    jobs.iter().flat_map(|job| train(job).unwrap()).collect()
}

#[test]
fn all_that_probes_measure_is_in_the_catalogue_and_the_catalogue_is_measured() {
    let names = |timing: fn(Timing) -> bool| -> BTreeSet<String> {
        let quantities = QUANTITIES.iter().filter(|q| timing(q.timing));
        quantities.map(|q| q.name.to_owned()).collect()
    };
    let group = |name: &String| {
        let measure = Measure::named(name);
        let measure = measure.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        measure.quantity.name.to_owned()
    };
    for record in trained(every_probe()) {
        let values: BTreeSet<String> = record.probes.keys().map(group).collect();
        assert_eq!(values, names(|t| t == Timing::AtEnd));
        let traces: BTreeSet<String> = record.traces.keys().map(group).collect();
        assert_eq!(traces, names(|t| t == Timing::EveryEpoch));
        let series: BTreeSet<String> = record.series.keys().map(group).collect();
        assert_eq!(series, names(|t| matches!(t, Timing::Series(_))));
        assert!(record.traces.values().all(|trace| trace.len() == 2));
    }
}

#[test]
fn probes_change_nothing_of_a_run() {
    let plain = trained(Vec::new());
    for (probed, plain) in trained(every_probe()).iter().zip(&plain) {
        assert_eq!(probed.epochs, plain.epochs);
    }
}
