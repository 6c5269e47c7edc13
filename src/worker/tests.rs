//! Workers that misbehave, played by shell scripts.

use super::watchdog::Patience;
use super::{Reply, Request, WorkerError, WorkerTrainer, Workers};
use crate::files::mutation::mutations;
use crate::plan::Plan;
use crate::record::Outcome;
use crate::run::events::Silent;
use crate::run::fake::spec;
use crate::trainer::Job;
use crate::trainer::{StopFlag, Trainer};
use std::process::{Command, Stdio};
use std::time::Duration;

fn job() -> Job {
    Plan::new(&spec(&["a"], 2), "flex", 2, "f")
        .jobs(|_| true)
        .remove(0)
}

fn request() -> Request {
    Request::Estimate {
        job: job(),
        threads: 1,
    }
}

fn workers(script: &str) -> Workers {
    Workers::new(["sh", "-c", script].map(Into::into).to_vec())
}

fn call(workers: &Workers) -> Result<Option<Reply>, WorkerError> {
    workers.call(&request(), |_| (), &StopFlag::default())
}

fn error(script: &str) -> String {
    call(&workers(script)).unwrap_err().to_string()
}

fn is_alive(id: usize) -> bool {
    let mut kill = Command::new("kill");
    let kill = kill.args(["-0", &id.to_string()]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

#[test]
fn error_names_the_signal_and_the_last_output() {
    assert_eq!(
        error("read line; echo one >&2; echo two >&2; kill -9 $$"),
        "the worker process ended before it finished: signal: 9 (SIGKILL); its last output: one / two"
    );
    assert_eq!(
        error("read line; exit 7"),
        "the worker process ended before it finished: exit status: 7"
    );
}

#[test]
fn worker_that_closes_its_output_is_killed() {
    let said = error("read line; echo stuck >&2; exec sleep 600 >&-");
    assert!(said.contains("closed its output but kept running, and was killed"));
    assert!(said.ends_with("its last output: stuck"), "{said}");
}

#[test]
fn invalid_reply_is_quoted() {
    assert_eq!(
        error("read line; echo hello; exec sleep 600"),
        "the worker process sent an invalid reply: `hello`"
    );
    let said = error("read line; printf '\\377\\n'; exec sleep 600");
    assert!(said.contains("invalid reply"), "{said}");
}

#[test]
fn stopped_worker_times_out() {
    let patience = Patience {
        silence: Duration::from_millis(200),
        idleness: Duration::from_secs(600),
    };
    let workers =
        workers("read line; echo '{\"progress\":1}'; kill -STOP $$").with_patience(patience);
    let said = call(&workers).unwrap_err().to_string();
    assert_eq!(
        said,
        "the worker process was killed, because it gave no sign of life for 0.2 s"
    );
}

#[test]
fn worker_that_gives_signs_of_life_but_hangs_times_out() {
    let patience = Patience {
        silence: Duration::from_secs(600),
        idleness: Duration::from_millis(500),
    };
    let script = "read line; while echo '{\"alive\":{\"processor\":70}}'; do sleep 0.05; done";
    let said = call(&workers(script).with_patience(patience)).unwrap_err();
    assert!(
        said.to_string()
            .contains("neither computed nor made progress"),
        "{said}"
    );
}

#[test]
fn changed_messages_are_errors_and_never_panics() {
    let request = serde_json::to_vec(&request()).unwrap();
    for bytes in mutations(&request, 1_000, "requests") {
        // As the worker reads it: a line that is no request gets a reply that says so.
        let line = String::from_utf8_lossy(&bytes).replace('\n', " ");
        let _ = serde_json::from_str::<Request>(&line);
    }
    let lines = [
        br#"{"progress":3}"#.as_slice(),
        br#"{"alive":{"processor":7}}"#,
        br#"{"failed":"no"}"#,
    ];
    for (number, good) in lines.into_iter().enumerate() {
        for bytes in mutations(good, 500, &format!("replies {number}")) {
            let line = String::from_utf8_lossy(&bytes).into_owned();
            let _ = serde_json::from_str::<Reply>(&line);
        }
    }
    let said = error("read line; printf '{\"progress\":1e999}\\n'; exec sleep 600");
    assert!(
        said.contains("invalid reply: `{\"progress\":1e999}`"),
        "{said}"
    );
}

#[test]
fn reported_error_is_passed_on() {
    let said = error("read line; echo '{\"failed\":\"no such luck\"}'; exec sleep 600");
    assert_eq!(said, "no such luck");
}

#[test]
fn missing_program_is_an_error() {
    let workers = Workers::new(vec!["/no/such/program".into()]);
    let said = call(&workers).unwrap_err().to_string();
    assert!(said.starts_with("cannot start a worker process: "));
}

#[test]
fn stopped_worker_is_killed() {
    let workers = workers("read line; echo \"{\\\"progress\\\":$$}\"; exec sleep 600");
    let stop = StopFlag::default();
    let mut id = 0;
    let progress = |done| {
        id = done;
        stop.stop();
    };
    let reply = workers.call(&request(), progress, &stop).unwrap();
    assert_eq!(reply, None);
    assert!(id > 0 && !is_alive(id));
}

#[test]
fn dead_worker_fails_its_job_and_is_replaced() {
    let trainer = WorkerTrainer::new(workers("read line; kill -9 $$"), 1);
    for _ in 0..2 {
        let records = trainer.train(&job(), &Silent, &StopFlag::default());
        let records = records.unwrap();
        assert_eq!(records.len(), 2);
        for record in records {
            let Outcome::Failed { error } = record.outcome else {
                panic!("{:?}", record.outcome);
            };
            assert!(error.contains("signal: 9 (SIGKILL)"), "{error}");
        }
    }
    assert_eq!(trainer.estimate(&job()), None);
}

#[test]
fn wrong_kind_of_reply_fails_the_job() {
    let trainer = WorkerTrainer::new(workers("read line; echo '{\"seconds\":1.5}'"), 1);
    let records = trainer.train(&job(), &Silent, &StopFlag::default());
    let outcome = &records.unwrap()[0].outcome;
    assert!(matches!(outcome, Outcome::Failed { error } if error.contains("wrong kind of reply")));
    let trainer = WorkerTrainer::new(workers("read line; echo '{\"seconds\":1.5}'"), 1);
    assert_eq!(trainer.estimate(&job()), Some(1.5));
}
