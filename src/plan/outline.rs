//! The cells of a spec, visited one after the other and never kept: a spec has up to millions.

use super::id::SharedPart;
use super::{PlannedCell, cost, with_content};
use crate::spec::Spec;
use crate::trainer::{Job, JobCell};
use std::collections::BTreeSet;

/// The cells of a spec on a device, in canonical order ([`super::Plan`]).
#[derive(Debug)]
pub struct Outline<'a> {
    spec: &'a Spec,
    device: &'a str,
    replicas: usize,
    shared: Vec<SharedPart>,
}

/// The jobs of an arm, without their cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmJobs {
    /// The first job; `None` if there is nothing to train.
    pub first: Option<Job>,
    /// Number of cells of each job, in order.
    pub sizes: Vec<usize>,
}

impl<'a> Outline<'a> {
    /// The cells that [`super::Plan::new`] has for the same arguments.
    pub fn new(spec: &'a Spec, device: &'a str, replicas: usize, fingerprint: &str) -> Self {
        let arms = spec.arms.iter();
        Self {
            spec,
            device,
            replicas: replicas.max(1),
            shared: arms
                .map(|arm| SharedPart::new(arm, device, fingerprint))
                .collect(),
        }
    }

    /// Every cell.
    pub fn cells(&self) -> impl Iterator<Item = PlannedCell> {
        let arms = self.spec.arms.iter().enumerate();
        arms.flat_map(|(index, arm)| self.cells_at_each(index, arm.rates()))
    }

    fn cells_at(&self, arm: usize, rate: Option<f64>) -> impl Iterator<Item = PlannedCell> {
        let shared = self.shared[arm].at(rate);
        self.spec.seeds.iter().map(move |&seed| PlannedCell {
            id: shared.id(seed),
            arm,
            learning_rate: rate,
            seed,
        })
    }

    /// The learning rates of each arm at which its cells are not those of an earlier arm.
    fn distinct(&self) -> Vec<Vec<Option<f64>>> {
        let mut seen = BTreeSet::new();
        let arms = self.shared.iter().zip(&self.spec.arms);
        arms.map(|(shared, arm)| {
            let mut rates = arm.rates();
            rates.retain(|rate| seen.insert((shared, rate.map(f64::to_bits))));
            rates
        })
        .collect()
    }

    /// Number of cells; those that several arms share count once.
    pub fn count(&self) -> usize {
        let rates: usize = self.distinct().iter().map(Vec::len).sum();
        rates * self.spec.seeds.len()
    }

    /// Every cell once, also if several arms share it.
    pub fn distinct_cells(&self) -> impl Iterator<Item = PlannedCell> {
        let distinct = self.distinct().into_iter().enumerate();
        distinct.flat_map(|(arm, rates)| self.cells_at_each(arm, rates))
    }

    fn cells_at_each(
        &self,
        arm: usize,
        rates: Vec<Option<f64>>,
    ) -> impl Iterator<Item = PlannedCell> {
        rates
            .into_iter()
            .flat_map(move |rate| self.cells_at(arm, rate))
    }

    /// The jobs of each arm for the cells whose id is not among `done`, as [`super::Plan::jobs`] makes them.
    /// Cells of other seeds than `seeds` are not done.
    pub fn jobs(&self, done: &BTreeSet<String>, seeds: &BTreeSet<u64>) -> Vec<ArmJobs> {
        let arms = self.distinct().into_iter().enumerate();
        arms.map(|(arm, rates)| self.jobs_of(arm, rates, done, seeds))
            .collect()
    }

    fn jobs_of(
        &self,
        index: usize,
        rates: Vec<Option<f64>>,
        done: &BTreeSet<String>,
        seeds: &BTreeSet<u64>,
    ) -> ArmJobs {
        let arm = &self.spec.arms[index];
        let missing = |cell: &PlannedCell| !done.contains(&cell.id);
        let own = self.spec.seeds.iter().filter(|seed| seeds.contains(seed));
        let finished: usize = (rates.iter())
            .map(|&rate| {
                let shared = self.shared[index].at(rate);
                let ids = own.clone().map(|&seed| shared.id(seed));
                ids.filter(|id| done.contains(id)).count()
            })
            .sum();
        let mut cells = rates.len() * self.spec.seeds.len() - finished;
        let mut groups = cells.div_ceil(cost::stack(arm, self.device, self.replicas));
        let mut sizes = Vec::with_capacity(groups);
        while groups > 0 {
            let size = cells.div_ceil(groups);
            sizes.push(size);
            (cells, groups) = (cells - size, groups - 1);
        }
        let own = self.cells_at_each(index, rates);
        let first = sizes.first().map(|&size| Job {
            arm: arm.name.clone(),
            device: self.device.to_owned(),
            recipe: with_content(&arm.recipe),
            cells: own
                .filter(missing)
                .take(size)
                .map(|cell| JobCell {
                    id: cell.id,
                    seed: cell.seed,
                    learning_rate: cell.learning_rate,
                })
                .collect(),
            until: None,
        });
        ArmJobs { first, sizes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::fake::spec;

    /// Three arms with two rates, of which two share a recipe.
    fn arms() -> Spec {
        let mut spec = spec(&["a", "b", "c"], 5);
        spec.arms[1].learning_rates = vec![0.1, 0.01];
        spec.arms[2].recipe = spec.arms[0].recipe.clone();
        spec.arms[2].learning_rates = vec![0.01, 0.3];
        spec
    }

    #[test]
    fn outline_has_the_cells_and_jobs_of_the_plan() {
        let spec = arms();
        for replicas in [1, 2, 3, 8] {
            let plan = Plan::new(&spec, "flex", replicas, "f");
            let outline = Outline::new(&spec, "flex", replicas, "f");
            assert!(outline.cells().eq(plan.cells.iter().cloned()));
            assert_eq!(outline.count(), plan.ids().len());
            let ids: BTreeSet<String> = outline.distinct_cells().map(|cell| cell.id).collect();
            assert_eq!((ids.len(), outline.distinct_cells().count()), (20, 20));
            let some = plan.cells.iter().step_by(3).map(|cell| cell.id.clone());
            for done in [BTreeSet::new(), some.collect(), ids] {
                let wanted = plan.jobs(|id| !done.contains(id));
                let found = outline.jobs(&done, &spec.seeds.iter().copied().collect());
                let sizes = found.iter().flat_map(|jobs| jobs.sizes.clone());
                assert!(sizes.eq(wanted.iter().map(|job| job.cells.len())));
                for (arm, jobs) in spec.arms.iter().zip(&found) {
                    let first = wanted.iter().find(|job| job.arm == arm.name);
                    assert_eq!(jobs.first.as_ref(), first);
                }
            }
        }
    }

    #[test]
    fn largest_spec_is_outlined_without_its_cells() {
        let mut spec = spec(&[""; 256], 10_000);
        for (i, arm) in spec.arms.iter_mut().enumerate() {
            arm.name = format!("a{i}");
        }
        let outline = Outline::new(&spec, "flex", 16, "f");
        assert_eq!(outline.count(), 2_560_000);
        let jobs = outline.jobs(&BTreeSet::new(), &BTreeSet::new());
        let cells: usize = jobs.iter().flat_map(|jobs| &jobs.sizes).sum();
        assert_eq!(cells, 2_560_000);
        assert!(
            jobs.iter()
                .all(|jobs| jobs.first.as_ref().unwrap().cells.len() <= 16)
        );
    }
}
