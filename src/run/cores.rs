//! How many threads there are to give out.

use std::thread;

/// Cores that this process may use: those that the system grants it, a cgroup's quota included, and
/// no more than `RAYON_NUM_THREADS`.
pub fn cores() -> usize {
    let most = std::env::var("RAYON_NUM_THREADS").ok();
    let most = most.and_then(|n| n.trim().parse().ok()).filter(|n| *n > 0);
    let granted = thread::available_parallelism().map_or(1, usize::from);
    granted.min(most.unwrap_or(usize::MAX))
}

/// Threads for each of `jobs` jobs at the same time.
pub fn threads_a_job(jobs: usize) -> usize {
    (cores() / jobs.max(1)).max(1)
}
