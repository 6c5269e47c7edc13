//! The worker process: reading requests and answering them.

use super::protocol::{Reply, Request};
use crate::card;
use crate::compare;
use crate::device;
use crate::run::{checked, message};
use crate::spec::Registry;
use crate::train::BurnTrainer;
use crate::trainer::{Job, Progress, StopFlag, Trainer};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{process, thread};

/// How often a worker that handles a request says that it lives.
const BEAT: Duration = Duration::from_secs(5);

/// Longest time for the exit handlers of a driver.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers the requests in `input` on `output` until one fails. The process ends when `input` closes,
/// even in the middle of a request.
///
/// # Errors
/// If writing to `output` fails.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send,
) -> Result<(), io::Error> {
    let output = Output(Mutex::new(output));
    let busy = AtomicBool::new(false);
    thread::scope(|scope| {
        let (working, done) = mpsc::channel();
        let (busy, output) = (&busy, &output);
        scope.spawn(move || beat(output, busy, &done));
        for line in lines(input) {
            busy.store(true, Ordering::SeqCst);
            let reply = match serde_json::from_str(&line) {
                Ok(request) => answer_safely(request, output),
                Err(error) => Reply::Failed(format!("cannot read the request: {error}")),
            };
            busy.store(false, Ordering::SeqCst);
            output.send(&reply)?;
            if matches!(reply, Reply::Failed(_)) {
                break;
            }
        }
        drop(working);
        Ok(())
    })
}

/// Says every few seconds that the worker lives, while it is `busy`, until `done` closes.
fn beat<W: Write>(output: &Output<W>, busy: &AtomicBool, done: &Receiver<()>) {
    while done.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        if busy.load(Ordering::SeqCst) {
            let processor = processor_time();
            // If the parent is gone, the input closes too, which ends this process.
            let _ = output.send(&Reply::Alive { processor });
        }
    }
}

/// Processor time of this process in milliseconds, on Linux.
fn processor_time() -> Option<u64> {
    /// Milliseconds per unit of `/proc`.
    const TICK: u64 = 10;
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may contain spaces.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let [user, system] = [fields.get(11)?, fields.get(12)?].map(|field| field.parse::<u64>());
    Some(TICK * (user.ok()? + system.ok()?))
}

/// The stream of replies to the parent process.
struct Output<W>(Mutex<W>);

impl<W: Write> Output<W> {
    fn send(&self, reply: &Reply) -> io::Result<()> {
        let line = serde_json::to_string(reply).map_err(io::Error::other)? + "\n";
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(line.as_bytes())?;
        output.flush()
    }
}

impl<W: Write + Send> Progress for Output<W> {
    fn advanced(&self, _: &Job, done: usize) {
        // If the parent is gone, the input closes too, which ends this process.
        let _ = self.send(&Reply::Progress(done));
    }
}

/// Reads the lines of `input` in a thread of its own.
fn lines(input: impl BufRead + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in input.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        exit();
    });
    lines
}

/// Ends the process, even if its exit handlers hang.
fn exit() -> ! {
    thread::spawn(|| {
        thread::sleep(EXIT_TIMEOUT);
        process::abort();
    });
    process::exit(0)
}

/// Answers `request`; a panic becomes [`Reply::Failed`].
fn answer_safely(request: Request, progress: &dyn Progress) -> Reply {
    match catch_unwind(AssertUnwindSafe(|| answer(request, progress))) {
        Ok(reply) => reply.unwrap_or_else(Reply::Failed),
        Err(panic) => Reply::Failed(format!("training panicked: {}", message(&*panic))),
    }
}

fn answer(mut request: Request, progress: &dyn Progress) -> Result<Reply, String> {
    request
        .complete(Registry::installed())
        .map_err(|e| format!("`model.{}` {}", e.key, e.message))?;
    match request {
        Request::Device { name } => {
            let info = device::info(&name).map_err(|e| e.to_string())?;
            Ok(Reply::Device(info))
        }
        Request::Devices => Ok(Reply::Devices(device::present())),
        Request::Train {
            job,
            threads,
            weights,
        } => {
            let mut trainer = BurnTrainer::new(threads);
            if let Some(folder) = weights {
                trainer = trainer.keeping(card::keep_in(folder));
            }
            let records = trainer.train(&job, progress, &StopFlag::default());
            let records = records.ok_or("the trainer stopped without being asked to")?;
            // A GPU reports a failed command only when it is synchronized.
            device::settle(&job.device).map_err(|e| e.to_string())?;
            Ok(Reply::Records(checked(&job, records)))
        }
        Request::Parity { job, baseline } => {
            let parity = compare::measure::parity::parity(&job, &baseline, &StopFlag::default());
            let parity = parity.map_err(|e| e.to_string())?;
            device::settle(&job.device).map_err(|e| e.to_string())?;
            Ok(Reply::Parity(
                parity.ok_or("the comparison stopped without being asked to")?,
            ))
        }
        Request::Times(request) => Ok(Reply::Times(compare::measure::timing::measure(&request))),
        Request::Estimate { job, threads } => {
            Ok(Reply::Seconds(BurnTrainer::new(threads).estimate(&job)))
        }
    }
}
