//! The plan: every cell that a spec asks for, before any is trained.
//!
//! The cell (arm x learning rate x seed on one device) is the unit of work, cache and failure. Its
//! id is a hash of what determines its numbers and of nothing else, so a renamed arm, another stack
//! size or a change elsewhere in the spec trains nothing again. Two arms with one recipe share their cells: each
//! is trained once and reported on both lines.

mod cost;
mod id;
mod outline;
mod shared;
mod warning;

pub use cost::company;
pub use outline::{ArmJobs, Outline};
pub use shared::shared_cells;
pub use warning::{Warning, test_images, warnings};

use crate::data;
use crate::recipe::{NetRecipe, Recipe};
use crate::spec::{Arm, Spec};
use crate::trainer::{Job, JobCell};
use std::collections::{BTreeMap, BTreeSet};

/// Every cell of a spec on one device, in canonical order: arms in the order of the spec, then
/// learning rates in the order of the arm's grid, then seeds in the order of the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The spec.
    pub spec: Spec,
    /// Name of the device.
    pub device: String,
    /// Largest number of cells per stack, at least 1. It changes neither ids nor numbers.
    pub replicas: usize,
    /// The cells, one per line of `runs.jsonl`.
    pub cells: Vec<PlannedCell>,
    /// [`Job::until`] of its jobs.
    pub until: Option<usize>,
}

/// One cell of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCell {
    /// Hash of everything that determines its numbers; 20 hexadecimal digits. Equal for the cells
    /// of two arms with one recipe.
    pub id: String,
    /// Index of its arm in the spec.
    pub arm: usize,
    /// Learning rate; `None` for a program without one.
    pub learning_rate: Option<f64>,
    /// Seed.
    pub seed: u64,
}

impl Plan {
    /// The plan of `spec` on `device`, with at most `replicas` cells per stack. `fingerprint`
    /// identifies the code that computes the numbers ([`crate::provenance::fingerprint`]).
    pub fn new(spec: &Spec, device: &str, replicas: usize, fingerprint: &str) -> Self {
        let outline = Outline::new(spec, device, replicas, fingerprint);
        Self {
            spec: spec.clone(),
            device: device.to_owned(),
            replicas: replicas.max(1),
            cells: outline.cells().collect(),
            until: None,
        }
    }

    /// The plan with the cells of `seeds` only.
    pub fn of_seeds(spec: &Spec, device: &str, fingerprint: &str, seeds: &BTreeSet<u64>) -> Self {
        let mut some = spec.clone();
        some.seeds.retain(|seed| seeds.contains(seed));
        Self {
            spec: spec.clone(),
            ..Self::new(&some, device, 1, fingerprint)
        }
    }

    /// The ids of the plan, without repeats.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.cells.iter().map(|cell| cell.id.as_str()).collect()
    }

    /// Jobs for the cells whose id is `missing`, each cell once.
    ///
    /// A job has cells of one arm, at most [`Self::replicas`]. It has fewer if cells are long, so
    /// that a stopped run loses little, or if several do not fit the caches of a CPU. The jobs of an
    /// arm differ by at most one cell, so that workers finish together.
    pub fn jobs(&self, missing: impl Fn(&str) -> bool) -> Vec<Job> {
        let mut seen = BTreeSet::new();
        let mut wanted = vec![Vec::new(); self.spec.arms.len()];
        for cell in &self.cells {
            if missing(&cell.id) && seen.insert(cell.id.as_str()) {
                wanted[cell.arm].push(JobCell {
                    id: cell.id.clone(),
                    seed: cell.seed,
                    learning_rate: cell.learning_rate,
                });
            }
        }
        (self.spec.arms.iter().zip(wanted))
            .flat_map(|(arm, cells)| {
                stacks(cells, cost::stack(arm, &self.device, self.replicas)).map(|cells| Job {
                    arm: arm.name.clone(),
                    device: self.device.clone(),
                    recipe: with_content(&arm.recipe),
                    cells,
                    until: self.until,
                })
            })
            .collect()
    }
}

/// The content hash of each data set that the arms of `spec` use, by name, so far as it is known here.
pub fn contents(spec: &Spec) -> BTreeMap<String, String> {
    let known = (spec.arms.iter().filter_map(Arm::net)).filter_map(|net| {
        let name = net.data.name.key().to_owned();
        Some((name, data::content_hash(&net.data)?))
    });
    known.collect()
}

