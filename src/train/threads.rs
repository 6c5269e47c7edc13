//! JobThreads for the kernels of one job.

use crate::device;
use rayon::{ThreadPool, Yield};
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A pool of threads of a job's own, so that jobs beside each other do not share one.
pub(crate) struct JobThreads {
    pool: Option<ThreadPool>,
    count: usize,
    on_cpu: bool,
}

impl JobThreads {
    /// `count` threads for a job on `device`; where they cannot be had, the caller's will do.
    pub(crate) fn new(device: &str, count: usize) -> Self {
        Self {
            pool: pool(count),
            count,
            on_cpu: device::is_cpu(device),
        }
    }

    /// `count` threads from now on.
    pub(crate) fn resize(&mut self, count: usize) {
        if count != self.count {
            self.pool = pool(count);
            self.count = count;
        }
    }

    /// Runs `f` with the kernels on these threads, which stay awake on a CPU until it ends.
    ///
    /// A step is a row of short kernels. A thread that falls asleep between two of them is woken up
    /// too late for the next one, for waking takes as long as some kernels do.
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

/// Keeps the other threads of a pool awake, looking for work, while it lives.
struct SpinGuard(Arc<AtomicBool>);

/// How often a thread looks for work before it lets another program have its core.
const POLLS_BEFORE_YIELD: usize = 64;

/// JobThreads that stay awake, at most: kernels have few tasks, and too many who look for them get in each
/// other's way.
const MAX_SPINNING: usize = 16;

/// Pauses between two looks, which disturb who has work to give.
const PAUSES_PER_POLL: usize = 8;

impl SpinGuard {
    /// On one of the threads of `pool`, which has nothing else to do.
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
        // Until they all look for work, which therefore none of them has yet: a thread that began
        // to look while it waits for a part of its own work would not come back to it.
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
    fn work_is_done_time_and_again_and_after_a_panic() {
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
            let panics = || threads.install(|| panic!("as asked"));
            assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
            assert_eq!(threads.install(rayon::current_num_threads), count);
        }
    }
}
