//! Losses of one example for many small changes of a layer's preactivations, in double precision.
//!
//! Removing units of a layer adds one vector to the next layer's preactivations. Everything after it
//! is evaluated here for [`LANES`] such changes at once.

use super::kernel::Kernel;
use super::real::Real;
use crate::activation::Activation;

/// Changes that are evaluated together.
const LANES: usize = 8;

/// One value for each of the changes that are evaluated together.
type Lanes = [f64; LANES];

/// An activation, an optional scale and shift, and the dense layer that reads the result.
#[derive(Clone, Copy, Debug)]
pub struct NextLayer<'a> {
    /// The activation of the preactivations.
    pub activation: Activation,
    /// Scale and shift after the activation, `[inputs]` each.
    pub after: Option<[&'a [f64]; 2]>,
    /// Weights of the layer that reads the result, `[inputs, outputs]`.
    pub weight: &'a [f64],
    /// Its bias, `[outputs]`.
    pub bias: &'a [f64],
}

/// Cross-entropy losses of one example for many changes of a layer's preactivations.
#[derive(Clone, Debug)]
pub struct VariantLosses<'a> {
    layers: Vec<NextLayer<'a>>,
    values: Vec<Lanes>,
    next: Vec<Lanes>,
}

/// Number of columns that holds `n` changes: the next multiple of the number evaluated together.
pub const fn padded_columns(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

impl<'a> VariantLosses<'a> {
    /// The layers after the changed preactivations, which are the logits if there is none.
    pub fn new(layers: Vec<NextLayer<'a>>) -> Self {
        Self {
            layers,
            values: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Writes the loss in nats for the columns `from..` of `changes` to `losses`; what it writes
    /// before `from` has no meaning.
    ///
    /// # Shapes
    /// `base` `[preactivations]`, `changes` `[preactivations, columns]`, `losses` `[columns]`, with a
    /// number of columns from [`padded_columns`].
    ///
    /// # Panics
    /// If the shapes do not fit, or `label` is not a class.
    pub fn run(
        &mut self,
        base: &[f64],
        changes: &[f64],
        from: usize,
        label: usize,
        losses: &mut [f64],
    ) {
        assert_eq!(changes.len(), base.len() * losses.len());
        assert_eq!(losses.len() % LANES, 0);
        f64::run(Run {
            layers: &self.layers,
            values: &mut self.values,
            next: &mut self.next,
            base,
            changes,
            from,
            label,
            losses,
        });
    }
}

struct Run<'a> {
    layers: &'a [NextLayer<'a>],
    values: &'a mut Vec<Lanes>,
    next: &'a mut Vec<Lanes>,
    base: &'a [f64],
    changes: &'a [f64],
    from: usize,
    label: usize,
    losses: &'a mut [f64],
}

impl Kernel for Run<'_> {
    #[inline(always)]
    fn run(self) {
        let columns = self.losses.len();
        for start in (self.from / LANES * LANES..columns).step_by(LANES) {
            self.values.clear();
            for (&base, change) in self.base.iter().zip(self.changes.chunks_exact(columns)) {
                let change: &Lanes = change[start..][..LANES].try_into().expect("LANES");
                self.values.push(change.map(|change| base + change));
            }
            for layer in self.layers {
                activate(layer, self.values);
                product(layer, self.values, self.next);
                std::mem::swap(self.values, self.next);
            }
            let losses = cross_entropy(self.values, self.label);
            self.losses[start..][..LANES].copy_from_slice(&losses);
        }
    }
}

#[inline(always)]
fn activate(layer: &NextLayer<'_>, values: &mut [Lanes]) {
    match layer.activation {
        Activation::Linear => {}
        Activation::Relu => {
            for lanes in values.iter_mut() {
                *lanes = lanes.map(|z| if z > 0.0 { z } else { 0.0 });
            }
        }
        f => {
            for lanes in values.iter_mut() {
                *lanes = lanes.map(|z| f.value(z));
            }
        }
    }
    if let Some([scale, shift]) = layer.after {
        for ((lanes, &scale), &shift) in values.iter_mut().zip(scale).zip(shift) {
            *lanes = lanes.map(|h| h * scale + shift);
        }
    }
}

#[inline(always)]
fn product(layer: &NextLayer<'_>, values: &[Lanes], out: &mut Vec<Lanes>) {
    out.clear();
    out.extend(layer.bias.iter().map(|&bias| [bias; LANES]));
    for (lanes, row) in values.iter().zip(layer.weight.chunks_exact(out.len())) {
        // After ReLU many units are zero for all changes.
        if lanes.iter().all(|&h| h == 0.0) {
            continue;
        }
        for (out, &w) in out.iter_mut().zip(row) {
            for (out, h) in out.iter_mut().zip(lanes) {
                *out += w * h;
            }
        }
    }
}

