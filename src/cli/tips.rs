//! What people who know other tools may have meant.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options of other tools, and what does the same here.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["--dry-run", "--dryrun"],
        "`ablate plan` shows what a run would train",
    ),
    (&["--json"], "use `--format json`"),
    (
        &["--csv"],
        "use `--format csv` with `ablate show` or `ablate diff`",
    ),
    (&["--epochs"], "use `--set train.epochs=N`"),
    (&["--steps"], "use `--set train.steps=N`"),
    (
        &["--lr", "--learning-rate"],
        "use `--set train.learning_rate=RATE`",
    ),
    (&["--batch-size"], "use `--set train.batch_size=N`"),
    (
        &["--seed"],
        "`--seeds N` trains the seeds 0 to N - 1, `--set seeds=[7]` a single one",
    ),
    (
        &["--gpu", "--cuda", "--cpu"],
        "use `--device NAME`; `ablate devices` lists the names",
    ),
    (
        &["--output", "--out", "--output-dir", "--results-dir", "-o"],
        "use `--results DIR`",
    ),
    (
        &["--force", "--overwrite", "--no-cache"],
        "`ablate run --fresh` trains every cell again",
    ),
    (
        &[
            "--workers",
            "--num-workers",
            "--threads",
            "--parallel",
            "-j",
        ],
        "use `--jobs N`",
    ),
    (
        &["--resume", "--continue"],
        "a run always continues: run the same command again",
    ),
    (
        &["--config", "--file", "-c", "-f"],
        "give the path of the TOML file without an option",
    ),
];

/// Verbs of other tools, and what does the same here.
const VERBS: &[(&[&str], &str)] = &[
    (
        &["start", "exec", "resume", "continue"],
        "`ablate run NAME` trains an experiment",
    ),
    (
        &["ls", "dir"],
        "`ablate list` lists experiments and their state",
    ),
    (
        &["view", "open", "results", "cat", "print"],
        "`ablate show NAME` shows results",
    ),
    (
        &["why", "describe", "info"],
        "`ablate explain CLAIM` explains a claim, `ablate show NAME` shows results",
    ),
    (
        &["validate", "lint"],
        "`ablate check` validates experiment files",
    ),
    (
        &["dry-run", "preview"],
        "`ablate plan` shows what a run would train",
    ),
    (&["bench", "benchmark"], "`ablate compare` compares devices"),
];

/// A tip for an unknown option or verb; `None` if nothing is known.
pub(super) fn tip(error: &clap::Error) -> Option<&'static str> {
    let (kind, known) = match error.kind() {
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, OPTIONS),
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, VERBS),
        _ => return None,
    };
    let Some(ContextValue::String(given)) = error.get(kind) else {
        return None;
    };
    let given = given.split('=').next().unwrap_or_default();
    let found = known.iter().find(|(names, _)| names.contains(&given));
    found.map(|(_, tip)| *tip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_verbs_of_other_tools_get_tips() {
        let tip_for = |arguments: &str| {
            let words = std::iter::once("ablate").chain(arguments.split(' '));
            let error = super::super::command()
                .try_get_matches_from(words)
                .unwrap_err();
            tip(&error)
        };
        assert!(tip_for("run --dry-run").unwrap().contains("ablate plan"));
        assert!(
            tip_for("run --lr=0.1")
                .unwrap()
                .contains("train.learning_rate")
        );
        assert!(tip_for("run -j 4").unwrap().contains("--jobs"));
        assert!(tip_for("ls").unwrap().contains("ablate list"));
        assert_eq!(tip_for("run --nonsense"), None);
        assert_eq!(tip_for("nonsense"), None);
    }

    #[test]
    fn no_tip_hides_an_option_or_verb_that_exists() {
        let command = super::super::command();
        for (names, _) in VERBS {
            for name in *names {
                assert!(command.find_subcommand(name).is_none(), "{name}");
            }
        }
        let run = command.find_subcommand("run").unwrap();
        for (names, _) in OPTIONS {
            for name in *names {
                let long = name.strip_prefix("--");
                let exists = run
                    .get_arguments()
                    .any(|a| a.get_long().is_some() && a.get_long() == long);
                assert!(!exists, "{name}");
            }
        }
    }
}
