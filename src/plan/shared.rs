//! Cells that experiments have in common.

use super::Plan;
use crate::spec::Spec;

/// The experiments of `others` that have cells in common with `spec`, in their order, each with the number
/// of common cells. `spec` itself, by name, is left out.
///
/// Common cells are trained once per experiment and have the same numbers, so what the experiments find is
/// not independent.
pub fn shared_cells(spec: &Spec, others: &[Spec]) -> Vec<(String, usize)> {
    // Device and code enter every id alike, so they do not matter for a comparison.
    let plan = |spec: &Spec| Plan::new(spec, "any", 1, "any");
    let own = plan(spec);
    let own = own.ids();
    let common = |other: &Spec| plan(other).ids().intersection(&own).count();
    let others = others.iter().filter(|other| other.name != spec.name);
    let counted = others.map(|other| (other.name.clone(), common(other)));
    counted.filter(|(_, cells)| *cells > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake::spec;

    fn named(name: &str, arms: &[&str], seeds: usize) -> Spec {
        Spec {
            name: name.to_owned(),
            ..spec(arms, seeds)
        }
    }

    #[test]
    fn common_recipes_and_seeds_are_counted_by_experiment() {
        let own = named("own", &["a", "b"], 5);
        let mut other = named("other", &["a", "b"], 3);
        other.arms[1].learning_rates = vec![0.5];
        let mut apart = named("apart", &["a"], 5);
        apart.arms[0].net_mut().unwrap().train.batch_size += 1;
        let others = [own.clone(), other, apart];
        assert_eq!(shared_cells(&own, &others), [("other".to_owned(), 3)]);
    }
}
