//! Softmax cross-entropy with its gradient in one pass.

use super::real::Real;

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
        let rows = gradient[r * s.rows * s.classes..].chunks_exact_mut(s.classes);
        let mut sum = 0.0f64;
        for (row, &label) in rows.zip(&labels[r * s.rows..(r + 1) * s.rows]) {
            let label = usize::try_from(label).expect("labels are classes");
            sum += one_row(row, label, share);
        }
        *loss = T::of(sum / s.rows as f64);
    }
    (losses, gradient)
}

/// Turns logits into the gradient of `share` times the loss; the loss, in nats.
fn one_row<T: Real>(row: &mut [T], label: usize, share: T) -> f64 {
    let largest = row.iter().fold(row[0], |a, &b| a.larger(b));
    let mut total = T::ZERO;
    let at_label = row[label] - largest;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        total += *value;
    }
    let factor = share / total;
    for value in row.iter_mut() {
        *value *= factor;
    }
    row[label] = row[label] - share;
    total.elem::<f64>().ln() - at_label.elem::<f64>()
}
