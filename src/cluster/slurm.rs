//! Slurm.

use super::script::{line, quoted};
use super::submission::Place;
use super::{Queue, QueueError, Queued, Task, run};
use std::fmt::Write as _;

const NAME: &str = "Slurm";

/// What is asked of Slurm for every task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slurm {
    /// Partition.
    pub partition: Option<String>,
    /// Time limit.
    pub time: Option<String>,
    /// Cores.
    pub cpus: Option<usize>,
    /// GPUs.
    pub gpus: Option<usize>,
    /// Most tasks to run at the same time.
    pub parallel: Option<usize>,
}

/// The job is told this long before its time is over, in seconds.
const WARNING: u32 = 120;

impl Slurm {
    /// The script of an array of `count` tasks of the experiment `name`.
    pub fn script(&self, name: &str, count: usize, task: &Task, place: &Place) -> String {
        let mut text = "#!/bin/bash\n".to_owned();
        let mut option = |option: String| writeln!(text, "#SBATCH --{option}").expect("a string");
        option(format!("job-name={}", quoted(&format!("ablate-{name}"))));
        let parallel = self.parallel.map_or(String::new(), |n| format!("%{n}"));
        option(format!("array=0-{}{parallel}", count.saturating_sub(1)));
        let own = [
            ("partition", self.partition.clone()),
            ("time", self.time.clone()),
            ("cpus-per-task", self.cpus.map(|n| n.to_string())),
            ("gpus-per-task", self.gpus.map(|n| n.to_string())),
        ];
        for (key, value) in own {
            if let Some(value) = value {
                option(format!("{key}={}", quoted(&value)));
            }
        }
        option("ntasks=1".to_owned());
        option(format!("chdir={}", quoted(&task.start.to_string_lossy())));
        let log = place.logs().join("%A_%a.log");
        option(format!("output={}", quoted(&log.to_string_lossy())));
        option("open-mode=append".to_owned());
        option("requeue".to_owned());
        option(format!("signal=B:USR1@{WARNING}"));
        let command = line(&task.command());
        write!(
            text,
            r#"
# Written by `ablate submit slurm`. Before the time is over, Slurm sends USR1 to this script: the worker then saves what
# it has finished and ends with exit code 75, and the task goes back into the queue.
told=
worker=
trap 'told=1; [ -z "$worker" ] || kill -TERM "$worker"' USR1 TERM
{command} &
worker=$!
[ -z "$told" ] || kill -TERM "$worker"
while true; do
  wait "$worker"
  code=$?
  kill -0 "$worker" 2>/dev/null || break
done
# 143: it was told before it could listen.
if [ "$code" = 75 ] || {{ [ -n "$told" ] && [ "$code" = 143 ]; }}; then
  scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}" && exit 0
fi
exit "$code"
"#
        )
        .expect("a string");
        text
    }

    /// Arguments of `sbatch` for the job that writes the report after the array `job`.
    fn report(&self, name: &str, task: &Task, job: &str, place: &Place) -> Vec<String> {
        let log = place.logs().join("report-%j.log");
        let mut arguments = vec![
            "--parsable".to_owned(),
            format!("--dependency=afterany:{job}"),
            format!("--job-name=ablate-{name}-report"),
            format!("--chdir={}", task.start.display()),
            format!("--output={}", log.display()),
            "--ntasks=1".to_owned(),
        ];
        arguments.extend(self.partition.iter().map(|p| format!("--partition={p}")));
        arguments.push(format!("--wrap={}", line(&task.report())));
        arguments
    }

    /// Submits the script of `place`. Returns the number of the job.
    ///
    /// # Errors
    /// If Slurm does not accept it.
    pub fn submit(place: &Place) -> Result<String, QueueError> {
        let script = place.script();
        sbatch(&["--parsable", &script.to_string_lossy()])
    }

    /// Submits the job that writes the report once the array `job` has ended, however it ended. Returns its number.
    ///
    /// # Errors
    /// If Slurm does not accept it.
    pub fn submit_report(
        &self,
        name: &str,
        task: &Task,
        job: &str,
        place: &Place,
    ) -> Result<String, QueueError> {
        let arguments = self.report(name, task, job, place);
        sbatch(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The command that [`Self::submit_report`] runs.
    pub fn report_command(&self, name: &str, task: &Task, place: &Place) -> String {
        let arguments = self.report(name, task, "JOB", place);
        format!("sbatch {}", line(&arguments))
    }

    /// Most tasks of an array, if Slurm says so.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn most_tasks() -> Result<Option<usize>, QueueError> {
        let text = run(NAME, "scontrol", &["show", "config"])?;
        Ok(max_array_size(&text))
    }

    /// The tasks of the array `job` that have not ended.
    ///
    /// # Errors
    /// If Slurm cannot be asked.
    pub fn queue(job: &str) -> Result<Queue, QueueError> {
        const FORMAT: &str = "%K|%T|%N|%r|%M";
        let arguments = ["--noheader", "--array", "--jobs", job, "--format", FORMAT];
        match run(NAME, "squeue", &arguments) {
            Ok(text) => parse(&text),
            // Slurm forgets jobs some minutes after their end.
            Err(QueueError::Failed { message, .. }) if message.contains("Invalid job id") => {
                Ok(Queue::new())
            }
            Err(error) => Err(error),
        }
    }
}

