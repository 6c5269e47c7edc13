//! `ablate vs`.

use super::arguments::{OTHER_RESULTS, Results, RunSettings, positive};
use super::compared::{Compared, Directed, Paired, parse};
use super::console::Console;
use super::exit::{Code, Failure};
use super::looks::UntilDecided;
use super::work::Survey;
use super::{plan, root, run, variant};
use crate::files::{self, FileError, write_atomic};
use crate::spec::Claim;
use crate::study::{
    Study, StudyArm, StudyMetric, StudyProgram, StudySeeds, StudySource, distinct, name,
};
use crate::text::placeholder;
use crate::text::words::split;
use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  ablate vs --arm baseline='python train.py --seed {seed}' \\
            --arm smoothing='python train.py --seed {seed} --smoothing 0.1' \\
            --metric 'accuracy>' --from share --margin 0.3 --seeds 8
  ablate vs --arm a='./old {seed}' --arm b='./new {seed}' \\
            --regex 'loss=test loss: ([0-9.]+)' --metric 'loss<' --margin 0.01

Every command runs once per seed, without a shell, several at a time. In it,
{seed} is the seed, {out} a folder of its own, {threads} the number of threads
that it may use, {learning_rate} and {device} what the options say.
The program prints JSON objects such as {\"epoch\": 3, \"accuracy\": 0.981}, one
per line, unless `--csv` or `--regex` says otherwise; the last value counts.";

/// Largest file that counts as an input because a command names it, in bytes.
const LARGEST_INPUT: u64 = 64 << 20;

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// An arm: its name and its command, with `{seed}`. The
    /// first is the control; all others are compared with it
    /// (repeatable; NAME= may be left out)
    #[arg(long = "arm", value_name = "NAME=COMMAND", verbatim_doc_comment)]
    arms: Vec<GivenArm>,
    #[command(flatten)]
    compared: Compared,
    /// Seeds: a number N for 0 to N - 1, a list `3,5,8` or a
    /// range `10-17`
    #[arg(long, value_name = "SEEDS", default_value = "10", verbatim_doc_comment)]
    seeds: GivenSeeds,
    /// The metrics are columns of this CSV file, such as
    /// `{out}/log.csv`
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "regex",
        verbatim_doc_comment
    )]
    csv: Option<String>,
    /// A metric is printed as text: its regular expression with
    /// one group, or two for hits and total (repeatable);
    /// also for `step` or `epoch`
    #[arg(long, value_name = "METRIC=PATTERN", value_parser = pair, verbatim_doc_comment)]
    regex: Vec<(String, String)>,
    /// Learning rates to choose from, for `{learning_rate}`
    #[arg(long, value_name = "RATE,...", value_delimiter = ',')]
    lr: Vec<f64>,
    /// The metric on validation data that chooses the rate of
    /// each arm, as in `--metric`
    #[arg(long, value_name = "METRIC", verbatim_doc_comment)]
    validation: Option<Directed>,
    /// Folder that the commands run in [default: this folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Files that determine the numbers; if one changes, all
    /// runs are repeated (repeatable) [default: the files
    /// that the commands name]
    #[arg(long, value_name = "FILE or PATTERN", verbatim_doc_comment)]
    inputs: Vec<String>,
    /// Set an environment variable (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Stop a run after this time, such as `90s` or `2h`
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Compare seed by seed: `true`, `false`, or `auto`, if a
    /// seed gives the same numbers twice
    #[arg(
        long,
        value_name = "auto|true|false",
        default_value = "auto",
        verbatim_doc_comment
    )]
    paired: Paired,
    /// Name given to the programs as `{device}`
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
    /// Programs to run at the same time [default: one per core]
    #[arg(long, value_name = "N", value_parser = positive)]
    jobs: Option<NonZeroUsize>,
    /// Run everything again; the old journal is kept
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    until: UntilDecided,
    /// Name of the study and of its results folder [default:
    /// made of the names of the arms]
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "save",
        verbatim_doc_comment
    )]
    name: Option<String>,
    /// Folder that holds the results folder
    #[arg(long, value_name = "DIR", default_value_os_t = root::beside(OTHER_RESULTS))]
    results: PathBuf,
    /// Keep the study as an experiment file, which `ablate run`
    /// takes; its name is that of the study
    #[arg(long, value_name = "FILE.toml", verbatim_doc_comment)]
    save: Option<PathBuf>,
    /// Only show what would run
    #[arg(long)]
    dry_run: bool,
}

/// An arm as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GivenArm {
    name: Option<String>,
    text: String,
    words: Vec<String>,
}

