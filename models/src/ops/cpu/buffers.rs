//! Memory that kernels reuse: a training step asks for the same sizes again and again, and fresh
//! memory from the system costs a page fault for every 4 KiB.

use bytemuck::{Pod, Zeroable};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// A cache line, which is also the widest vector.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

const LINE: usize = size_of::<Line>();

/// Buffers with fewer lines are left to the allocator, which serves them as fast.
const POOLED: usize = 64;

/// `len` numbers that start at a multiple of 64 bytes; their memory goes back to the pool.
#[derive(Debug)]
pub(crate) struct Buffer<T> {
    lines: Vec<Line>,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// Numbers of unspecified values: whatever the last user left.
    pub(crate) fn unspecified(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(LINE);
        Self {
            lines: take(lines),
            len,
            of: PhantomData,
        }
    }

    pub(crate) fn zeros(len: usize) -> Self {
        let mut buffer = Self::unspecified(len);
        buffer.fill(T::zeroed());
        buffer
    }

    /// The numbers as bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }

    /// The numbers as bytes.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(self)
    }
}

impl<T: Pod> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::unspecified(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl<T: Pod> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        give(std::mem::take(&mut self.lines));
    }
}

/// Idle memory by size class, least recently used first.
///
/// There is never more idle than has been in use at one time.
#[derive(Default)]
struct Pool {
    idle: BTreeMap<usize, Vec<(u64, Vec<Line>)>>,
    idle_lines: usize,
    lent_lines: usize,
    most_lent: usize,
    clock: u64,
}

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

fn pool() -> MutexGuard<'static, Pool> {
    // The pool is whole between any two of its statements that can panic.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sizes are rounded up to eight steps an octave, so that nearby ones share memory.
fn class(lines: usize) -> usize {
    let step = 1 << (lines.ilog2().saturating_sub(3));
    lines.next_multiple_of(step)
}

fn take(lines: usize) -> Vec<Line> {
    if lines < POOLED {
        return vec![Line::zeroed(); lines];
    }
    let class = class(lines);
    let found = pool().lend(class);
    found.unwrap_or_else(|| vec![Line::zeroed(); class])
}

fn give(lines: Vec<Line>) {
    if lines.len() >= POOLED {
        let surplus = pool().take_back(lines);
        // Freed here, after the lock is gone.
        drop(surplus);
    }
}

impl Pool {
    fn lend(&mut self, class: usize) -> Option<Vec<Line>> {
        self.lent_lines += class;
        self.most_lent = self.most_lent.max(self.lent_lines);
        let (_, lines) = self.idle.get_mut(&class)?.pop()?;
        self.idle_lines -= class;
        Some(lines)
    }

    /// Takes `lines` back; what is then too much.
    fn take_back(&mut self, lines: Vec<Line>) -> Vec<Vec<Line>> {
        let class = lines.len();
        self.clock += 1;
        self.lent_lines -= class;
        self.idle_lines += class;
        self.idle
            .entry(class)
            .or_default()
            .push((self.clock, lines));
        let mut surplus = Vec::new();
        while self.idle_lines > self.most_lent {
            let oldest = |of: &Vec<(u64, Vec<Line>)>| of.first().map_or(u64::MAX, |(at, _)| *at);
            let Some(buffers) = self.idle.values_mut().min_by_key(|of| oldest(of)) else {
                break;
            };
            let (_, lines) = buffers.remove(0);
            self.idle_lines -= lines.len();
            surplus.push(lines);
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(class: usize) -> Vec<Line> {
        vec![Line::zeroed(); class]
    }

    #[test]
    fn memory_of_a_size_class_is_lent_again() {
        let mut pool = Pool::default();
        assert!(pool.lend(128).is_none());
        let first = lines(128);
        let address = first.as_ptr();
        assert!(pool.take_back(first).is_empty());
        let again = pool.lend(128).expect("it is idle");
        assert_eq!(again.as_ptr(), address);
        assert!(pool.lend(128).is_none());
    }

    #[test]
    fn no_more_lies_idle_than_was_in_use_at_once_and_the_oldest_goes_first() {
        let mut pool = Pool::default();
        for class in [64, 128] {
            pool.lend(class);
        }
        assert!(pool.take_back(lines(64)).is_empty());
        assert!(pool.take_back(lines(128)).is_empty());
        // 192 lines were in use at once and lie idle; 72 more take the place of the oldest 64 and,
        // since that is not enough, of the next.
        pool.lend(72);
        let freed: Vec<_> = pool.take_back(lines(72)).iter().map(Vec::len).collect();
        assert_eq!(freed, [64, 128]);
        assert_eq!(pool.idle_lines, 72);
        assert_eq!(pool.lent_lines, 0);
    }

    #[test]
    fn classes_waste_at_most_an_eighth() {
        for lines in 64..5000 {
            let class = class(lines);
            assert!(class >= lines && class * 8 <= lines * 9, "{lines}: {class}");
        }
    }

    #[test]
    fn buffers_start_at_a_line_and_hold_what_is_written() {
        for len in [0, 1, 63, 1000, 5000] {
            let mut buffer = Buffer::<f32>::zeros(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|v| *v == 0.0));
            assert!(buffer.as_ptr().addr().is_multiple_of(LINE));
            buffer.fill(2.0);
            assert_eq!(buffer.clone().iter().sum::<f32>(), 2.0 * len as f32);
            assert_eq!(buffer.bytes().len(), 4 * len);
        }
    }
}