#[inline(always)]
fn cross_entropy(logits: &[Lanes], label: usize) -> Lanes {
    let mut largest = logits[0];
    for lanes in &logits[1..] {
        for (largest, &z) in largest.iter_mut().zip(lanes) {
            *largest = if z > *largest { z } else { *largest };
        }
    }
    let mut sum = [0.0; LANES];
    for lanes in logits {
        for ((sum, &z), &largest) in sum.iter_mut().zip(lanes).zip(&largest) {
            *sum += exp_of_negative(z - largest);
        }
    }
    let mut losses = [0.0; LANES];
    for (l, loss) in losses.iter_mut().enumerate() {
        *loss = sum[l].ln() + largest[l] - logits[label][l];
    }
    losses
}

/// `exp(x)` for `x <= 0`, with a relative error below 1e-15 above -708 and `exp(-708)` below it:
/// `2^k exp(r)` with `|r| <= ln 2 / 2` and the Taylor polynomial of degree 13. The standard library's
/// function is not vectorized.
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    /// `1 / n!` from `n` = 13 down to 0.
    const INVERSE_FACTORIALS: [f64; 14] = inverse_factorials();
    const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to an integer, in the low bits.
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = if x > -708.0 { x } else { -708.0 };
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let r = x - k * LN_2_HIGH - k * LN_2_LOW;
    let mut p = INVERSE_FACTORIALS[0];
    for coefficient in &INVERSE_FACTORIALS[1..] {
        p = p * r + coefficient;
    }
    let scale = (shifted.to_bits() << 52).wrapping_add(1023 << 52);
    p * f64::from_bits(scale)
}

const fn inverse_factorials() -> [f64; 14] {
    let (mut out, mut n, mut factorial) = ([1.0; 14], 1, 1.0);
    while n < out.len() {
        factorial *= n as f64;
        out[out.len() - 1 - n] = 1.0 / factorial;
        n += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_has_double_precision() {
        for i in 0..20_000 {
            let x = -f64::from(i) * 0.035;
            let (found, expected) = (exp_of_negative(x), x.exp());
            let error = (found / expected - 1.0).abs();
            assert!(error < 1e-15, "exp({x}) = {found}, not {expected}");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!(exp_of_negative(f64::NEG_INFINITY) < 1e-300);
    }

    /// The loss of one example by plain loops.
    fn plain(layers: &[NextLayer<'_>], mut z: Vec<f64>, label: usize) -> f64 {
        for layer in layers {
            let mut h: Vec<f64> = z.iter().map(|&z| layer.activation.value(z)).collect();
            if let Some([scale, shift]) = layer.after {
                for (i, h) in h.iter_mut().enumerate() {
                    *h = *h * scale[i] + shift[i];
                }
            }
            z = layer.bias.to_vec();
            for (c, z) in z.iter_mut().enumerate() {
                let terms = h.iter().enumerate();
                *z += terms
                    .map(|(i, h)| h * layer.weight[i * layer.bias.len() + c])
                    .sum::<f64>();
            }
        }
        z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[label]
    }

    #[test]
    fn losses_match_plain_loops_for_odd_shapes() {
        let wave = |n: usize, at: f64| -> Vec<f64> {
            (0..n).map(|i| (1.7 * i as f64 + at).sin()).collect()
        };
        for (widths, changes) in [
            (vec![3], 1),
            (vec![1, 2], 5),
            (vec![7, 5, 3], 8),
            (vec![9, 4, 6, 2], 19),
        ] {
            for activation in [Activation::Relu, Activation::Tanh, Activation::Linear] {
                let weights: Vec<Vec<f64>> = (widths.windows(2))
                    .map(|pair| wave(pair[0] * pair[1], pair[0] as f64))
                    .collect();
                let vectors: Vec<[Vec<f64>; 3]> = (widths.windows(2))
                    .map(|pair| [wave(pair[1], 0.3), wave(pair[0], 0.9), wave(pair[0], 2.0)])
                    .collect();
                let layers: Vec<NextLayer<'_>> = (weights.iter().zip(&vectors).enumerate())
                    .map(|(k, (weight, [bias, scale, shift]))| NextLayer {
                        activation,
                        after: (k % 2 == 1).then_some([scale, shift]),
                        weight,
                        bias,
                    })
                    .collect();
                let columns = padded_columns(changes);
                let (base, all) = (wave(widths[0], 0.1), wave(widths[0] * columns, 5.0));
                let label = widths[widths.len() - 1] - 1;
                let mut losses = vec![0.0; columns];
                let from = changes / 2;
                VariantLosses::new(layers.clone()).run(&base, &all, from, label, &mut losses);
                for column in from..changes {
                    let z = (base.iter().enumerate())
                        .map(|(i, z)| z + all[i * columns + column])
                        .collect();
                    let expected = plain(&layers, z, label);
                    let off = (losses[column] - expected).abs();
                    assert!(
                        off < 1e-13,
                        "{widths:?}: {} is not {expected}",
                        losses[column]
                    );
                }
            }
        }
    }
}
