//! Whether a worker is still at work.

use std::time::Duration;

/// Longest time without a sign of life. A worker sends one every few seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Longest time without progress in which a worker does not compute either.
const IDLENESS: Duration = Duration::from_secs(600);

/// Processor time that counts as computing, in milliseconds. The signs of life take less.
const COMPUTED: u64 = 50;

/// How long a caller waits for a worker that does nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) silence: Duration,
    pub(super) idleness: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: SILENCE,
            idleness: IDLENESS,
        }
    }
}

/// Follows the signs of life of a worker. It counts the time that its caller spent waiting, so a caller that was
/// itself stopped does not blame the worker.
#[derive(Debug)]
pub(super) struct Watchdog {
    patience: Patience,
    silent: Duration,
    idle: Duration,
    /// Processor time of the worker when it was last seen computing, in milliseconds.
    computed: u64,
}

impl Watchdog {
    pub(super) const fn new(patience: Patience) -> Self {
        Self {
            patience,
            silent: Duration::ZERO,
            idle: Duration::ZERO,
            computed: 0,
        }
    }

    /// The worker said that it lives, with its processor time in milliseconds if that is known.
    pub(super) fn lives(&mut self, processor: Option<u64>) {
        self.silent = Duration::ZERO;
        match processor {
            Some(time) if time < self.computed + COMPUTED => {}
            time => {
                self.computed = time.unwrap_or_default();
                self.idle = Duration::ZERO;
            }
        }
    }

    /// The worker made progress.
    pub(super) const fn progressed(&mut self) {
        self.silent = Duration::ZERO;
        self.idle = Duration::ZERO;
    }

    /// The caller waited `time` in vain. Returns what is wrong with the worker, if that was too long.
    pub(super) fn waited(&mut self, time: Duration) -> Option<String> {
        self.silent += time;
        self.idle += time;
        if self.silent > self.patience.silence {
            let seconds = self.patience.silence.as_secs_f64();
            Some(format!("it gave no sign of life for {seconds} s"))
        } else if self.idle > self.patience.idleness {
            let seconds = self.patience.idleness.as_secs_f64();
            Some(format!(
                "it neither computed nor made progress for {seconds} s"
            ))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Whether a worker with these signs of life, one every 5 seconds, is given up within `seconds`.
    fn fails(seconds: u64, mut sign: impl FnMut(&mut Watchdog, u64)) -> Option<String> {
        let mut watchdog = Watchdog::new(Patience::default());
        (1..=seconds).find_map(|second| {
            if second % 5 == 0 {
                sign(&mut watchdog, second);
            }
            watchdog.waited(SECOND)
        })
    }

    #[test]
    fn silent_worker_fails_after_a_minute() {
        assert_eq!(fails(60, |_, _| {}), None);
        let why = fails(61, |_, _| {}).unwrap();
        assert_eq!(why, "it gave no sign of life for 60 s");
    }

    #[test]
    fn computing_worker_may_take_hours() {
        let computes = |watchdog: &mut Watchdog, second| watchdog.lives(Some(1_000 * second));
        assert_eq!(fails(36_000, computes), None);
        assert_eq!(fails(36_000, |watchdog, _| watchdog.lives(None)), None);
        assert_eq!(fails(36_000, |watchdog, _| watchdog.progressed()), None);
    }

    #[test]
    fn worker_that_hangs_fails_after_ten_minutes() {
        // The thread that gives the signs takes 10 microseconds for each.
        let hangs =
            |watchdog: &mut Watchdog, second: u64| watchdog.lives(Some(3_000 + second / 500));
        assert_eq!(fails(600, hangs), None);
        assert!(fails(700, hangs).unwrap().contains("neither computed"));
    }
}
