//! Threads for the kernels of one job.

use crate::device;
use rayon::{ThreadPool, Yield};
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Thread pool of one job, so that concurrent jobs do not share threads.
pub(crate) struct JobThreads {
    pool: Option<ThreadPool>,
    count: usize,
    on_cpu: bool,
}

impl JobThreads {
    /// Creates `count` threads for a job on `device`. If that fails, kernels run on the caller's
    /// threads.
    pub(crate) fn new(device: &str, count: usize) -> Self {
        Self {
            pool: pool(count),
            count,
            on_cpu: device::is_cpu(device),
        }
    }

    /// Changes the number of threads.
    pub(crate) fn resize(&mut self, count: usize) {
        if count != self.count {
            self.pool = pool(count);
            self.count = count;
        }
    }

    /// Runs `f` with its kernels on these threads. On a CPU they keep spinning until `f` ends.
    ///
    /// A step is a sequence of short kernels. Waking up a sleeping thread between two kernels takes
    /// as long as some kernels do.
    pub(crate) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) if self.count > 1 && self.on_cpu => pool.install(|| {
                let _spinning = SpinGuard::new(pool);
                f()
            }),
            Some(pool) => pool.install(f),
            None => f(),
        }
    }
}

fn pool(count: usize) -> Option<ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count);
    pool.build().ok()
}

/// Keeps the other threads of a pool spinning while it exists.
struct SpinGuard(Arc<AtomicBool>);

/// Polls for work before a thread yields its core to another program.
const POLLS_BEFORE_YIELD: usize = 64;

/// Largest number of spinning threads: kernels have few tasks, and more threads only contend for
/// them.
const MAX_SPINNING: usize = 16;

/// Spin-loop hints between two polls; they reduce contention with the thread that distributes work.
const PAUSES_PER_POLL: usize = 8;

impl SpinGuard {
    /// Must be called on a thread of `pool` that has no other work.
    fn new(pool: &ThreadPool) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let running = Arc::new(AtomicUsize::new(1));
        let (here, end_flag, started) =
            (pool.current_thread_index(), ended.clone(), running.clone());
        pool.spawn_broadcast(move |context| {
            if here != Some(context.index()) {
                started.fetch_add(1, Ordering::Relaxed);
                if context.index() < MAX_SPINNING {
                    spin_for_work(&end_flag);
                }
            }
        });
        // Wait until all threads spin, so that none of them takes work earlier: a thread that
        // starts to spin while it waits for a part of its own task would not return to that task.
        while running.load(Ordering::Relaxed) < pool.current_num_threads() {
            thread::yield_now();
        }
        Self(ended)
    }
}

impl Drop for SpinGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn spin_for_work(ended: &AtomicBool) {
    let mut polls = 0;
    while !ended.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(Yield::Executed) {
            polls = 0;
            continue;
        }
        polls += 1;
        if polls % POLLS_BEFORE_YIELD == 0 {
            thread::yield_now();
        }
        for _ in 0..PAUSES_PER_POLL {
            hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn pool_works_repeatedly_and_after_a_panic() {
        for count in [1, 2, 4] {
            let threads = JobThreads::new("flex", count);
            for n in 0..200u32 {
                let sum = threads.install(|| {
                    let part = |i: u32| (0..=i).into_par_iter().sum::<u32>();
                    let parts = (0..n).into_par_iter().with_max_len(1).map(part);
                    parts.sum::<u32>()
                });
                let expected: u32 = (0..n).map(|i| i * (i + 1) / 2).sum();
                assert_eq!(sum, expected);
            }
            let panicking = || threads.install(|| panic!("expected by the test"));
            assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
            assert_eq!(threads.install(rayon::current_num_threads), count);
        }
    }
}
