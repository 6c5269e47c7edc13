//! The experiment file of a study.

use super::{Study, StudyArm, StudyMetric, StudyProgram, StudyScale, StudySeeds, StudySource};
use crate::spec::{Direction, Expect};
use std::fmt::Write;
use toml::Value;

/// First line of the file.
const COMMENT: &str = "# Written by `ablate`; `ablate run FILE` runs it. Every key is described in \
                       `experiments/README.md`.";

impl Study {
    /// The experiment file as TOML.
    pub fn file(&self) -> String {
        let mut out = format!("{COMMENT}\n");
        for (key, text) in [
            ("title", self.title()),
            ("question", self.question()),
            ("reading", self.reading()),
        ] {
            line(&mut out, key, &quoted(&text));
        }
        let seeds = match &self.seeds {
            StudySeeds::Count(count) => count.to_string(),
            StudySeeds::List(list) => array(list.iter().map(u64::to_string)),
        };
        line(&mut out, "seeds", &seeds);
        let common = Common::of(&self.arms);
        self.program.write(&mut out, &common);
        for metric in &self.metrics {
            metric.write(&mut out);
        }
        for arm in &self.arms {
            out.push_str("\n[[arms]]\n");
            line(&mut out, "name", &quoted(&arm.name));
            if let Some(label) = &arm.label {
                line(&mut out, "label", &quoted(label));
            }
            let own = common.own(arm);
            if !own.is_empty() {
                line(&mut out, "args", &strings(own));
            }
        }
        self.write_contrasts(&mut out);
        out
    }

    fn treatments(&self) -> impl Iterator<Item = &StudyArm> {
        let arms = self.arms.iter().enumerate();
        arms.filter(|(i, _)| *i != self.control).map(|(_, arm)| arm)
    }

    /// Every arm against the control, in each metric with a margin. Those of the first metric decide.
    fn write_contrasts(&self, out: &mut String) {
        let control = &self.arms[self.control].name;
        for (i, metric) in self.metrics.iter().enumerate() {
            let Some(margin) = metric.margin else {
                continue;
            };
            for arm in self.treatments() {
                let mut name = format!("{}-vs-{control}", arm.name);
                if i > 0 {
                    let _ = write!(name, "-{i}-{}", super::name(&metric.name));
                }
                out.push_str("\n[[contrasts]]\n");
                line(out, "name", &quoted(name.trim_end_matches('-')));
                line(out, "treatment", &quoted(&arm.name));
                line(out, "control", &quoted(control));
                line(out, "metric", &quoted(&metric.name));
                line(out, "expect", &quoted(word(self.expect)));
                line(out, "margin", &Value::Float(margin).to_string());
                if i > 0 {
                    line(out, "primary", "false");
                }
            }
        }
    }

    fn title(&self) -> String {
        let arms: Vec<&str> = self.treatments().map(StudyArm::shown).collect();
        format!(
            "{} against {}",
            listed(&arms),
            self.arms[self.control].shown()
        )
    }

    fn question(&self) -> String {
        let arms: Vec<&str> = self.treatments().map(StudyArm::shown).collect();
        let several = arms.len() > 1;
        let (arms, control) = (listed(&arms), self.arms[self.control].shown());
        let metric = self.metrics[0].shown();
        let is = if several { "Are" } else { "Is" };
        match self.expect {
            Expect::Better => format!("{is} {arms} better than {control} in {metric}?"),
            Expect::Worse => format!("{is} {arms} worse than {control} in {metric}?"),
            Expect::Equivalent => format!("{is} {arms} as good as {control} in {metric}?"),
            Expect::Differs => {
                let does = if several { "Do" } else { "Does" };
                format!("{does} {arms} differ from {control} in {metric}?")
            }
        }
    }

    fn reading(&self) -> String {
        let margins = self.metrics.iter();
        let margins = margins.filter_map(|m| Some(format!("{} in {}", m.margin?, m.shown())));
        let margins: Vec<String> = margins.collect();
        let margins: Vec<&str> = margins.iter().map(String::as_str).collect();
        format!("Differences below {} do not matter.", listed(&margins))
    }
}

impl StudyArm {
    fn shown(&self) -> &str {
        self.label.as_ref().unwrap_or(&self.name)
    }
}

impl StudyMetric {
    fn shown(&self) -> String {
        self.name.replace('_', " ")
    }

    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "\n[metrics.{}]", key(&self.name));
        let better = match self.better {
            Direction::Higher => "higher",
            Direction::Lower => "lower",
        };
        line(out, "better", &quoted(better));
        if let Some(unit) = &self.unit {
            line(out, "unit", &quoted(unit));
        }
        if let Some(from) = self.from {
            let from = match from {
                StudyScale::Percent => "percent",
                StudyScale::Share => "share",
            };
            line(out, "from", &quoted(from));
        }
    }
}

