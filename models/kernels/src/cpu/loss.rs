//! Softmax cross-entropy and its gradient, in one pass.

use super::kernel::Kernel;
use super::real::Real;

/// Dimensions of the logits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossShape {
    pub(crate) replicas: usize,
    pub(crate) rows: usize,
    pub(crate) classes: usize,
}

/// The mean loss of each replica in nats, and its gradient with respect to the logits.
///
/// # Shapes
/// `logits` and their gradient `[replicas, rows, classes]`, `labels` `[replicas, rows]`.
///
/// # Panics
/// If a label is not a class.
pub(crate) fn forward<T: Real>(s: LossShape, logits: &[T], labels: &[i64]) -> (Vec<T>, Vec<T>) {
    let mut gradient = logits.to_vec();
    let mut losses = vec![T::ZERO; s.replicas];
    let share = T::from_f64(1.0 / s.rows as f64);
    for (r, loss) in losses.iter_mut().enumerate() {
        let mut sum = 0.0f64;
        T::run(ReplicaLoss {
            gradient: &mut gradient[r * s.rows * s.classes..][..s.rows * s.classes],
            labels: &labels[r * s.rows..][..s.rows],
            classes: s.classes,
            share,
            sum: &mut sum,
        });
        *loss = T::from_f64(sum / s.rows as f64);
    }
    (losses, gradient)
}

/// Replaces the logits of one replica by the gradient, and sums the losses of its rows.
struct ReplicaLoss<'a, T> {
    gradient: &'a mut [T],
    labels: &'a [i64],
    classes: usize,
    share: T,
    sum: &'a mut f64,
}

impl<T: Real> Kernel for ReplicaLoss<'_, T> {
    #[inline(always)]
    fn run(self) {
        let rows = self.gradient.chunks_exact_mut(self.classes);
        for (row, &label) in rows.zip(self.labels) {
            let label = usize::try_from(label).expect("a label is a class");
            *self.sum += row_loss(row, label, self.share);
        }
    }
}

/// Replaces the logits of a row by the gradient of `share` times its loss. Returns the loss, in nats.
#[inline(always)]
fn row_loss<T: Real>(row: &mut [T], label: usize, share: T) -> f64 {
    let mut largest = row[0];
    for &value in row.iter() {
        largest = largest.larger(value);
    }
    let at_label = row[label] - largest;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
    }
    // In a separate loop: this sum has a fixed order and cannot be vectorized, the exponentials can.
    let mut total = T::ZERO;
    for &value in row.iter() {
        total += value;
    }
    let factor = share / total;
    for value in row.iter_mut() {
        *value *= factor;
    }
    row[label] = row[label] - share;
    total.elem::<f64>().ln() - at_label.elem::<f64>()
}
