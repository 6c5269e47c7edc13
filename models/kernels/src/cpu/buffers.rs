//! Memory that kernels reuse: a training step asks for the same sizes again and again, and fresh
//! memory from the system costs a page fault for every 4 KiB.

use bytemuck::{Pod, Zeroable};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
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

/// How much may lie idle, in parts of what has been in use at one time. Sizes take turns in a step, so
/// that more memory is needed for all of them than is in use at any moment of it; with one part, a
/// steady step gives up 3 to 30 buffers that it asks for again.
const IDLE: usize = 2;

/// A thread, for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User(u64);

impl User {
    fn this() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static THIS: User = User(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        // Buffers that outlive the thread's own values are nobody's.
        THIS.try_with(|user| *user).unwrap_or(Self(u64::MAX))
    }
}

/// Memory that nobody uses.
struct Idle {
    since: u64,
    /// The last one who used it, in whose core's cache it may still be.
    user: User,
    lines: Vec<Line>,
}

/// Idle memory by size class, least recently used first.
///
/// There is never more idle than [`IDLE`] times what has been in use at one time.
#[derive(Default)]
struct Pool {
    idle: BTreeMap<usize, Vec<Idle>>,
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
    let user = User::this();
    let found = pool().lend(class, user);
    found.unwrap_or_else(|| vec![Line::zeroed(); class])
}

fn give(lines: Vec<Line>) {
    if lines.len() >= POOLED {
        let user = User::this();
        let surplus = pool().take_back(lines, user);
        // Freed here, after the lock is gone.
        drop(surplus);
    }
}

impl Pool {
    /// What `user` had last, or else what has lain there longest, which its user misses least.
    fn lend(&mut self, class: usize, user: User) -> Option<Vec<Line>> {
        self.lent_lines += class;
        self.most_lent = self.most_lent.max(self.lent_lines);
        let idle = self.idle.get_mut(&class).filter(|idle| !idle.is_empty())?;
        let own = idle.iter().rposition(|idle| idle.user == user);
        let lines = idle.remove(own.unwrap_or(0)).lines;
        self.idle_lines -= class;
        Some(lines)
    }

    /// Takes `lines` back from `user`; what is then too much.
    fn take_back(&mut self, lines: Vec<Line>, user: User) -> Vec<Vec<Line>> {
        let class = lines.len();
        self.clock += 1;
        self.lent_lines -= class;
        self.idle_lines += class;
        self.idle.entry(class).or_default().push(Idle {
            since: self.clock,
            user,
            lines,
        });
        let mut surplus = Vec::new();
        while self.idle_lines > IDLE * self.most_lent {
            let oldest = |of: &Vec<Idle>| of.first().map_or(u64::MAX, |idle| idle.since);
            let Some(buffers) = self.idle.values_mut().min_by_key(|of| oldest(of)) else {
                break;
            };
            let lines = buffers.remove(0).lines;
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
        assert!(pool.lend(128, User(0)).is_none());
        let first = lines(128);
        let address = first.as_ptr();
        assert!(pool.take_back(first, User(0)).is_empty());
        let again = pool.lend(128, User(0)).expect("it is idle");
        assert_eq!(again.as_ptr(), address);
        assert!(pool.lend(128, User(0)).is_none());
    }

    #[test]
    fn a_user_gets_its_own_last_buffer_or_else_the_oldest() {
        let mut pool = Pool::default();
        let mut addresses = Vec::new();
        for _ in 0..4 {
            pool.lend(64, User(0));
        }
        for user in [1, 0, 0, 1] {
            let lines = lines(64);
            addresses.push(lines.as_ptr());
            pool.take_back(lines, User(user));
        }
        let mut lent = |user| {
            let lines = pool.lend(64, User(user)).expect("it is idle");
            addresses.iter().position(|at| *at == lines.as_ptr())
        };
        assert_eq!([0, 2, 0, 1].map(&mut lent), [2, 0, 1, 3].map(Some));
    }

    #[test]
    fn sizes_that_take_turns_are_all_kept() {
        // A step that has two buffers in use at any time, of three sizes by turns.
        let mut pool = Pool::default();
        let classes = [64, 96, 128];
        let mut missing = Vec::new();
        for _ in 0..2 {
            missing.clear();
            for pair in [[0, 1], [1, 2], [2, 0]] {
                let taken = pair.map(|k| {
                    let found = pool.lend(classes[k], User(0));
                    missing.push(found.is_none());
                    found.unwrap_or_else(|| lines(classes[k]))
                });
                for lines in taken {
                    assert!(pool.take_back(lines, User(0)).is_empty());
                }
            }
        }
        assert_eq!(missing, [false; 6]);
    }

    #[test]
    fn no_more_lies_idle_than_twice_what_was_in_use_at_once_and_the_oldest_goes_first() {
        let mut pool = Pool::default();
        for classes in [[64, 128], [72, 112]] {
            let _ = classes.map(|class| pool.lend(class, User(0)));
            for class in classes {
                assert!(pool.take_back(lines(class), User(0)).is_empty());
            }
        }
        // 192 lines were in use at once, and 376 lie idle; 80 more take the place of the oldest 64
        // and, since that is not enough, of the next.
        pool.lend(80, User(0));
        let surplus = pool.take_back(lines(80), User(0));
        let freed: Vec<_> = surplus.iter().map(Vec::len).collect();
        assert_eq!(freed, [64, 128]);
        assert_eq!(pool.idle_lines, 264);
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
