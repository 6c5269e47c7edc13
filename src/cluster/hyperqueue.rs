//! HyperQueue.

use super::submission::{Place, Submission};
use super::{Queue, QueueError, Queued, Task, run};
use serde_json::Value;

const NAME: &str = "HyperQueue";

/// What is asked of HyperQueue for every task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HyperQueue {
    /// Cores.
    pub cpus: Option<usize>,
    /// Time limit.
    pub time: Option<String>,
}

impl HyperQueue {
    /// Arguments of `hq` that submit the tasks of `place`: one for each entry of the JSON array beside the list of
    /// tasks.
    pub fn arguments(&self, name: &str, task: &Task, place: &Place) -> Vec<String> {
        let log = place
            .logs()
            .join(format!("{}_%{{TASK_ID}}.log", place.number));
        let mut words: Vec<String> = [
            "--output-mode=json",
            "submit",
            "--from-json",
            &Self::entries(place).to_string_lossy(),
            "--name",
            &format!("ablate-{name}"),
            "--cwd",
            &task.start.to_string_lossy(),
            "--stdout",
            &log.to_string_lossy(),
            "--stderr",
            &log.to_string_lossy(),
            "--crash-limit",
            "5",
        ]
        .map(str::to_owned)
        .into();
        words.extend(self.cpus.map(|n| format!("--cpus={n}")));
        words.extend(self.time.iter().map(|time| format!("--time-limit={time}")));
        words.push("--".to_owned());
        words.extend(task.command());
        words
    }

    /// Path of the JSON array with one entry per task.
    pub fn entries(place: &Place) -> std::path::PathBuf {
        place.tasks().with_extension("entries.json")
    }

    /// The JSON array with one entry per task: the number of its cells.
    pub fn entries_of(submission: &Submission) -> String {
        let sizes: Vec<usize> = submission.tasks.iter().map(Vec::len).collect();
        serde_json::to_string(&sizes).expect("plain data has a JSON form") + "\n"
    }

    /// Submits the tasks. Returns the number of the job.
    ///
    /// # Errors
    /// If HyperQueue does not accept them.
    pub fn submit(&self, name: &str, task: &Task, place: &Place) -> Result<String, QueueError> {
        let words = self.arguments(name, task, place);
        let text = hq(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        let found: Value = serde_json::from_str(&text).unwrap_or_default();
        match found["id"].as_u64() {
            Some(job) => Ok(job.to_string()),
            None => Err(QueueError::Output {
                command: "hq submit".to_owned(),
                message: text,
            }),
        }
    }

    /// The tasks of the job that have not ended.
    ///
    /// # Errors
    /// If HyperQueue cannot be asked.
    pub fn queue(job: &str) -> Result<Queue, QueueError> {
        let arguments = ["--output-mode=json", "task", "list", job];
        match hq(&arguments) {
            Ok(text) => Ok(parse(&text)),
            Err(QueueError::Failed { message, .. }) if message.contains("not found") => {
                Ok(Queue::new())
            }
            Err(error) => Err(error),
        }
    }
}

fn hq(arguments: &[&str]) -> Result<String, QueueError> {
    run(NAME, "hq", arguments)
}

/// Reads `{"JOB": [{"id": 0, "state": "running", ...}]}`.
fn parse(text: &str) -> Queue {
    let found: Value = serde_json::from_str(text).unwrap_or_default();
    let lists = found.as_object().into_iter().flat_map(|jobs| jobs.values());
    let tasks = lists.filter_map(Value::as_array).flatten();
    tasks
        .filter_map(|task| {
            let number = usize::try_from(task["id"].as_u64()?).ok()?;
            let state = task["state"].as_str()?.to_uppercase();
            let queued = Queued {
                place: match task["worker"].as_u64() {
                    Some(worker) => format!("worker {worker}"),
                    None => String::new(),
                },
                time: String::new(),
                state,
            };
            matches!(queued.state.as_str(), "WAITING" | "RUNNING").then_some((number, queued))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_running_tasks_are_read() {
        let text = r#"{"3": [{"id": 0, "state": "finished"}, {"id": 1, "state": "running", "worker": 2},
            {"id": 2, "state": "waiting"}, {"id": 3, "state": "failed"}]}"#;
        let queue = parse(text);
        assert_eq!(queue.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert!(queue[&1].is_running() && queue[&1].place == "worker 2");
        assert!(parse("no JSON").is_empty());
    }
}
