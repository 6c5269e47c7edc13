//! Starting workers, asking them, and burying them.

use super::error::WorkerError;
use super::protocol::{Reply, Request};
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

/// Where Mesa looks for a display; it complains again and again where this is not set.
const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// How often a caller that waits looks whether it should stop.
const TICK: Duration = Duration::from_millis(20);
/// How long a worker that closed its output may take to end, and its last words to arrive.
const PATIENCE: Duration = Duration::from_secs(2);
/// Lines of standard error that are kept.
const LAST_LINES: usize = 4;
/// Most characters of what a worker said that are quoted.
const LONGEST_QUOTE: usize = 300;

/// Processes that work off requests, one each at a time. Callers on several threads get one each;
/// those that are idle wait for the next caller, and all end with this.
#[derive(Debug)]
pub struct Workers {
    command: Vec<OsString>,
    idle: Mutex<Vec<Worker>>,
}

impl Workers {
    /// Workers that are started by `command`, a program and its arguments, as they are needed.
    ///
    /// # Panics
    /// If there is no program.
    pub fn new(command: Vec<OsString>) -> Self {
        assert!(!command.is_empty(), "a worker is a program");
        Self {
            command,
            idle: Mutex::default(),
        }
    }

    /// Asks an idle worker, or a new one. `progress` hears how many epochs or steps are done. Returns
    /// `None`, and ends the worker, when `stop` is raised before the answer.
    ///
    /// # Errors
    /// If there is no answer; that worker is gone then.
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
        let reply = worker.call(request, &mut progress, stop)?;
        if reply.is_some() {
            self.idle().push(worker);
        }
        Ok(reply)
    }

    /// An idle worker that has not died since.
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

/// One process; it is killed when this is dropped.
#[derive(Debug)]
struct Worker {
    child: Child,
    input: ChildStdin,
    lines: Receiver<io::Result<String>>,
    last: Arc<Mutex<VecDeque<String>>>,
    listener: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that is dead already needs no killing, and nobody is left to tell of anything else.
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
        let pipe = "all three streams were asked for";
        let input = child.stdin.take().expect(pipe);
        let lines = read(child.stdout.take().expect(pipe));
        let last = Arc::default();
        let listener = listen(
            child.stderr.take().expect(pipe),
            child.id(),
            Arc::clone(&last),
        );
        Ok(Self {
            child,
            input,
            lines,
            last,
            listener,
        })
    }

    fn call(
        &mut self,
        request: &Request,
        progress: &mut dyn FnMut(usize),
        stop: &StopFlag,
    ) -> Result<Option<Reply>, WorkerError> {
        let line = serde_json::to_string(request).expect("plain data has a JSON form") + "\n";
        let sent = self.input.write_all(line.as_bytes());
        if sent.and_then(|()| self.input.flush()).is_err() {
            return Err(self.ended());
        }
        while !stop.stopped() {
            match self.lines.recv_timeout(TICK) {
                Ok(line) => match reply(line)? {
                    Reply::Progress(done) => progress(done),
                    Reply::Failed(why) => return Err(WorkerError::Failed(why)),
                    reply => return Ok(Some(reply)),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let error = self.ended();
                    // What stops a run may end its workers first.
                    return if stop.stopped() { Ok(None) } else { Err(error) };
                }
            }
        }
        Ok(None)
    }

    /// How the process ended that closed its output; one that lives on is killed.
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
                "it closed its output and had to be killed".to_owned()
            }
        };
        wait_until(|| self.listener.is_finished());
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<&str> = last.iter().map(|line| line.trim()).collect();
        WorkerError::Ended {
            how,
            last: quote(&last.join(" / ")),
        }
    }
}

/// Waits until `is_so`, but not for ever.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let clock = Instant::now();
    while !is_so() && clock.elapsed() < PATIENCE {
        thread::sleep(TICK / 4);
    }
}

fn reply(line: io::Result<String>) -> Result<Reply, WorkerError> {
    let line = line.map_err(|e| WorkerError::Garbage(e.to_string()))?;
    serde_json::from_str(&line).map_err(|_| WorkerError::Garbage(quote(&line)))
}

/// The end of `text` that is worth quoting.
fn quote(text: &str) -> String {
    let chars = text.chars().count();
    text.chars()
        .skip(chars.saturating_sub(LONGEST_QUOTE))
        .collect()
}

/// The lines of a worker's output, as they come.
fn read(output: ChildStdout) -> Receiver<io::Result<String>> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let broken = line.is_err();
            if sender.send(line).is_err() || broken {
                break;
            }
        }
    });
    lines
}

/// Logs what a worker says beside its replies, and keeps the end of it.
fn listen(errors: ChildStderr, id: u32, last: Arc<Mutex<VecDeque<String>>>) -> JoinHandle<()> {
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
            if last.len() == LAST_LINES {
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
    fn a_healthy_worker_is_asked_again_and_one_that_died_since_is_replaced() {
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
