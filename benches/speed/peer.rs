//! The other libraries: one Python process each, which works only when asked to.

use super::contest::{Contestant, Failure};
use super::record::Library;
use super::work::{Net, Task, Work};
use serde::Deserialize;
use serde_json::json;
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/speed");

/// How to get what a peer needs.
const ADVICE: &str = "make the environment with `python3 -m venv .venv && .venv/bin/pip install -r \
     benches/speed/requirements.txt`, name another one with `--python`, or leave the peers out with \
     `--no-peers`";

/// A library to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Torch,
    Jax,
}

/// All of them.
pub(crate) const PEERS: [Peer; 2] = [Peer::Torch, Peer::Jax];

impl Peer {
    const fn script(self) -> &'static str {
        match self {
            Self::Torch => "torch_peer.py",
            Self::Jax => "jax_peer.py",
        }
    }

    /// The ways in which it can do `work`; the fastest one counts.
    pub(crate) fn variants(self, work: &Work) -> Vec<&'static str> {
        let images = matches!(work.net, Net::Cnn { .. });
        let mut variants = match self {
            Self::Torch => vec!["eager", "eager compiled"],
            Self::Jax => vec!["jit", "jit donated"],
        };
        match (self, images) {
            (Self::Torch, true) => {
                variants.extend(["eager channels-last", "eager channels-last compiled"]);
            }
            (Self::Torch, false) | (Self::Jax, _) => {}
        }
        match (self, work.replicas) {
            (_, 1) => {}
            (Self::Torch, _) => variants.extend(["vmap", "vmap compiled"]),
            (Self::Jax, _) => variants.extend(["vmap", "vmap donated"]),
        }
        variants
    }
}

/// Longest wait for an answer beside the seconds asked for: compiling takes a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running process of a peer.
pub(crate) struct Process {
    peer: Peer,
    python: PathBuf,
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    errors: File,
    /// Who it says it is.
    pub(crate) library: Library,
}

impl Process {
    /// Starts `peer` with the interpreter at `python`.
    pub(crate) fn start(peer: Peer, python: &Path) -> Result<Self, Failure> {
        let cannot = |why: String| {
            let (peer, python) = (peer.script(), python.display());
            Failure(format!(
                "cannot run `{peer}` with `{python}`: {why}; {ADVICE}"
            ))
        };
        let errors = tempfile::tempfile().map_err(|e| cannot(e.to_string()))?;
        let spoken = errors.try_clone().map_err(|e| cannot(e.to_string()))?;
        let mut child = Command::new(python)
            .arg(Path::new(FOLDER).join(peer.script()))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(spoken)
            .spawn()
            .map_err(|e| cannot(e.to_string()))?;
        let requests = child.stdin.take();
        let answers = lines(child.stdout.take().expect("it is piped"));
        // Held from here on, so that no way out leaves it running.
        let mut process = Self {
            peer,
            python: python.to_owned(),
            child,
            requests,
            answers,
            errors,
            library: Library::default(),
        };
        let said = process.hear(PATIENCE).map_err(|Failure(why)| cannot(why))?;
        process.library = serde_json::from_str(&said)
            .map_err(|_| cannot(format!("it said `{}`", said.trim())))?;
        Ok(process)
    }

    /// The answer to `request`, which should take about `seconds` beside building and compiling.
    /// A process that does not answer is replaced by a new one.
    fn ask(&mut self, request: &serde_json::Value, seconds: f64) -> Result<Answer, Failure> {
        let mut line = request.to_string();
        line.push('\n');
        let requests = self
            .requests
            .as_mut()
            .expect("it is closed at the end only");
        // Where it has ended, hearing says why.
        let _ = requests.write_all(line.as_bytes());
        let _ = requests.flush();
        match self.hear(PATIENCE + Duration::from_secs_f64(10.0 * seconds)) {
            Ok(answer) => Answer::parse(&answer),
            Err(failure) => {
                *self = Self::start(self.peer, &self.python)?;
                Err(failure)
            }
        }
    }

