//! Workers that go wrong, in whose place a shell stands.

use super::{Reply, Request, WorkerError, WorkerTrainer, Workers};
use crate::plan::Plan;
use crate::record::Outcome;
use crate::run::events::Silent;
use crate::run::fake::spec;
use crate::trainer::Job;
use crate::trainer::{StopFlag, Trainer};
use std::process::{Command, Stdio};

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

fn lives(id: usize) -> bool {
    let mut kill = Command::new("kill");
    let kill = kill.args(["-0", &id.to_string()]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

#[test]
fn the_signal_and_the_last_words_of_one_that_dies_are_told() {
    assert_eq!(
        error("read line; echo one >&2; echo two >&2; kill -9 $$"),
        "the worker process ended before it was done: signal: 9 (SIGKILL); it said last: one / two"
    );
    assert_eq!(
        error("read line; exit 7"),
        "the worker process ended before it was done: exit status: 7"
    );
}

#[test]
fn one_that_closes_its_output_and_lives_on_is_ended() {
    let said = error("read line; echo stuck >&2; exec sleep 600 >&-");
    assert!(said.contains("closed its output and had to be killed"));
    assert!(said.ends_with("it said last: stuck"), "{said}");
}

#[test]
fn what_is_no_reply_is_quoted() {
    assert_eq!(
        error("read line; echo hello; exec sleep 600"),
        "the worker process answered what is no reply: `hello`"
    );
    let said = error("read line; printf '\\377\\n'; exec sleep 600");
    assert!(said.contains("no reply"), "{said}");
}

#[test]
fn its_own_account_of_a_failure_is_handed_on() {
    let said = error("read line; echo '{\"failed\":\"no such luck\"}'; exec sleep 600");
    assert_eq!(said, "no such luck");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let workers = Workers::new(vec!["/no/such/program".into()]);
    let said = call(&workers).unwrap_err().to_string();
    assert!(said.starts_with("cannot start a worker process: "));
}

#[test]
fn one_that_is_asked_to_stop_is_ended() {
    let workers = workers("read line; echo \"{\\\"progress\\\":$$}\"; exec sleep 600");
    let stop = StopFlag::default();
    let mut id = 0;
    let told = |done| {
        id = done;
        stop.stop();
    };
    let reply = workers.call(&request(), told, &stop).unwrap();
    assert_eq!(reply, None);
    assert!(id > 0 && !lives(id));
}

#[test]
fn a_job_whose_worker_dies_fails_in_all_its_cells_and_the_next_gets_a_new_one() {
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
fn an_answer_to_another_question_is_none() {
    let trainer = WorkerTrainer::new(workers("read line; echo '{\"seconds\":1.5}'"), 1);
    let records = trainer.train(&job(), &Silent, &StopFlag::default());
    let outcome = &records.unwrap()[0].outcome;
    assert!(matches!(outcome, Outcome::Failed { error } if error.contains("another question")));
    let trainer = WorkerTrainer::new(workers("read line; echo '{\"seconds\":1.5}'"), 1);
    assert_eq!(trainer.estimate(&job()), Some(1.5));
}