/// `recipe` with the content of the data of nets.
fn with_content(recipe: &Recipe) -> Recipe {
    match recipe {
        Recipe::Net(net) => Recipe::Net(NetRecipe {
            data: data::with_content(&net.data),
            ..net.clone()
        }),
        Recipe::Program(_) => recipe.clone(),
    }
}

/// Splits `cells`, in order, into the fewest groups of at most `most` cells, of nearly equal size.
fn stacks(mut cells: Vec<JobCell>, most: usize) -> impl Iterator<Item = Vec<JobCell>> {
    let mut groups = cells.len().div_ceil(most);
    std::iter::from_fn(move || {
        if groups == 0 {
            return None;
        }
        let rest = cells.split_off(cells.len().div_ceil(groups));
        groups -= 1;
        let mut group = std::mem::replace(&mut cells, rest);
        // It still has the room for all that was split off.
        group.shrink_to_fit();
        Some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Length;
    use crate::run::fake::spec;

    fn plan(replicas: usize) -> Plan {
        Plan::new(&spec(&["a", "b"], 5), "flex", replicas, "f")
    }

    fn sizes(jobs: &[Job]) -> Vec<(&str, usize)> {
        (jobs.iter().map(|j| (j.arm.as_str(), j.cells.len()))).collect()
    }

    #[test]
    fn cells_are_ordered_by_arm_rate_and_seed() {
        let mut spec = spec(&["a", "b"], 2);
        spec.seeds = vec![7, 3];
        spec.arms[1].learning_rates = vec![0.1, 0.01];
        let plan = Plan::new(&spec, "flex", 1, "f");
        let order: Vec<_> = (plan.cells.iter())
            .map(|c| (c.arm, c.learning_rate, c.seed))
            .collect();
        let first = Some(spec.arms[0].learning_rates[0]);
        assert_eq!(
            order,
            [
                (0, first, 7),
                (0, first, 3),
                (1, Some(0.1), 7),
                (1, Some(0.1), 3),
                (1, Some(0.01), 7),
                (1, Some(0.01), 3)
            ]
        );
        assert_eq!(plan.ids().len(), 6);
    }

    #[test]
    fn jobs_hold_every_missing_cell_once() {
        let alone: Vec<String> = (plan(1).cells.iter()).map(|c| c.id.clone()).collect();
        for replicas in [0, 1, 2, 3, 5, 8, usize::MAX] {
            let plan = plan(replicas);
            let jobs = plan.jobs(|_| true);
            let ids: Vec<String> = (jobs.iter())
                .flat_map(|j| j.cells.iter().map(|c| c.id.clone()))
                .collect();
            assert_eq!(ids, alone, "{replicas} replicas");
            assert!(jobs.iter().all(|j| j.cells.len() <= replicas.max(1)));
        }
    }

    #[test]
    fn stacks_of_an_arm_have_even_sizes() {
        assert_eq!(
            sizes(&plan(4).jobs(|_| true)),
            [("a", 3), ("a", 2), ("b", 3), ("b", 2)]
        );
        assert_eq!(sizes(&plan(8).jobs(|_| true)), [("a", 5), ("b", 5)]);
    }

    #[test]
    fn only_missing_cells_become_jobs() {
        let plan = plan(8);
        let wanted = plan.cells[6].id.clone();
        let jobs = plan.jobs(|id| id == wanted);
        assert_eq!(sizes(&jobs), [("b", 1)]);
        assert_eq!(jobs[0].cells[0].id, wanted);
        assert!(plan.jobs(|_| false).is_empty());
    }

    #[test]
    fn equal_recipes_are_trained_once() {
        let mut spec = spec(&["a", "b"], 5);
        spec.arms[1] = spec.arms[0].clone();
        spec.arms[1].name = "b".into();
        let plan = Plan::new(&spec, "flex", 8, "f");
        assert_eq!((plan.cells.len(), plan.ids().len()), (10, 5));
        assert_eq!(sizes(&plan.jobs(|_| true)), [("a", 5)]);
    }

    #[test]
    fn changed_arm_keeps_ids_of_other_arms() {
        let mut changed = spec(&["a", "b"], 5);
        let net = changed.arms[1].recipe.net_mut().expect("a net");
        net.train.length = Length::Epochs(3);
        let (before, after) = (plan(1), Plan::new(&changed, "flex", 1, "f"));
        assert_eq!(before.cells[..5], after.cells[..5]);
        assert!((5..10).all(|i| before.cells[i].id != after.cells[i].id));
    }
}
