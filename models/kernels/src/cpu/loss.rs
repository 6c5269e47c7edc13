//! Softmax cross-entropy with its gradient in one pass.

use super::real::Real;
use super::vector::Kernel;

/// Sizes of a loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) replicas: usize,
    pub(crate) rows: usize,
    pub(crate) classes: usize,
}

/// The mean loss of each replica, and its gradient by the logits.
///
/// # Panics
/// If a label is not a class.
pub(crate) fn forward<T: Real>(s: Sizes, logits: &[T], labels: &[i64]) -> (Vec<T>, Vec<T>) {
    let mut gradient = logits.to_vec();
    let mut losses = vec![T::ZERO; s.replicas];
    let share = T::of(1.0 / s.rows as f64);
    for (r, loss) in losses.iter_mut().enumerate() {
        let mut sum = 0.0f64;
        T::run(OneReplica {
            gradient: &mut gradient[r * s.rows * s.classes..][..s.rows * s.classes],
            labels: &labels[r * s.rows..][..s.rows],
            classes: s.classes,
            share,
            sum: &mut sum,
        });
        *loss = T::of(sum / s.rows as f64);
    }
    (losses, gradient)
}

/// Turns the logits of one replica into the gradient, and adds up the losses of its rows.
struct OneReplica<'a, T> {
    gradient: &'a mut [T],
    labels: &'a [i64],
    classes: usize,
    share: T,
    sum: &'a mut f64,
}

impl<T: Real> Kernel for OneReplica<'_, T> {
    #[inline(always)]
    fn run(self) {
        let rows = self.gradient.chunks_exact_mut(self.classes);
        for (row, &label) in rows.zip(self.labels) {
            let label = usize::try_from(label).expect("labels are classes");
            *self.sum += one_row(row, label, self.share);
        }
    }
}

/// Turns logits into the gradient of `share` times the loss; the loss, in nats.
#[inline(always)]
fn one_row<T: Real>(row: &mut [T], label: usize, share: T) -> f64 {
    let mut largest = row[0];
    for &value in row.iter() {
        largest = largest.larger(value);
    }
    let at_label = row[label] - largest;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
    }
    // A loop of its own: a sum in this order is taken number by number, which exponentials are not.
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
