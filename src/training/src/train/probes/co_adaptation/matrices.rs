//! Matrices of the interactions between pairs of units.

use super::UnitSample;
use ablate_models::inspect::{Fill, Unit, UnitRemoval};

/// Largest number of units per layer.
const UNITS: usize = 16;

/// Returns, for every layer, the interactions between its units and between them and the units of
/// the next layer, row by row. Removed units are set to zero. The diagonal holds the increase of
/// the loss when a unit is removed alone.
///
/// The units are the first ones of the first order of removal, equally many per layer.
pub(super) fn of(sample: &UnitSample, subject: &UnitRemoval<'_>) -> Vec<(String, Vec<f64>)> {
    let smallest = sample.orders.iter().map(|orders| orders[0].len()).min();
    let n = smallest.unwrap_or(0).min(UNITS);
    let first_units = |layer: usize| &sample.orders[layer][0][..n];
    let mut out = Vec::new();
    for (layer, (path, _)) in sample.layers.iter().enumerate() {
        let units = first_units(layer);
        out.push((format!("interaction_within.{path}"), within(subject, units)));
        if layer + 1 < sample.layers.len() {
            let next = first_units(layer + 1);
            let pairs = units.iter().flat_map(|a| next.iter().map(|b| [*a, *b]));
            let pairs: Vec<[Unit; 2]> = pairs.collect();
            let values = subject.interactions(&pairs, Fill::Zero);
            out.push((format!("interaction_across.{path}"), values));
        }
    }
    out
}

fn within(subject: &UnitRemoval<'_>, units: &[Unit]) -> Vec<f64> {
    let n = units.len();
    let index_pairs = || (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let pairs: Vec<[Unit; 2]> = index_pairs().map(|(i, j)| [units[i], units[j]]).collect();
    let whole = subject.intact().nll;
    let mut matrix = vec![0.0; n * n];
    for (i, unit) in units.iter().enumerate() {
        matrix[i * n + i] = subject.without(&[*unit], Fill::Zero).nll - whole;
    }
    for ((i, j), value) in index_pairs().zip(subject.interactions(&pairs, Fill::Zero)) {
        matrix[i * n + j] = value;
        matrix[j * n + i] = value;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_kernels::activation::Activation::{Linear, Relu};
    use ablate_models::inspect::{HostLayer, HostMlp};

    fn subject(chain: &HostMlp) -> UnitRemoval<'_> {
        UnitRemoval::new(chain, vec![1.0; 4], 1, &[0; 4])
    }

    /// Two units with value 1 on every example have weights -3 and 3 to a unit of the next layer,
    /// which is the logit of class 0. The logit of class 1 is 0. The second unit of that layer is
    /// constant and unused.
    fn chain() -> HostMlp {
        let first = HostLayer::new(vec![1.0, 1.0], vec![0.0; 2], Relu);
        let second = HostLayer::new(vec![-3.0, 0.0, 3.0, 0.0], vec![0.0, 1.0], Linear);
        let head = HostLayer::new(vec![1.0, 0.0, 0.0, 0.0], vec![0.0; 2], Linear);
        HostMlp::new(vec![first, second, head])
    }

    fn loss(margin: f64) -> f64 {
        (-margin).exp().ln_1p()
    }

    #[test]
    fn matrices_match_hand_computation() {
        let layers = [("blocks.0".to_owned(), 1, 2), ("blocks.1".to_owned(), 2, 2)];
        let mut sample = UnitSample::draw(&layers, 0);
        for orders in &mut sample.orders {
            orders[0].sort();
        }
        let chain = chain();
        let found = of(&sample, &subject(&chain));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "interaction_within.blocks.0",
                "interaction_across.blocks.0",
                "interaction_within.blocks.1",
            ]
        );
        let near = |found: &[f64], expected: [f64; 4]| {
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-12, "{found:?} {expected:?}");
            }
        };
        let (harmless, broken, even) = (loss(3.0), loss(-3.0), loss(0.0));
        // One unit increases the loss and the other compensates it.
        let repair = even - harmless - broken + even;
        assert!(repair < -1.7);
        near(
            &found[0].1,
            [harmless - even, repair, repair, broken - even],
        );
        // Without the unit that reads them, neither unit has an effect.
        let gated = [even - harmless, even - broken];
        near(&found[1].1, [gated[0], 0.0, gated[1], 0.0]);
        near(&found[2].1, [0.0; 4]);
    }

    #[test]
    fn matrices_have_the_size_of_the_smallest_layer() {
        let layers = [("a".to_owned(), 1, 40), ("b".to_owned(), 2, 3)];
        let sample = UnitSample::draw(&layers, 0);
        let first = HostLayer::new(vec![0.1; 40], vec![0.0; 40], Relu);
        let second = HostLayer::new(vec![0.1; 120], vec![0.0; 3], Relu);
        let head = HostLayer::new(vec![0.1; 6], vec![0.0; 2], Linear);
        let chain = HostMlp::new(vec![first, second, head]);
        let found = of(&sample, &subject(&chain));
        assert!(found.iter().all(|(_, matrix)| matrix.len() == 9));
    }
}