    /// Its next line, unless it ends or stays silent for longer than `patience`.
    fn hear(&mut self, patience: Duration) -> Result<String, Failure> {
        self.answers.recv_timeout(patience).map_err(|e| match e {
            RecvTimeoutError::Timeout => {
                Failure(format!("it gave no answer in {} s", patience.as_secs()))
            }
            RecvTimeoutError::Disconnected => {
                let last = last_line(&mut self.errors).unwrap_or_default();
                Failure(format!("the process ended: {last}"))
            }
        })
    }
}

/// The lines of `output` as they come.
fn lines(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input ends it, and a compiler's helpers with it, unless it is stuck.
        drop(self.requests.take());
        for _ in 0..50 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last line of what a process complained about.
fn last_line(errors: &mut File) -> Option<String> {
    let mut text = Vec::new();
    errors.rewind().ok()?;
    errors.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(last.trim().to_owned())
}

/// What a peer answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    milliseconds: Option<f64>,
    steps: Option<u64>,
    bytes: Option<i64>,
    parameters: Option<usize>,
    error: Option<String>,
}

impl Answer {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self, Failure> {
        let answer: Self = serde_json::from_str(line)
            .map_err(|e| Failure(format!("its answer `{}` cannot be read: {e}", line.trim())))?;
        match answer.error {
            Some(error) => Err(Failure(error)),
            None => Ok(answer),
        }
    }

    /// Milliseconds a step, from a net with as many `parameters` as ours.
    pub(crate) fn milliseconds(&self, parameters: usize) -> Result<f64, Failure> {
        self.same_net(parameters)?;
        match (self.milliseconds, self.steps) {
            (Some(time), Some(1..)) if time.is_finite() && time > 0.0 => Ok(time),
            _ => Err(Failure(format!("it answered without a time: {self:?}"))),
        }
    }

    /// Bytes at the peak, from a net with as many `parameters` as ours.
    pub(crate) fn bytes(&self, parameters: usize) -> Result<i64, Failure> {
        self.same_net(parameters)?;
        (self.bytes).ok_or_else(|| Failure(format!("it answered without a size: {self:?}")))
    }

    fn same_net(&self, parameters: usize) -> Result<(), Failure> {
        if self.parameters == Some(parameters) {
            return Ok(());
        }
        Err(Failure(format!(
            "its nets have {:?} trained numbers, ours {parameters}",
            self.parameters.unwrap_or_default()
        )))
    }
}

/// One way in which a peer does a work.
pub(crate) struct Variant<'a> {
    process: Rc<RefCell<Process>>,
    name: String,
    variant: &'static str,
    task: Task<'a>,
    parameters: usize,
}

impl<'a> Variant<'a> {
    pub(crate) fn new(
        process: &Rc<RefCell<Process>>,
        variant: &'static str,
        task: Task<'a>,
        parameters: usize,
    ) -> Self {
        Self {
            process: Rc::clone(process),
            name: format!("{} {variant}", process.borrow().library.library),
            variant,
            task,
            parameters,
        }
    }

    fn ask(&self, key: &str, value: serde_json::Value, seconds: f64) -> Result<Answer, Failure> {
        let mut request = json!({ "work": self.task, "variant": self.variant });
        request[key] = value;
        self.process.borrow_mut().ask(&request, seconds)
    }

    /// Bytes at the peak of `steps` steps beyond what was there before the model.
    pub(crate) fn memory(&self, steps: usize) -> Result<i64, Failure> {
        self.ask("memory", steps.into(), 0.0)?
            .bytes(self.parameters)
    }
}

impl Contestant for Variant<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, seconds: f64) -> Result<(), Failure> {
        // The first answer comes once all is compiled, the second is no faster than any other.
        self.measure(seconds)?;
        self.measure(seconds).map(|_| ())
    }

    fn measure(&mut self, seconds: f64) -> Result<f64, Failure> {
        let answer = self.ask("seconds", seconds.into(), seconds)?;
        answer.milliseconds(self.parameters)
    }
}