impl FromStr for GivenArm {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            let start = text.chars().next();
            start.is_some_and(char::is_alphanumeric)
                && !text.contains([' ', '\t', '\'', '"', '/', '{'])
        };
        let (name, text) = match given.split_once('=') {
            Some((name, command)) if is_name(name.trim()) => {
                (Some(name.trim().to_owned()), command)
            }
            _ => (None, given),
        };
        let is_variable = |name: &String| {
            let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            name.contains('_') && name.chars().all(valid)
        };
        if let Some(name) = name.as_ref().filter(|name| is_variable(name)) {
            return Err(format!(
                "`{name}` looks like an environment variable; set it with `--env {name}=VALUE`"
            ));
        }
        let words = split(text).map_err(|error| format!("the command {error}"))?;
        if words.is_empty() {
            return Err("the command is empty; write `NAME='program --seed {seed}'`".to_owned());
        }
        if words
            .iter()
            .any(|word| placeholder::names(word).any(|n| n == "args"))
        {
            return Err(
                "`{args}` has no meaning here; write out the command of every arm".to_owned(),
            );
        }
        Ok(Self {
            name,
            text: text.trim().to_owned(),
            words,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct GivenSeeds(StudySeeds);

impl FromStr for GivenSeeds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "it must be a number `8`, a list `3,5,8` or a range `10-17`";
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| EXPECTED);
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (number(first)?, number(last)?);
            // The experiment file allows fewer; this keeps a mistyped range from filling the memory.
            return match last.checked_sub(first).is_some_and(|more| more < 1 << 20) {
                true => Ok(Self(StudySeeds::List((first..=last).collect()))),
                false => Err(EXPECTED),
            };
        }
        if text.contains(',') {
            let list = text.split(',').map(number).collect::<Result<_, _>>()?;
            return Ok(Self(StudySeeds::List(list)));
        }
        number(text).map(|count| Self(StudySeeds::Count(count)))
    }
}

/// Parses `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("it must be `NAME=VALUE`".to_owned()),
    }
}

pub(super) fn vs(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let study = args.study()?;
    let text = study.file();
    let virtual_path = PathBuf::from(format!("{}.toml", study.name));
    let path = args.save.as_ref().unwrap_or(&virtual_path);
    let spec = parse(&study, path, &text)?;
    if let Some(path) = &args.save {
        save(path, &text, console)?;
    }
    let settings = RunSettings::of_programs(&args.device, args.jobs, args.fresh);
    let results = Results::in_folder(&args.results);
    variant::check_files(std::slice::from_ref(&spec), &results.folder)?;
    let specs = run::looked_at(vec![spec], &results, true, &args.until)?;
    if args.dry_run {
        let survey = |spec| Survey::new(spec, &settings, &results.folder);
        let surveys = specs.iter().map(survey).collect::<Result<Vec<_>, _>>()?;
        return plan::preview(
            &surveys,
            &settings,
            &results,
            &plan::Wanted::default(),
            console,
        );
    }
    let request = run::Request {
        works: run::works(&specs, &settings, &results)?,
        settings: &settings,
        results: &results,
        until: &args.until,
        keep_weights: false,
        claims: Claim::load_all(&root::experiments())?,
    };
    run::execute(request, console)
}

impl Args {
    fn study(&self) -> Result<Study, Failure> {
        if self.arms.len() < 2 {
            return Err(Failure::usage(
                "`--arm` must be given at least twice: first the control, then what is compared with it, \
                 as in `--arm baseline='python train.py --seed {seed}' --arm wide='python train.py \
                 --seed {seed} --width 64'`",
            ));
        }
        let mut metrics = self.compared.metrics()?;
        if let Some(validation) = &self.validation
            && !metrics.iter().any(|metric| metric.name == validation.name)
        {
            metrics.push(StudyMetric {
                name: validation.name.clone(),
                better: validation.better,
                unit: None,
                from: None,
                margin: None,
            });
        }
        if self.lr.len() > 1 && self.validation.is_none() {
            return Err(Failure::usage(format!(
                "`--lr` has {} rates; name the metric on validation data that chooses one, as in \
                 `--validation 'validation_accuracy>'`, or give one rate",
                self.lr.len()
            )));
        }
        let arms = named(&self.arms)?;
        let directory = self.dir.as_deref().unwrap_or(Path::new("."));
        let name = match (&self.save, &self.name) {
            (Some(path), _) => {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                stem.unwrap_or_default().to_owned()
            }
            (None, Some(name)) => name.clone(),
            (None, None) => study_name(&arms),
        };
        Ok(Study {
            name,
            control: 0,
            metrics,
            expect: self.compared.expect(),
            seeds: self.seeds.0.clone(),
            program: StudyProgram {
                directory: directory_from(self.save.as_deref(), directory)?,
                env: self.env.iter().cloned().collect(),
                source: match (&self.csv, &self.regex[..]) {
                    (Some(path), _) => StudySource::Csv(path.clone()),
                    (None, []) => StudySource::JsonLines,
                    (None, patterns) => StudySource::Regex(once(patterns)?),
                },
                inputs: match self.inputs.is_empty() {
                    true => inputs(&arms, directory),
                    false => self.inputs.clone(),
                },
                timeout: self.timeout.clone(),
                learning_rates: self.lr.clone(),
                validation: self.validation.as_ref().map(|metric| metric.name.clone()),
                paired: self.paired.0,
            },
            arms,
        })
    }
}

