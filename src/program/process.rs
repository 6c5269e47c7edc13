//! Running a process until it ends, takes too long or is stopped.

use super::group::{Group, Signal, separate};
use super::lines::each_line;
use crate::trainer::StopFlag;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How often the stop flag is read.
const STOP_INTERVAL: Duration = Duration::from_millis(50);
/// Time for a program to clean up before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// Time for the rest of the output after the program has ended, if a process that it started still
/// holds the output open.
const REST: Duration = Duration::from_millis(500);

/// How a process ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Exit(ExitStatus),
    /// It was killed after its time was over.
    TimedOut,
    /// It was killed because the run was stopped.
    Stopped,
}

/// An output of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// Receives the lines of a process, from two threads.
pub(super) trait Lines: Send + Sync + 'static {
    fn line(&self, stream: Stream, line: &[u8]);
}

enum Event {
    Exit(io::Result<ExitStatus>),
    EndOfOutput,
}

/// Runs `command`, the program of the cell with the folder `out`, in a process group of its own and passes
/// its output to `lines`. When it returns, no process of the group is left; on Linux also none that left the
/// group, unless it cleared its environment.
///
/// # Errors
/// If the process cannot be started or waited for.
pub(super) fn run(
    command: &mut Command,
    out: &Path,
    timeout: Option<Duration>,
    lines: &Arc<impl Lines>,
    stop: &StopFlag,
) -> io::Result<Ended> {
    separate(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let group = Group::of(&child, out);
    let (sender, events) = mpsc::channel();
    // A thread that cannot end, because a process outside the group holds the output open, is left behind.
    let mut readers = 0;
    if let Some(output) = child.stdout.take() {
        read(output, Stream::Out, lines, &sender);
        readers += 1;
    }
    if let Some(output) = child.stderr.take() {
        read(output, Stream::Error, lines, &sender);
        readers += 1;
    }
    thread::spawn(move || sender.send(Event::Exit(child.wait())));

    let deadline = timeout.map(|timeout| started + timeout);
    let mut waiting = Waiting { events, readers };
    let (mut cause, mut kill_at) = (None, None);
    let status = loop {
        if let Some(status) = waiting.exit(next_look(deadline, kill_at)) {
            break status?;
        }
        let now = Instant::now();
        if cause.is_none() {
            cause = match deadline.is_some_and(|deadline| now >= deadline) {
                true => Some(Ended::TimedOut),
                false => stop.stopped().then_some(Ended::Stopped),
            };
            if cause.is_some() {
                group.signal(Signal::Terminate);
                kill_at = Some(now + GRACE);
            }
        } else if kill_at.is_some_and(|at| now >= at) {
            group.signal(Signal::Kill);
        }
    };
    waiting.rest(REST);
    drop(group);
    waiting.rest(REST);
    Ok(cause.unwrap_or(Ended::Exit(status)))
}

/// Time until the next look at the stop flag, the deadline or the end of the grace.
fn next_look(deadline: Option<Instant>, kill_at: Option<Instant>) -> Duration {
    let now = Instant::now();
    let ends = deadline.into_iter().chain(kill_at);
    let left = ends
        .map(|end| end.saturating_duration_since(now))
        .filter(|left| !left.is_zero());
    left.fold(STOP_INTERVAL, Duration::min)
}

fn read(
    mut output: impl Read + Send + 'static,
    stream: Stream,
    lines: &Arc<impl Lines>,
    sender: &Sender<Event>,
) {
    let (lines, sender) = (Arc::clone(lines), sender.clone());
    thread::spawn(move || {
        each_line(&mut output, |line| lines.line(stream, line));
        sender.send(Event::EndOfOutput)
    });
}

struct Waiting {
    events: Receiver<Event>,
    /// Outputs that have not ended.
    readers: usize,
}

impl Waiting {
    /// Waits for the end of the process, at most `most`.
    fn exit(&mut self, most: Duration) -> Option<io::Result<ExitStatus>> {
        loop {
            match self.events.recv_timeout(most) {
                Ok(Event::Exit(status)) => return Some(status),
                Ok(Event::EndOfOutput) => self.readers -= 1,
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(Err(io::Error::other("the thread that waits for it ended")));
                }
            }
        }
    }

    /// Waits for the end of all outputs, at most `most`.
    fn rest(&mut self, most: Duration) {
        let end = Instant::now() + most;
        while self.readers > 0 {
            match self
                .events
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(_) => self.readers -= 1,
                Err(_) => return,
            }
        }
    }
}
