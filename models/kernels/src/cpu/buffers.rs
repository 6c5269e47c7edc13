//! A pool of buffers. A training step needs the same sizes again and again, and new memory from the
//! operating system costs a page fault per 4 KiB.

use bytemuck::{Pod, Zeroable};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// A cache line, which has the size of the widest vector.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

const LINE: usize = size_of::<Line>();

/// Smallest pooled size, in cache lines. Smaller buffers come from the allocator, which is as fast.
const MIN_POOLED: usize = 64;

/// `len` values, aligned to 64 bytes. Dropping the buffer returns its memory to the pool.
#[derive(Debug)]
pub(crate) struct Buffer<T> {
    lines: Vec<Line>,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// A buffer with unspecified contents, left from its last use.
    pub(crate) fn unspecified(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(LINE);
        Self {
            lines: acquire(lines),
            len,
            of: PhantomData,
        }
    }

    pub(crate) fn zeros(len: usize) -> Self {
        let mut buffer = Self::unspecified(len);
        buffer.fill(T::zeroed());
        buffer
    }

    /// The values as bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }

    /// The values as mutable bytes.
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
        release(std::mem::take(&mut self.lines));
    }
}

/// Memory of one thread for an intermediate result of a kernel, which keeps it for its next use. Small
/// kernels run too often to ask the pool each time.
#[derive(Debug)]
pub(crate) struct Scratch {
    lines: Vec<Line>,
}

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

impl Scratch {
    /// No memory yet.
    pub(crate) const fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// `len` values with unspecified contents.
    pub(crate) fn unspecified<T: Pod>(&mut self, len: usize) -> &mut [T] {
        let lines = (len * size_of::<T>()).div_ceil(LINE);
        if self.lines.is_empty() {
            // Memory that no other scratch of this thread uses.
            let idle = SCRATCH.try_with(|idle| idle.borrow_mut().pop());
            self.lines = idle.ok().flatten().unwrap_or_default();
        }
        if self.lines.len() < lines {
            self.lines.resize(lines, Line::zeroed());
        }
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        // While a thread ends, its list is gone, and the memory is freed.
        let _ = SCRATCH.try_with(|idle| idle.borrow_mut().push(lines));
    }
}

/// Largest amount of idle memory, as a multiple of the peak of memory in use.
///
/// Different parts of a step need different sizes, so all sizes together need more memory than is in
/// use at any one time. With a factor of 1, each step would free 3 to 30 buffers that it needs again.
const MAX_IDLE: usize = 2;

/// A unique number per thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ThreadNumber(u64);

impl ThreadNumber {
    fn current() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static THIS: ThreadNumber = ThreadNumber(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        // While a thread ends, its number is gone; its buffers get one that no thread has.
        THIS.try_with(|number| *number).unwrap_or(Self(u64::MAX))
    }
}

/// Memory that is not in use.
struct IdleBuffer {
    /// The pool's clock at the release.
    since: u64,
    /// The thread that released it; the memory may still be in its core's cache.
    thread: ThreadNumber,
    lines: Vec<Line>,
}

/// Idle memory by size class, least recently released first.
#[derive(Default)]
struct Pool {
    idle: BTreeMap<usize, Vec<IdleBuffer>>,
    idle_lines: usize,
    used_lines: usize,
    peak_used_lines: usize,
    /// Number of releases so far.
    clock: u64,
}

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

fn pool() -> MutexGuard<'static, Pool> {
    // No panic can leave the pool in an inconsistent state.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rounds a size up to one of eight classes per power of two, so that similar sizes share memory.
fn size_class(lines: usize) -> usize {
    let step = 1 << (lines.ilog2().saturating_sub(3));
    lines.next_multiple_of(step)
}

fn acquire(lines: usize) -> Vec<Line> {
    if lines < MIN_POOLED {
        return vec![Line::zeroed(); lines];
    }
    let class = size_class(lines);
    let thread = ThreadNumber::current();
    let found = pool().acquire(class, thread);
    found.unwrap_or_else(|| vec![Line::zeroed(); class])
}

fn release(lines: Vec<Line>) {
    if lines.len() >= MIN_POOLED {
        let thread = ThreadNumber::current();
        let surplus = pool().release(lines, thread);
        // Freed after the lock is released.
        drop(surplus);
    }
}