fn once(patterns: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for (name, pattern) in patterns {
        if found.insert(name.clone(), pattern.clone()).is_some() {
            return Err(Failure::usage(format!(
                "`--regex` gives `{name}` twice; join the patterns with `|`"
            )));
        }
    }
    Ok(found)
}

/// The arms with names: those given, or made of the words in which a command differs from the others.
fn named(given: &[GivenArm]) -> Result<Vec<StudyArm>, Failure> {
    let mut arms: Vec<StudyArm> = Vec::new();
    for (i, arm) in given.iter().enumerate() {
        let label = arm.name.clone().unwrap_or_else(|| own_words(given, i));
        let mut name = name(&label);
        let taken = arms.iter().any(|other| other.name == name);
        if arm.name.is_some() && (taken || name.is_empty()) {
            return Err(Failure::usage(format!(
                "`--arm {label}=...`: {}",
                match taken {
                    true => "another arm has this name; choose another one",
                    false => "a name needs a letter or a digit",
                }
            )));
        }
        if arm.name.is_none() {
            name = distinct(&name, arms.iter().map(|arm| arm.name.as_str()));
        }
        arms.push(StudyArm {
            label: (label != name).then_some(label),
            name,
            command: arm.words.clone(),
        });
    }
    Ok(arms)
}

/// The words of a command that another command does not have; all of it if there are none.
fn own_words(arms: &[GivenArm], index: usize) -> String {
    let arm = &arms[index];
    let elsewhere = |word: &&String| {
        let mut others = arms.iter().enumerate().filter(|(i, _)| *i != index);
        others.all(|(_, other)| other.words.contains(word))
    };
    let own: Vec<&str> = (arm.words.iter().filter(|word| !elsewhere(word)))
        .map(String::as_str)
        .collect();
    match own.is_empty() {
        true => arm.text.clone(),
        false => own.join(" "),
    }
}

/// `b-vs-a`, or `b-c-vs-a`.
fn study_name(arms: &[StudyArm]) -> String {
    let names = arms[1..].iter().map(|arm| arm.name.as_str());
    let others = names.collect::<Vec<_>>().join("-");
    format!("{}-vs-{}", name(&others), arms[0].name)
}

/// Files in `directory` that the commands name, as patterns.
fn inputs(arms: &[StudyArm], directory: &Path) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in arms.iter().flat_map(|arm| &arm.command) {
        let size = fs::metadata(directory.join(word))
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|file| file.len());
        let pattern = glob::Pattern::escape(word);
        if size.is_some_and(|size| size <= LARGEST_INPUT) && !found.contains(&pattern) {
            found.push(pattern);
        }
    }
    found
}

/// `directory` as seen from the folder of the experiment file `file`, or from here without one.
fn directory_from(file: Option<&Path>, directory: &Path) -> Result<String, Failure> {
    let text = |path: &Path| match path.to_str() {
        Some("") => Ok(".".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::usage(format!(
            "`--dir`: the path `{}` is not UTF-8",
            path.display()
        ))),
    };
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    if folder == Path::new("") {
        return text(directory);
    }
    let found = |path: &Path| {
        fs::canonicalize(path)
            .map_err(FileError::of("find the folder", path))
            .map_err(Failure::from)
    };
    let (from, to) = (found(folder)?, found(directory)?);
    if let Ok(below) = to.strip_prefix(&from) {
        return text(below);
    }
    match from.strip_prefix(&to) {
        Ok(above) => {
            let steps = above
                .components()
                .filter(|c| matches!(c, Component::Normal(_)));
            text(&steps.map(|_| "..").collect::<PathBuf>())
        }
        Err(_) => text(&to),
    }
}

