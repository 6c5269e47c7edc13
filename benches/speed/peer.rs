//! The other libraries, one Python process each, which computes only on request.

use super::ours::STEPS_PER_TURN;
use super::record::Library;
use super::rounds::Failure;
use super::workload::{Net, Task, Workload};
use ablate::compare::measure::timing::stopwatch::Stepper;
use ablate_kernels::InstructionSet;
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

/// How to install the peers.
const ADVICE: &str = "create the environment with `python3 -m venv .venv && .venv/bin/pip install -r \
     benches/speed/requirements.txt`, select another interpreter with `--python`, or omit the peers with \
     `--no-peers`";

/// A library to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Torch,
    Jax,
}

/// All peers.
pub(crate) const PEERS: [Peer; 2] = [Peer::Torch, Peer::Jax];

impl Peer {
    const fn script(self) -> &'static str {
        match self {
            Self::Torch => "torch_peer.py",
            Self::Jax => "jax_peer.py",
        }
    }

    /// The variants that can run `workload`; the fastest one counts.
    pub(crate) fn variants(self, workload: &Workload) -> Vec<&'static str> {
        let images = matches!(workload.net, Net::Cnn { .. });
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
        match (self, workload.replicas) {
            (_, 1) => {}
            (Self::Torch, _) => variants.extend(["vmap", "vmap compiled"]),
            (Self::Jax, _) => variants.extend(["vmap", "vmap donated"]),
        }
        variants
    }
}

/// Timeout of an answer beyond the expected time of the steps. Compiling takes a minute.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A running process of a peer.
pub(crate) struct Process {
    peer: Peer,
    python: PathBuf,
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    errors: File,
    /// Name and version, as the process reports them.
    pub(crate) library: Library,
}

impl Process {
    /// Starts `peer` with the interpreter at `python`.
    ///
    /// It uses no wider vectors than our kernels.
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
            .envs(vector_limits().iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(spoken)
            .spawn()
            .map_err(|e| cannot(e.to_string()))?;
        let requests = child.stdin.take();
        let answers = lines(child.stdout.take().expect("it is piped"));
        // Dropping it ends the process, also on an error below.
        let mut process = Self {
            peer,
            python: python.to_owned(),
            child,
            requests,
            answers,
            errors,
            library: Library::default(),
        };
        let said = process
            .receive(TIMEOUT)
            .map_err(|Failure(why)| cannot(why))?;
        process.library = serde_json::from_str(&said)
            .map_err(|_| cannot(format!("unexpected output `{}`", said.trim())))?;
        Ok(process)
    }

    /// The answer to `request`, whose steps should take about `seconds`, building and compiling aside.
    /// A process that does not answer is replaced by a new one.
    fn ask(&mut self, request: &serde_json::Value, seconds: f64) -> Result<Answer, Failure> {
        let mut line = request.to_string();
        line.push('\n');
        let requests = self
            .requests
            .as_mut()
            .expect("it is closed at the end only");
        // If the process has ended, `receive` reports why.
        let _ = requests.write_all(line.as_bytes());
        let _ = requests.flush();
        match self.receive(TIMEOUT + Duration::from_secs_f64(10.0 * seconds)) {
            Ok(answer) => Answer::parse(&answer),
            Err(failure) => {
                *self = Self::start(self.peer, &self.python)?;
                Err(failure)
            }
        }
    }

    /// The next line of output, if it comes within `timeout`.
    fn receive(&mut self, timeout: Duration) -> Result<String, Failure> {
        self.answers.recv_timeout(timeout).map_err(|e| match e {
            RecvTimeoutError::Timeout => {
                Failure(format!("no answer within {} s", timeout.as_secs()))
            }
            RecvTimeoutError::Disconnected => {
                let last = last_line(&mut self.errors).unwrap_or_default();
                Failure(format!("the process ended: {last}"))
            }
        })
    }
}

/// Environment variables that limit the vectors of the peers to those of our kernels.
fn vector_limits() -> &'static [(&'static str, &'static str)] {
    if InstructionSet::current() == InstructionSet::widest() {
        return &[];
    }
    &[
        ("ATEN_CPU_CAPABILITY", "avx2"),
        ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("XLA_FLAGS", "--xla_cpu_max_isa=AVX2"),
    ]
}

