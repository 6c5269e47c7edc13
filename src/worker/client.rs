//! Starting worker processes, sending them requests, and cleaning up after them.

use super::error::WorkerError;
use super::protocol::{Reply, Request};
use super::watchdog::{Patience, Watchdog};
use crate::trainer::StopFlag;
use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Environment variable that Mesa needs; without it, Mesa prints warnings again and again.
const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// How often a waiting caller checks the stop flag.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Longest wait for a worker to end, and for its last output, after it closed standard output.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Number of last lines of standard error to keep for error messages.
const KEPT_LINES: usize = 4;
/// Longest quotation of a worker's output, in characters.
const MAX_QUOTE: usize = 300;

/// A pool of worker processes. Each handles one request at a time, so every calling thread gets its
/// own. Idle processes are reused. All are killed when the pool is dropped.
#[derive(Debug)]
pub struct Workers {
    command: Vec<OsString>,
    idle: Mutex<Vec<Worker>>,
    patience: Patience,
}

impl Workers {
    /// Creates a pool that starts processes with `command`, a program and its arguments, when needed.
    ///
    /// # Panics
    /// If `command` is empty.
    pub fn new(command: Vec<OsString>) -> Self {
        assert!(!command.is_empty(), "the command names a program");
        Self {
            command,
            idle: Mutex::default(),
            patience: Patience::default(),
        }
    }

    /// The same pool with less patience.
    #[cfg(test)]
    pub(super) const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Sends `request` to an idle worker or a new one and waits for the reply. `progress` receives the
    /// number of finished epochs or steps. If `stop` is set before the reply, the worker is killed and
    /// the result is `None`.
    ///
    /// # Errors
    /// If the worker does not answer, or does nothing for too long; it is killed then.
    pub fn call(
        &self,
        request: &Request,
        mut progress: impl FnMut(usize),
        stop: &StopFlag,
    ) -> Result<Option<Reply>, WorkerError> {
        let mut worker = match self.healthy() {
            Some(worker) => worker,
            None => Worker::start(&self.command).map_err(WorkerError::Start)?,
        };
        let watchdog = Watchdog::new(self.patience);
        let reply = worker.call(request, &mut progress, stop, watchdog)?;
        if reply.is_some() {
            self.idle().push(worker);
        }
        Ok(reply)
    }

    /// Takes an idle worker that is still alive.
    fn healthy(&self) -> Option<Worker> {
        let mut idle = self.idle();
        while let Some(mut worker) = idle.pop() {
            if matches!(worker.child.try_wait(), Ok(None)) {
                return Some(worker);
            }
        }
        None
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker process; killed on drop.
#[derive(Debug)]
struct Worker {
    child: Child,
    input: ChildStdin,
    lines: Receiver<io::Result<String>>,
    /// The last lines of standard error.
    errors: Arc<Mutex<VecDeque<String>>>,
    error_reader: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn start(command: &[OsString]) -> io::Result<Self> {
        let mut program = Command::new(&command[0]);
        program
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if env::var_os(RUNTIME_DIR).is_none() {
            program.env(RUNTIME_DIR, env::temp_dir());
        }
        let mut child = program.spawn()?;
        let pipe = "all three streams are piped";
        let input = child.stdin.take().expect(pipe);
        let lines = read_lines(child.stdout.take().expect(pipe));
        let errors = Arc::default();
        let error_reader = log_errors(
            child.stderr.take().expect(pipe),
            child.id(),
            Arc::clone(&errors),
        );
        Ok(Self {
            child,
            input,
            lines,
            errors,
            error_reader,
        })
    }

    fn call(
        &mut self,
        request: &Request,
        progress: &mut dyn FnMut(usize),
        stop: &StopFlag,
        mut watchdog: Watchdog,
    ) -> Result<Option<Reply>, WorkerError> {
        let line = serde_json::to_string(request).expect("plain data has a JSON form") + "\n";
        let sent = self.input.write_all(line.as_bytes());
        if sent.and_then(|()| self.input.flush()).is_err() {
            return Err(self.ended());
        }
        while !stop.stopped() {
            match self.lines.recv_timeout(POLL_INTERVAL) {
                Ok(line) => match parse_reply(line)? {
                    Reply::Progress(done) => {
                        watchdog.progressed();
                        progress(done);
                    }
                    Reply::Alive { processor } => watchdog.lives(processor),
                    Reply::Failed(why) => return Err(WorkerError::Failed(why)),
                    reply => return Ok(Some(reply)),
                },
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(why) = watchdog.waited(POLL_INTERVAL) {
                        return Err(WorkerError::Stuck(why));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let error = self.ended();
                    // Ctrl-C may end the worker before this process sees the stop flag.
                    return if stop.stopped() { Ok(None) } else { Err(error) };
                }
            }
        }
        Ok(None)
    }

    /// Describes how a process that closed its output ended. A process that is still running is killed.
    fn ended(&mut self) -> WorkerError {
        let mut status = None;
        wait_until(|| {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        let how = match status {
            Some(status) => status.to_string(),
            None => {
                let _ = self.child.kill();
                "it closed its output but kept running, and was killed".to_owned()
            }
        };
        wait_until(|| self.error_reader.is_finished());
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<&str> = errors.iter().map(|line| line.trim()).collect();
        WorkerError::Ended {
            how,
            last: quote(&last.join(" / ")),
        }
    }
}

/// Waits until `condition` holds, at most [`EXIT_TIMEOUT`].
fn wait_until(mut condition: impl FnMut() -> bool) {
    let clock = Instant::now();
    while !condition() && clock.elapsed() < EXIT_TIMEOUT {
        thread::sleep(POLL_INTERVAL / 4);
    }
}

fn parse_reply(line: io::Result<String>) -> Result<Reply, WorkerError> {
    let line = line.map_err(|e| WorkerError::Invalid(e.to_string()))?;
    serde_json::from_str(&line).map_err(|_| WorkerError::Invalid(quote(&line)))
}

/// The end of `text`, at most [`MAX_QUOTE`] characters.
fn quote(text: &str) -> String {
    let chars = text.chars().count();
    text.chars().skip(chars.saturating_sub(MAX_QUOTE)).collect()
}

/// Reads the lines of a worker's output in a thread.
fn read_lines(output: ChildStdout) -> Receiver<io::Result<String>> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let failed = line.is_err();
            if sender.send(line).is_err() || failed {
                break;
            }
        }
    });
    lines
}

/// Logs a worker's standard error in a thread, and keeps its last lines in `last`.
fn log_errors(errors: ChildStderr, id: u32, last: Arc<Mutex<VecDeque<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut errors = BufReader::new(errors);
        let mut bytes = Vec::new();
        while errors.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            log::info!("worker {id}: {line}");
            if line.is_empty() {
                continue;
            }
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == KEPT_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::fake::spec;

    #[test]
    fn healthy_workers_are_reused_and_dead_ones_replaced() {
        let script = "while read line; do echo \"{\\\"seconds\\\":$$}\"; done";
        let workers = Workers::new(["sh", "-c", script].map(Into::into).to_vec());
        let job = Plan::new(&spec(&["a"], 1), "flex", 1, "f")
            .jobs(|_| true)
            .remove(0);
        let request = Request::Estimate { job, threads: 1 };
        let id = || {
            workers
                .call(&request, |_| (), &StopFlag::default())
                .unwrap()
        };
        let first = id();
        assert_eq!(id(), first);
        for worker in workers.idle().iter_mut() {
            worker.child.kill().unwrap();
            worker.child.wait().unwrap();
        }
        assert_ne!(id(), first);
        assert_eq!(workers.idle().len(), 1);
    }
}