/// Writes the experiment file. One with other content stays.
fn save(path: &Path, text: &str, console: &Console) -> Result<(), Failure> {
    let shown = path.display();
    match files::read(path) {
        Ok(found) if found == text.as_bytes() => return Ok(()),
        Ok(_) => {
            return Err(Failure::usage(format!(
                "`--save`: `{shown}` exists and describes something else; choose another file, or delete it"
            )));
        }
        Err(_) => {}
    }
    write_atomic(path, text.as_bytes())?;
    console.info(&format!(
        "kept the study in `{shown}`; run it with `ablate run {shown}`"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arms(given: &[&str]) -> Vec<GivenArm> {
        let parse = |text: &&str| text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        given.iter().map(parse).collect()
    }

    fn names(given: &[&str]) -> Vec<String> {
        let arms = named(&arms(given)).unwrap();
        arms.into_iter().map(|arm| arm.name).collect()
    }

    #[test]
    fn names_are_split_from_commands() {
        for (text, name, words) in [
            ("a=python train.py", Some("a"), vec!["python", "train.py"]),
            (
                "My net = ./x '1 2'",
                None,
                vec!["My", "net", "=", "./x", "1 2"],
            ),
            (
                "python t.py --lr=0.1",
                None,
                vec!["python", "t.py", "--lr=0.1"],
            ),
            ("./x=1", None, vec!["./x=1"]),
            ("--x=1", None, vec!["--x=1"]),
            ("A=x", Some("A"), vec!["x"]),
        ] {
            let found = &arms(&[text])[0];
            assert_eq!(
                (found.name.as_deref(), &found.words),
                (name, &words.iter().map(|w| (*w).to_owned()).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn commands_that_cannot_run_are_rejected() {
        for (text, said) in [
            ("a=", "is empty"),
            ("a=x | y", "needs a shell"),
            ("a='x", "no closing"),
            (
                "OMP_NUM_THREADS=1 python t.py",
                "--env OMP_NUM_THREADS=VALUE",
            ),
            ("a=x {args}", "`{args}`"),
        ] {
            let error = text.parse::<GivenArm>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn unnamed_arms_are_named_after_what_differs() {
        assert_eq!(
            names(&[
                "python t.py --seed {seed}",
                "python t.py --seed {seed} --smoothing 0.1"
            ]),
            ["python-t-py-seed-seed", "smoothing-0-1"]
        );
        assert_eq!(names(&["./a {seed}", "./b {seed}"]), ["a", "b"]);
        assert_eq!(names(&["x --n 1", "x --n 2"]), ["1", "2"]);
        assert_eq!(names(&["x", "x"]), ["x", "x-2"]);
        assert_eq!(names(&["Wide Net=x", "b=x"]).len(), 2);
        assert!(named(&arms(&["A=x", "a=y"])).is_err());
        assert_eq!(
            study_name(&named(&arms(&["a=x", "b=y", "c=z"])).unwrap()),
            "b-c-vs-a"
        );
    }

    #[test]
    fn seeds_are_a_number_a_list_or_a_range() {
        let seeds = |text: &str| text.parse::<GivenSeeds>().map(|seeds| seeds.0);
        assert_eq!(seeds("8"), Ok(StudySeeds::Count(8)));
        assert_eq!(seeds("3, 5"), Ok(StudySeeds::List(vec![3, 5])));
        assert_eq!(seeds("10-12"), Ok(StudySeeds::List(vec![10, 11, 12])));
        for text in ["", "x", "-1", "5-3", "1,,2", "0-99999999999"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn directory_is_relative_to_the_saved_file() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        fs::create_dir_all(path("studies/deep")).unwrap();
        fs::create_dir_all(path("code")).unwrap();
        let from = |file: &str, dir: &str| directory_from(Some(&path(file)), &path(dir)).unwrap();
        assert_eq!(from("x.toml", "code"), "code");
        assert_eq!(from("x.toml", "."), ".");
        assert_eq!(from("studies/deep/x.toml", "."), "../..");
        let code = fs::canonicalize(path("code")).unwrap();
        assert_eq!(Path::new(&from("studies/x.toml", "code")), code);
        assert_eq!(directory_from(None, Path::new("code")).unwrap(), "code");
    }

    #[test]
    fn files_that_commands_name_are_inputs() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["train.py", "a[1].py", "other"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let arms = named(&arms(&[
            "a=python train.py",
            "b=python ./train.py a[1].py none.py",
        ]));
        let found = inputs(&arms.unwrap(), folder.path());
        assert_eq!(found, ["train.py", "./train.py", "a[[]1[]].py"]);
    }
}
