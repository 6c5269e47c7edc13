//! Tests of the misclassified images that records keep.

use super::batch::{Batches, SplitPart};
use super::fixture::{self, Silent};
use super::*;
use crate::data::{Examples, Values, prepare};
use crate::recipe::TestSplit;
use ablate_models::mlp::MlpConfig;
use ablate_models::zoo::ModelConfig;

/// A job on the digits with the seeds 0 to `seeds - 1`.
fn job(seeds: u64) -> Job {
    let model: MlpConfig = serde_json::from_str(r#"{"hidden": [16]}"#).unwrap();
    let mut job = fixture::job(&ModelConfig::Mlp(model), 64).job.clone();
    job.cells = (0..seeds)
        .map(|seed| JobCell {
            id: format!("cell {seed}"),
            seed,
            learning_rate: Some(0.01),
        })
        .collect();
    job
}

fn train(job: &Job, threads: usize) -> Vec<CellRecord> {
    let records = BurnTrainer::new(threads).train(job, &Silent, &StopFlag::default());
    records.expect("the flag is never raised")
}

#[test]
fn misclassified_images_give_the_recorded_accuracy() {
    let job = job(7);
    for (cell, record) in job.cells.iter().zip(train(&job, 1)) {
        let list = record.misclassified.expect("a finished cell");
        let last = record.epochs.last().expect("an epoch");
        assert_eq!(Some(list.accuracy()), last.test.map(|test| test.accuracy));
        assert!(!list.indices().is_empty());
        let split = prepare(job.net().unwrap().data, cell.seed).unwrap().split;
        let tested = (split.test.len(), 1_797);
        assert_eq!((list.tested() as usize, list.file()), tested);
        let in_fold = |index: &u32| split.test.binary_search(index).is_ok();
        assert!(list.indices().iter().all(in_fold));
    }
}

#[test]
fn misclassified_images_do_not_depend_on_stack_or_threads() {
    let together = train(&job(3), 2);
    for (k, record) in together.into_iter().enumerate() {
        let mut alone = job(3);
        alone.cells = vec![alone.cells.remove(k)];
        assert_eq!(train(&alone, 1), [record]);
    }
}

#[test]
fn training_that_stops_early_lists_no_images() {
    let mut job = job(1);
    let mut whole = train(&job, 1);
    assert!(whole[0].misclassified.is_some());
    job.until = Some(1);
    whole[0].cut(1);
    assert_eq!(train(&job, 1), whole);
    assert_eq!(whole[0].misclassified, None);
}

#[test]
fn images_of_a_test_file_are_counted_there() {
    let mut job = job(1);
    job.recipe.net_mut().unwrap().data.test = TestSplit::Standard;
    let mut dataset = (*crate::data::digits::digits()).clone();
    let label = dataset.train.labels[0];
    dataset.test = Some(Examples {
        values: Values::Bytes(dataset.train.pixels().unwrap()[..64].repeat(5)),
        labels: vec![label; 5],
    });
    let device = fixture::device();
    let batches: Batches =
        load(&job.net().unwrap(), &Arc::new(dataset), &device, DType::F32).unwrap();
    assert_eq!(batches.len(SplitPart::Test), 5);
    let list = batches.misclassified(0, &[1, 4]);
    assert_eq!((list.tested(), list.file()), (5, 5));
    assert_eq!(list.indices(), [1, 4]);
}