/// The lines of `output` as they arrive.
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
        // The end of its input ends the process and a compiler's child processes, unless it hangs.
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

/// The last line on standard error.
fn last_line(errors: &mut File) -> Option<String> {
    let mut text = Vec::new();
    errors.rewind().ok()?;
    errors.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(last.trim().to_owned())
}

/// An answer of a peer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    seconds: Option<f64>,
    bytes: Option<i64>,
    parameters: Option<usize>,
    error: Option<String>,
}

impl Answer {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self, Failure> {
        let answer: Self = serde_json::from_str(line)
            .map_err(|e| Failure(format!("cannot parse the answer `{}`: {e}", line.trim())))?;
        match answer.error {
            Some(error) => Err(Failure(error)),
            None => Ok(answer),
        }
    }

    /// Seconds of the steps, for nets with `parameters` trained parameters in all.
    pub(crate) fn seconds(&self, parameters: usize) -> Result<f64, Failure> {
        self.check_parameters(parameters)?;
        match self.seconds {
            Some(time) if time.is_finite() && time > 0.0 => Ok(time),
            _ => Err(Failure(format!("the answer has no time: {self:?}"))),
        }
    }

    /// Peak memory in bytes, for nets with `parameters` trained parameters in all.
    pub(crate) fn bytes(&self, parameters: usize) -> Result<i64, Failure> {
        self.check_parameters(parameters)?;
        (self.bytes).ok_or_else(|| Failure(format!("the answer has no memory size: {self:?}")))
    }

    fn check_parameters(&self, parameters: usize) -> Result<(), Failure> {
        if self.parameters == Some(parameters) {
            return Ok(());
        }
        Err(Failure(format!(
            "its nets have {:?} trained parameters, ours have {parameters}",
            self.parameters.unwrap_or_default()
        )))
    }
}

/// Side of the matrices whose product is timed.
pub(crate) const PRODUCT_SIDE: usize = 1024;

/// Products of large square matrices in PyTorch: the rate that the machine reaches.
pub(crate) struct MatrixProduct(pub(crate) Rc<RefCell<Process>>);

impl Stepper for MatrixProduct {
    fn steps(&mut self, n: usize) -> Result<f64, String> {
        let request = json!({ "product": PRODUCT_SIDE, "steps": n });
        let answer = self.0.borrow_mut().ask(&request, 0.0);
        let seconds = answer.map(|answer| answer.seconds);
        match seconds.map_err(|Failure(why)| why)? {
            Some(seconds) if seconds > 0.0 => Ok(seconds),
            other => Err(format!("the answer has no time: {other:?}")),
        }
    }
}

/// A variant of a peer on one workload.
pub(crate) struct PeerVariant<'a> {
    process: Rc<RefCell<Process>>,
    name: String,
    variant: &'static str,
    task: Task<'a>,
    parameters: usize,
    /// Seconds per step, as last measured.
    step: f64,
}

impl<'a> PeerVariant<'a> {
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
            step: 0.0,
        }
    }

    /// Library and variant.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, key: &str, steps: usize) -> Result<Answer, Failure> {
        let mut request = json!({ "workload": self.task, "variant": self.variant });
        request[key] = steps.into();
        let seconds = self.step * steps as f64;
        self.process.borrow_mut().ask(&request, seconds)
    }

    /// Peak memory of `steps` steps in bytes, beyond what was resident before the model was built.
    pub(crate) fn memory(&self, steps: usize) -> Result<i64, Failure> {
        self.ask("memory", steps)?.bytes(self.parameters)
    }
}

impl Stepper for PeerVariant<'_> {
    fn steps(&mut self, n: usize) -> Result<f64, String> {
        let answer = self.ask("steps", n);
        let seconds = answer.and_then(|answer| answer.seconds(self.parameters));
        let seconds = seconds.map_err(|Failure(why)| why)?;
        self.step = seconds / n as f64;
        Ok(seconds)
    }

    fn min_steps(&self) -> usize {
        self.task.min_steps(STEPS_PER_TURN)
    }
}