fn sbatch(arguments: &[&str]) -> Result<String, QueueError> {
    let text = run(NAME, "sbatch", arguments)?;
    // `JOB` or `JOB;CLUSTER`, after warnings of the site, if there are any.
    let last = text.lines().last().unwrap_or_default();
    let job = last.split(';').next().unwrap_or_default().trim();
    match !job.is_empty() && job.chars().all(|c| c.is_ascii_digit()) {
        true => Ok(job.to_owned()),
        false => Err(QueueError::Output {
            command: "sbatch".to_owned(),
            message: text,
        }),
    }
}

/// `MaxArraySize` is one more than the largest number of a task.
fn max_array_size(text: &str) -> Option<usize> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut found = lines.filter(|(key, _)| key.trim() == "MaxArraySize");
    found.next()?.1.trim().parse().ok()
}

fn parse(text: &str) -> Result<Queue, QueueError> {
    let tasks = text.lines().filter(|line| !line.trim().is_empty());
    tasks
        .map(|text| {
            let fields: Vec<&str> = text.split('|').map(str::trim).collect();
            let [number, state, node, reason, time] = fields[..] else {
                return Err(unreadable(text));
            };
            let number = number.parse().map_err(|_| unreadable(text))?;
            let place = if node.is_empty() { reason } else { node };
            let queued = Queued {
                state: state.to_owned(),
                place: place.to_owned(),
                time: time.to_owned(),
            };
            Ok((number, queued))
        })
        .collect()
}

fn unreadable(text: &str) -> QueueError {
    QueueError::Output {
        command: "squeue".to_owned(),
        message: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn task() -> Task {
        Task {
            program: "/opt/ablate".into(),
            start: "/home/me/a project".into(),
            folder: "/home/me/a project/results/x".into(),
            tasks: "/home/me/a project/results/x/.submit/1.json".into(),
            device: None,
            pin_kind: true,
        }
    }

    #[test]
    fn script_has_the_options_that_were_given() {
        let slurm = Slurm {
            partition: Some("short".into()),
            time: Some("02:00:00".into()),
            cpus: Some(4),
            gpus: None,
            parallel: Some(8),
        };
        let place = Place::next(Path::new("/r"));
        let text = slurm.script("x", 20, &task(), &place);
        for line in [
            "#SBATCH --array=0-19%8",
            "#SBATCH --partition=short",
            "#SBATCH --time=02:00:00",
            "#SBATCH --cpus-per-task=4",
            "#SBATCH --chdir='/home/me/a project'",
            "#SBATCH --output=/r/.submit/logs/%A_%a.log",
            "#SBATCH --signal=B:USR1@120",
            "/opt/ablate worker '/home/me/a project/results/x' --tasks '/home/me/a project/results/x/.submit/1.json' \
             --pin-kind &",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("gpus"));
        let report = slurm.report_command("x", &task(), &place);
        assert!(report.contains("--dependency=afterany:JOB"), "{report}");
        assert!(report.contains("--partition=short"), "{report}");
    }

    #[test]
    fn queue_is_read_from_squeue() {
        let text = "0|RUNNING|node1|None|0:07\n12|PENDING||Resources|0:00\n";
        let queue = parse(text).unwrap();
        assert!(queue[&0].is_running() && !queue[&12].is_running());
        assert_eq!(
            (&*queue[&0].place, &*queue[&12].place),
            ("node1", "Resources")
        );
        assert!(parse("").unwrap().is_empty());
        assert!(parse("slurm_load_jobs error").is_err());
    }

    #[test]
    fn largest_array_is_read_from_the_configuration() {
        let text = "MaxArraySize            = 1001\nMaxJobCount = 10000\n";
        assert_eq!(max_array_size(text), Some(1001));
        assert_eq!(max_array_size("other = 1"), None);
    }
}
