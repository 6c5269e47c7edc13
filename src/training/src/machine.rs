//! The machine: its operating system, its CPU, and the cores that this process may use.

use serde::{Deserialize, Serialize};
use std::thread;

/// Description of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Operating system and architecture, e.g. `linux x86_64`.
    pub os: String,
    /// Name of the CPU, if the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Cores that this process may use; 0 if the system does not report them.
    pub cores: usize,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: cpu_model(&cpus),
            cores: thread::available_parallelism().map_or(0, usize::from),
        }
    }
}

/// The first `model name` of Linux's `/proc/cpuinfo`.
fn cpu_model(cpus: &str) -> Option<String> {
    let value = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    };
    cpus.lines().find_map(value)
}

/// Number of cores to use: those that the system grants this process (cgroup quotas included), at
/// most `RAYON_NUM_THREADS`, and at most those that Slurm grants its task.
pub fn cores() -> usize {
    let most = |name: &str| {
        let text = std::env::var(name).ok()?;
        text.trim().parse().ok().filter(|n| *n > 0)
    };
    let limits = ["RAYON_NUM_THREADS", "SLURM_CPUS_PER_TASK"];
    let granted = thread::available_parallelism().map_or(1, usize::from);
    let limits = limits.into_iter().filter_map(most);
    limits.fold(granted, usize::min)
}

/// Threads per job when `jobs` jobs run at the same time.
pub fn threads_per_job(jobs: usize) -> usize {
    (cores() / jobs.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_name_is_read_from_cpuinfo() {
        let cpus = "processor\t: 0\nmodel name\t: A CPU @ 3.0: fast\n\nmodel name\t: other\n";
        assert_eq!(cpu_model(cpus).as_deref(), Some("A CPU @ 3.0: fast"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }
}
