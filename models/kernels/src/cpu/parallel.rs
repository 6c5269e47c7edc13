//! Parallel execution of tasks.

use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Runs `f` on every task, in parallel if there are several tasks and threads.
///
/// How callers divide their work into tasks must not depend on the number of threads: then results
/// do not depend on it either.
pub(crate) fn for_each<I: Send>(tasks: Vec<I>, f: impl Fn(I) + Sync + Send) {
    if tasks.len() < 2 || rayon::current_num_threads() < 2 {
        return tasks.into_iter().for_each(f);
    }
    let tasks: Vec<_> = tasks.into_iter().map(|t| Mutex::new(Some(t))).collect();
    for_each_index(tasks.len(), &|i| {
        let task = tasks[i]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        f(task.expect("every index occurs once"));
    });
}

/// Runs `f` on every index below `count`. Not generic, so that rayon's code is compiled once and
/// not again for every kind of task.
fn for_each_index(count: usize, f: &(dyn Fn(usize) + Sync)) {
    (0..count).into_par_iter().with_max_len(1).for_each(f);
}
