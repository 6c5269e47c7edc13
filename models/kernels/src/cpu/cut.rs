//! How an optimizer's step is cut into tasks: equal blocks, one a replica, in parts of limited size.

/// Numbers that one task moves, at most.
const PART: usize = 1 << 14;

/// Numbers of a block and of its parts. The numbers of a block move alike, so how it is cut changes
/// nothing.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    block: usize,
    part: usize,
}

impl Cut {
    /// Of `numbers` of so many replicas.
    pub(super) fn new(numbers: usize, replicas: usize) -> Self {
        let block = numbers / replicas;
        Self {
            block: block.max(1),
            part: block.clamp(1, PART),
        }
    }

    /// The parts of what is read.
    pub(super) fn read<T>(self, values: &[T]) -> impl Iterator<Item = &[T]> {
        let blocks = values.chunks(self.block);
        blocks.flat_map(move |block| block.chunks(self.part))
    }

    /// The parts of what is moved.
    pub(super) fn write<T>(self, values: &mut [T]) -> impl Iterator<Item = &mut [T]> {
        let blocks = values.chunks_mut(self.block);
        blocks.flat_map(move |block| block.chunks_mut(self.part))
    }

    /// The rate of each part, by those of the replicas.
    pub(super) fn rates(self, rates: &[f64]) -> impl Iterator<Item = f64> {
        let parts = self.block.div_ceil(self.part);
        rates
            .iter()
            .flat_map(move |&rate| std::iter::repeat_n(rate, parts))
    }
}
