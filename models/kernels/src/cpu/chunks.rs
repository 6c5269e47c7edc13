//! Chunks of parameters that one task of an optimizer step updates.

/// Largest number of values in a chunk.
const CHUNK: usize = 1 << 14;

/// Division of `[replicas, ..]` parameters into chunks that lie within one replica.
///
/// Every value is updated independently, so the division does not change results.
#[derive(Clone, Copy)]
pub(super) struct OptimizerChunks {
    /// Values per replica.
    replica: usize,
    /// Values per chunk; the last chunk of a replica may be smaller.
    chunk: usize,
}

impl OptimizerChunks {
    /// Chunks of `count` values that belong to `replicas` replicas.
    pub(super) fn new(count: usize, replicas: usize) -> Self {
        let replica = count / replicas;
        Self {
            replica: replica.max(1),
            chunk: replica.clamp(1, CHUNK),
        }
    }

    /// The chunks of `values`.
    pub(super) fn of<T>(self, values: &[T]) -> impl Iterator<Item = &[T]> {
        let replicas = values.chunks(self.replica);
        replicas.flat_map(move |values| values.chunks(self.chunk))
    }

    /// The mutable chunks of `values`.
    pub(super) fn of_mut<T>(self, values: &mut [T]) -> impl Iterator<Item = &mut [T]> {
        let replicas = values.chunks_mut(self.replica);
        replicas.flat_map(move |values| values.chunks_mut(self.chunk))
    }

    /// The learning rate of every chunk, from one rate per replica.
    pub(super) fn rates(self, rates: &[f64]) -> impl Iterator<Item = f64> {
        let chunks = self.replica.div_ceil(self.chunk);
        rates
            .iter()
            .flat_map(move |&rate| std::iter::repeat_n(rate, chunks))
    }
}
