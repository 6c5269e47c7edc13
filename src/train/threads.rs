//! Threads for the kernels of one job.

/// A pool of threads of a job's own, so that jobs beside each other do not share one.
pub(crate) struct Threads(Option<rayon::ThreadPool>);

impl Threads {
    /// `count` threads; where they cannot be had, the caller's will do.
    pub(crate) fn new(count: usize) -> Self {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count);
        Self(pool.build().ok())
    }

    /// Runs `f` with the kernels on these threads.
    pub(crate) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(f),
            None => f(),
        }
    }
}