impl StudyProgram {
    fn write(&self, out: &mut String, common: &Common<'_>) {
        out.push_str("\n[program]\n");
        line(out, "command", &strings(&common.template()));
        line(out, "directory", &quoted(&self.directory));
        if !self.env.is_empty() {
            line(out, "env", &table(&self.env));
        }
        let source = match &self.source {
            StudySource::JsonLines => "{ stdout = \"jsonl\" }".to_owned(),
            StudySource::Csv(path) => format!("{{ file = {} }}", quoted(path)),
            StudySource::Regex(patterns) => format!("{{ regex = {} }}", table(patterns)),
        };
        line(out, "metrics", &source);
        if !self.inputs.is_empty() {
            line(out, "inputs", &strings(&self.inputs));
        }
        if !self.learning_rates.is_empty() {
            let rates = self.learning_rates.iter();
            let rates = array(rates.map(|rate| Value::Float(*rate).to_string()));
            line(out, "learning_rate", &rates);
        }
        if let Some(metric) = &self.validation {
            line(out, "validation", &quoted(metric));
        }
        if let Some(timeout) = &self.timeout {
            line(out, "timeout", &quoted(timeout));
        }
        if let Some(paired) = self.paired {
            line(out, "paired", &paired.to_string());
        }
    }
}

/// The words that all commands start and end with.
struct Common<'a> {
    start: &'a [String],
    end: &'a [String],
    all_equal: bool,
}

impl<'a> Common<'a> {
    fn of(arms: &'a [StudyArm]) -> Self {
        let first = arms[0].command.as_slice();
        let shortest = arms.iter().map(|arm| arm.command.len()).min().unwrap_or(0);
        let same = |at: &dyn Fn(&'a [String]) -> Option<&'a String>| {
            arms.iter().all(|arm| at(&arm.command) == at(first))
        };
        let start = (0..shortest).take_while(|&i| same(&|words| words.get(i)));
        let start = start.count();
        let end =
            (0..shortest - start).take_while(|&i| same(&|words| words.get(words.len() - 1 - i)));
        let end = end.count();
        Self {
            start: &first[..start],
            end: &first[first.len() - end..],
            all_equal: arms.iter().all(|arm| arm.command.len() == start + end),
        }
    }

    /// The command of all arms, with `{args}` where they differ.
    fn template(&self) -> Vec<String> {
        let args = (!self.all_equal).then(|| "{args}".to_owned());
        let start = self.start.iter().cloned();
        start.chain(args).chain(self.end.iter().cloned()).collect()
    }

    /// The words of `arm` that stand in place of `{args}`.
    fn own<'b>(&self, arm: &'b StudyArm) -> &'b [String] {
        &arm.command[self.start.len()..arm.command.len() - self.end.len()]
    }
}

fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// A key, quoted where it has to be.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => serde_json::Value::from(name).to_string(),
    }
}