impl Pool {
    /// The buffer that `thread` released last, or else the one released longest ago.
    fn acquire(&mut self, class: usize, thread: ThreadNumber) -> Option<Vec<Line>> {
        self.used_lines += class;
        self.peak_used_lines = self.peak_used_lines.max(self.used_lines);
        let idle = self.idle.get_mut(&class).filter(|idle| !idle.is_empty())?;
        let own = idle.iter().rposition(|idle| idle.thread == thread);
        let lines = idle.remove(own.unwrap_or(0)).lines;
        self.idle_lines -= class;
        Some(lines)
    }

    /// Adds a buffer that `thread` releases, and returns the idle buffers that are to be freed.
    fn release(&mut self, lines: Vec<Line>, thread: ThreadNumber) -> Vec<Vec<Line>> {
        let class = lines.len();
        self.clock += 1;
        self.used_lines -= class;
        self.idle_lines += class;
        self.idle.entry(class).or_default().push(IdleBuffer {
            since: self.clock,
            thread,
            lines,
        });
        let mut surplus = Vec::new();
        while self.idle_lines > MAX_IDLE * self.peak_used_lines {
            let oldest =
                |buffers: &Vec<IdleBuffer>| buffers.first().map_or(u64::MAX, |idle| idle.since);
            let Some(buffers) = self.idle.values_mut().min_by_key(|buffers| oldest(buffers)) else {
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
    fn released_buffer_is_reused() {
        let mut pool = Pool::default();
        assert!(pool.acquire(128, ThreadNumber(0)).is_none());
        let first = lines(128);
        let address = first.as_ptr();
        assert!(pool.release(first, ThreadNumber(0)).is_empty());
        let again = pool
            .acquire(128, ThreadNumber(0))
            .expect("a buffer is idle");
        assert_eq!(again.as_ptr(), address);
        assert!(pool.acquire(128, ThreadNumber(0)).is_none());
    }

    #[test]
    fn thread_gets_its_own_last_buffer_or_the_oldest() {
        let mut pool = Pool::default();
        let mut addresses = Vec::new();
        for _ in 0..4 {
            pool.acquire(64, ThreadNumber(0));
        }
        for thread in [1, 0, 0, 1] {
            let lines = lines(64);
            addresses.push(lines.as_ptr());
            pool.release(lines, ThreadNumber(thread));
        }
        let mut acquired = |thread| {
            let lines = pool
                .acquire(64, ThreadNumber(thread))
                .expect("a buffer is idle");
            addresses.iter().position(|at| *at == lines.as_ptr())
        };
        assert_eq!([0, 2, 0, 1].map(&mut acquired), [2, 0, 1, 3].map(Some));
    }

    #[test]
    fn alternating_sizes_are_all_kept() {
        // A step with three sizes that uses two buffers at a time.
        let mut pool = Pool::default();
        let classes = [64, 96, 128];
        let mut missing = Vec::new();
        for _ in 0..2 {
            missing.clear();
            for pair in [[0, 1], [1, 2], [2, 0]] {
                let taken = pair.map(|k| {
                    let found = pool.acquire(classes[k], ThreadNumber(0));
                    missing.push(found.is_none());
                    found.unwrap_or_else(|| lines(classes[k]))
                });
                for lines in taken {
                    assert!(pool.release(lines, ThreadNumber(0)).is_empty());
                }
            }
        }
        assert_eq!(missing, [false; 6]);
    }

    #[test]
    fn oldest_buffers_are_freed_above_twice_the_peak() {
        let mut pool = Pool::default();
        for classes in [[64, 128], [72, 112]] {
            let _ = classes.map(|class| pool.acquire(class, ThreadNumber(0)));
            for class in classes {
                assert!(pool.release(lines(class), ThreadNumber(0)).is_empty());
            }
        }
        // At most 192 lines were in use at once, and 376 are idle. Releasing 80 more frees the oldest
        // 64 and, because that is not enough, the next oldest.
        pool.acquire(80, ThreadNumber(0));
        let surplus = pool.release(lines(80), ThreadNumber(0));
        let freed: Vec<_> = surplus.iter().map(Vec::len).collect();
        assert_eq!(freed, [64, 128]);
        assert_eq!(pool.idle_lines, 264);
        assert_eq!(pool.used_lines, 0);
    }

    #[test]
    fn size_classes_waste_at_most_an_eighth() {
        for lines in 64..5000 {
            let class = size_class(lines);
            assert!(class >= lines && class * 8 <= lines * 9, "{lines}: {class}");
        }
    }

    #[test]
    fn buffers_are_aligned_and_hold_their_values() {
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
