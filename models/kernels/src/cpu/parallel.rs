//! Tasks side by side, or one after the other where there is one thread.

use rayon::prelude::*;

/// Runs `f` on every task. How tasks are cut must not depend on the number of threads, so that
/// results do not either.
pub(crate) fn for_each<I: Send>(tasks: Vec<I>, f: impl Fn(I) + Sync + Send) {
    if tasks.len() < 2 || rayon::current_num_threads() < 2 {
        tasks.into_iter().for_each(f);
    } else {
        tasks.into_par_iter().with_max_len(1).for_each(f);
    }
}