fn strings(texts: &[String]) -> String {
    array(texts.iter().map(|text| quoted(text)))
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn table(entries: &std::collections::BTreeMap<String, String>) -> String {
    let entries = entries.iter();
    let entries = entries.map(|(name, text)| format!("{} = {}", key(name), quoted(text)));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

const fn word(expect: Expect) -> &'static str {
    match expect {
        Expect::Better => "better",
        Expect::Worse => "worse",
        Expect::Equivalent => "equivalent",
        Expect::Differs => "differs",
    }
}

/// `a, b and c`.
fn listed(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{MetricSource, ProgramRecipe};
    use crate::spec::Spec;
    use proptest::prelude::*;
    use std::path::Path;

    fn arm(name: &str, command: &[&str]) -> StudyArm {
        StudyArm {
            name: name.to_owned(),
            label: None,
            command: command.iter().map(|&word| word.to_owned()).collect(),
        }
    }

    fn study(arms: Vec<StudyArm>) -> Study {
        Study {
            name: "study".to_owned(),
            control: 0,
            arms,
            metrics: vec![StudyMetric {
                name: "test_accuracy".to_owned(),
                better: Direction::Higher,
                unit: None,
                from: Some(StudyScale::Share),
                margin: Some(0.3),
            }],
            expect: Expect::Better,
            seeds: StudySeeds::Count(8),
            program: StudyProgram {
                directory: ".".to_owned(),
                ..StudyProgram::default()
            },
        }
    }

    fn spec(study: &Study) -> Spec {
        let text = study.file();
        let found = Spec::parse(&study.name, Path::new("study.toml"), &text, &[]);
        found.unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn recipe(spec: &Spec, arm: usize) -> &ProgramRecipe {
        spec.arms[arm].recipe.program().unwrap()
    }

    #[test]
    fn words_that_arms_share_are_the_command() {
        let study = study(vec![
            arm("plain", &["python", "train.py", "--seed", "{seed}"]),
            arm(
                "wide",
                &["python", "train.py", "--width", "64", "--seed", "{seed}"],
            ),
        ]);
        let text = study.file();
        assert!(
            text.contains(r#"command = ["python", "train.py", "{args}", "--seed", "{seed}"]"#),
            "{text}"
        );
        assert!(text.contains(r#"args = ["--width", "64"]"#), "{text}");
        let spec = spec(&study);
        for (i, arm) in study.arms.iter().enumerate() {
            assert_eq!(recipe(&spec, i).command, arm.command);
        }
        assert_eq!(spec.contrasts[0].name, "wide-vs-plain");
        assert_eq!(spec.question, "Is wide better than plain in test accuracy?");
        assert_eq!(
            spec.reading,
            "Differences below 0.3 in test accuracy do not matter."
        );
    }

    #[test]
    fn arms_may_be_different_programs() {
        let study = study(vec![
            arm("old", &["./old", "{seed}"]),
            arm("new", &["sh", "new.sh"]),
        ]);
        let spec = spec(&study);
        assert_eq!(recipe(&spec, 0).command, ["./old", "{seed}"]);
        assert_eq!(recipe(&spec, 1).command, ["sh", "new.sh"]);
    }

    #[test]
    fn everything_reaches_the_spec() {
        let mut study = study(vec![
            arm("a", &["t", "1"]),
            arm("b", &["t", "2"]),
            arm("c", &["t"]),
        ]);
        study.control = 1;
        study.arms[2].label = Some("C \"quoted\"".to_owned());
        study.seeds = StudySeeds::List(vec![3, 5]);
        study.expect = Expect::Differs;
        study.metrics.push(StudyMetric {
            name: "eval/top 1".to_owned(),
            better: Direction::Lower,
            unit: Some("nats".to_owned()),
            from: None,
            margin: Some(1.0),
        });
        study.metrics.push(StudyMetric {
            margin: None,
            name: "other".to_owned(),
            ..study.metrics[1].clone()
        });
        let patterns = [
            ("test_accuracy", r"Acc: (\d+)/(\d+)"),
            ("eval/top 1", "'(.)'"),
            ("other", "\"(.)"),
        ];
        study.program = StudyProgram {
            env: [("N".to_owned(), "{threads}".to_owned())].into(),
            source: StudySource::Regex(patterns.map(|(a, b)| (a.to_owned(), b.to_owned())).into()),
            timeout: Some("90s".to_owned()),
            learning_rates: vec![0.1, 1.0],
            validation: Some("other".to_owned()),
            paired: Some(false),
            ..study.program
        };
        let spec = spec(&study);
        let names: Vec<&str> = spec.contrasts.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "a-vs-b",
                "c-vs-b",
                "a-vs-b-1-eval-top-1",
                "c-vs-b-1-eval-top-1"
            ]
        );
        assert_eq!(spec.contrasts.iter().filter(|c| c.primary).count(), 2);
        assert_eq!(
            (&*spec.arms[2].label, &spec.seeds[..]),
            ("C \"quoted\"", &[3, 5][..])
        );
        assert_eq!(spec.title, "a and C \"quoted\" against b");
        let found = recipe(&spec, 0);
        assert_eq!((found.timeout, &*found.env["N"]), (Some(90.0), "{threads}"));
        let MetricSource::Regex(found) = &found.source else {
            panic!("expressions")
        };
        assert_eq!(found["other"], "\"(.)");
        assert_eq!(spec.arms[0].learning_rates, [0.1, 1.0]);
        assert_eq!(spec.program.unwrap().metrics.len(), 3);
    }

    /// Any characters except braces and those that steer a terminal, which a file may not have.
    const SHOWN: &str =
        "(?:[^{}\\x00-\\x1f\\x7f-\\x{9f}\\x{202a}-\\x{202e}\\x{2066}-\\x{2069}]|[\\t\\n]){1,12}";

    proptest! {
        #[test]
        fn any_words_survive(words in proptest::collection::vec(SHOWN, 1..6), own in SHOWN) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            prop_assume!(!words[0].trim().is_empty());
            let other = [&words[..], &[&*own]].concat();
            let study = study(vec![arm("a", &words), arm("b", &other)]);
            let spec = spec(&study);
            prop_assert_eq!(&recipe(&spec, 0).command, &study.arms[0].command);
            prop_assert_eq!(&recipe(&spec, 1).command, &study.arms[1].command);
        }
    }
}
