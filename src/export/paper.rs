//! Tables and text for a paper: contrasts as a LaTeX table, how they were decided, and the sources of the
//! methods.

use crate::analysis::{ContrastSummary, NewDataMethod, Summary, finding_words};
use crate::spec::Designed;
use crate::stats::Spending;
use crate::text::latex::escaped;
use crate::text::number::level;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use std::sync::LazyLock;

const TABLE: &str = "contrasts.tex";
const METHODS: &str = "methods.tex";
const SOURCES: &str = "sources.bib";

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_trim_blocks(true);
    engine.set_lstrip_blocks(true);
    engine.add_filter("tex", |text: String| escaped(&text));
    for (name, text) in [
        (TABLE, include_str!("templates/contrasts.tex")),
        (METHODS, include_str!("templates/methods.tex")),
        (SOURCES, include_str!("templates/sources.bib")),
    ] {
        // A test renders every template.
        engine
            .add_template(name, text)
            .expect("a committed template is valid");
    }
    engine
});

/// A text cannot be made from its template.
#[derive(Debug, thiserror::Error)]
#[error("cannot make `{0}`: {1}")]
pub struct PaperError(&'static str, minijinja::Error);

/// The contrasts as a table for LaTeX, with the packages array, booktabs and siunitx.
///
/// # Errors
/// If the template does not fit, which is a defect of the program.
pub fn contrasts_table(summary: &Summary) -> Result<String, PaperError> {
    let rows: Vec<Row> = summary.contrasts.iter().map(Row::of).collect();
    let context = minijinja::context! {
        title => summary.title,
        name => summary.name,
        net_on_data => summary.net_on_data,
        places => places(&rows),
        rows,
    };
    render(TABLE, context)
}

/// Digits before and after the point that the improvements need, as siunitx reads it: `2.3`.
fn places(rows: &[Row]) -> String {
    let digits = rows
        .iter()
        .filter_map(|row| row.mean.as_deref())
        .map(|mean| {
            let (whole, rest) = mean.split_once('.').unwrap_or((mean, ""));
            // Without its sign.
            (whole.len() - 1, rest.len())
        });
    let most = digits.fold((1, 0), |most, (whole, rest)| {
        (most.0.max(whole), most.1.max(rest))
    });
    format!("{}.{}", most.0, most.1)
}

/// A paragraph for the section on statistical methods: what was compared, and how it was decided.
///
/// # Errors
/// As [`contrasts_table`].
pub fn methods_paragraph(summary: &Summary) -> Result<String, PaperError> {
    render(METHODS, Methods::of(summary))
}

/// BibTeX entries of the methods that the experiments use, and of this program.
///
/// # Errors
/// As [`contrasts_table`].
pub fn bibliography<'a>(
    summaries: impl IntoIterator<Item = &'a Summary>,
) -> Result<String, PaperError> {
    let mut all = Methods::default();
    for summary in summaries {
        all.add(&Methods::of(summary));
    }
    render(SOURCES, all)
}

fn render(name: &'static str, context: impl Serialize) -> Result<String, PaperError> {
    let template = ENGINE.get_template(name);
    let text = template.and_then(|template| template.render(context));
    text.map_err(|error| PaperError(name, error))
}

/// A line of the table. Numbers are in the form that siunitx reads.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    metric: String,
    unit: String,
    n: usize,
    mean: Option<String>,
    low: Option<String>,
    high: Option<String>,
    level: String,
    margin: f64,
    finding: &'static str,
    verdict: String,
}

impl Row {
    fn of(contrast: &ContrastSummary) -> Self {
        let decision = contrast.decision.as_ref();
        let digits = contrast.decimals();
        let number = |value: f64| format!("{value:+.digits$}");
        let bounds = contrast.interval();
        let asked = &contrast.contrast;
        Self {
            name: asked.name.clone(),
            metric: asked.when.read(&asked.metric.label()),
            unit: asked.metric.unit().to_owned(),
            n: decision.map_or(contrast.improvements.len(), |decision| decision.n),
            mean: decision.map(|decision| number(decision.mean)),
            low: bounds.map(|bounds| number(bounds.low)),
            high: bounds.map(|bounds| number(bounds.high)),
            level: decision.map_or(String::new(), |decision| level(decision.confidence)),
            margin: asked.margin,
            finding: finding_words(contrast.finding()),
            verdict: contrast.short_verdict_words(),
        }
    }
}

/// What the paragraph on methods says. Only methods that the experiment uses are named.
#[derive(Clone, Debug, Default, Serialize)]
struct Methods {
    conditions: String,
    arms: usize,
    seeds: usize,
    /// Nets of this program, whose arms share random numbers.
    nets: bool,
    /// Contrasts that are decided from one difference per seed.
    paired: bool,
    /// Contrasts whose seeds are independent.
    independent: bool,
    primary: usize,
    exploratory: usize,
    /// Level of the intervals of primary contrasts in percent.
    level: String,
    several_rates: bool,
    /// Predictions and margins were fixed before the first result.
    before: bool,
    after_trial: bool,
    looks: usize,
    most_seeds: usize,
    pocock: bool,
    folds: bool,
    test_images: bool,
    version: &'static str,
}

impl Methods {
    fn of(summary: &Summary) -> Self {
        let contrasts = &summary.contrasts;
        let primary: Vec<&ContrastSummary> = summary.primary().collect();
        let by = |method: NewDataMethod| {
            let new_data = contrasts.iter().filter_map(|c| c.new_data.as_ref());
            new_data
                .map(|new_data| new_data.method)
                .any(|m| m == method)
        };
        let decided = primary.iter().find_map(|c| c.decision.as_ref());
        let looks = summary.looks.as_ref();
        Self {
            conditions: summary.conditions.clone(),
            arms: summary.arms.len(),
            seeds: summary.seeds.len(),
            nets: summary.program_metrics.is_empty() && summary.scores_given.is_none(),
            paired: contrasts.iter().any(|contrast| contrast.paired),
            independent: contrasts.iter().any(|contrast| !contrast.paired),
            primary: primary.len(),
            exploratory: contrasts.len() - primary.len(),
            level: decided.map_or(String::new(), |decision| level(decision.confidence)),
            several_rates: summary.arms.iter().any(|arm| arm.grid.len() > 1),
            before: summary.designed == Some(Designed::Before),
            after_trial: summary.designed == Some(Designed::AfterTrial),
            looks: looks.map_or(0, |looks| looks.looks.len()),
            most_seeds: looks.map_or(0, |looks| looks.most),
            pocock: looks.is_some_and(|looks| looks.spending == Spending::Pocock),
            folds: by(NewDataMethod::Folds),
            test_images: by(NewDataMethod::TestImages),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The methods of both.
    fn add(&mut self, other: &Self) {
        self.paired |= other.paired;
        self.independent |= other.independent;
        self.primary = self.primary.max(other.primary);
        self.looks = self.looks.max(other.looks);
        self.folds |= other.folds;
        self.version = other.version;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::summary;
    use super::*;
    use crate::analysis::{fixture, summarize};
    use crate::stats::{Look, Looks};

    /// Braces and environments of a LaTeX text are balanced, and nothing of a template is left.
    fn assert_latex(text: &str) {
        let mut depth = 0i32;
        let mut before = ' ';
        for c in text.chars() {
            match c {
                '{' if before != '\\' => depth += 1,
                '}' if before != '\\' => depth -= 1,
                _ => {}
            }
            assert!(depth >= 0, "{text}");
            before = c;
        }
        assert_eq!(depth, 0, "{text}");
        assert_eq!(
            text.matches("\\begin{").count(),
            text.matches("\\end{").count()
        );
        for mark in ["{%", "{#", "%}"] {
            assert!(!text.contains(mark), "{text}");
        }
    }

    #[test]
    fn table_has_a_row_per_contrast_with_its_numbers() {
        let summary = summary();
        let table = contrasts_table(&summary).unwrap();
        assert_latex(&table);
        let contrast = &summary.contrasts[0];
        let decision = contrast.decision.as_ref().unwrap();
        let digits = contrast.decimals();
        assert!(
            table.contains(&format!("{:+.digits$}", decision.mean)),
            "{table}"
        );
        let mean = format!("{:+.digits$}", decision.mean);
        let whole = mean.split('.').next().unwrap().len() - 1;
        let format = format!("S[table-format=+{whole}.{digits}]");
        assert!(table.contains(&format), "{format}: {table}");
        let rows = table.lines().filter(|line| line.contains("b-vs-a"));
        assert_eq!(rows.count(), 1, "{table}");
        assert!(
            table.contains("\\toprule") && table.contains("S["),
            "{table}"
        );
    }

    #[test]
    fn special_characters_are_escaped() {
        let mut summary = summary();
        summary.contrasts[0].contrast.name = "a_b & 50 %".to_owned();
        let table = contrasts_table(&summary).unwrap();
        assert!(table.contains("a\\_b \\& 50 \\%"), "{table}");
    }

    #[test]
    fn paragraph_and_sources_name_the_methods_in_use_and_no_others() {
        let mut summary = summary();
        let text = methods_paragraph(&summary).unwrap();
        assert_latex(&text);
        assert!(text.contains("with 4 seeds"), "{text}");
        assert!(text.contains("chosen on validation data"), "{text}");
        let cited = |text: &str| -> Vec<String> {
            let keys = text.split("\\cite{").skip(1);
            let keys = keys.flat_map(|rest| rest.split('}').next().unwrap().split(','));
            keys.map(|key| key.trim().to_owned()).collect()
        };
        let entries = bibliography([&summary]).unwrap();
        for key in cited(&text) {
            assert!(entries.contains(&format!("{{{key},")), "{key}: {entries}");
        }
        assert!(!text.contains("lan1983") && !entries.contains("lan1983"));
        assert!(!text.contains("welch1947") && !entries.contains("welch1947"));

        summary.looks = Some(Looks {
            spending: Spending::Pocock,
            most: 40,
            looks: vec![
                Look {
                    seeds: 4,
                    level: 0.01
                };
                2
            ],
        });
        summary.contrasts[0].paired = false;
        let text = methods_paragraph(&summary).unwrap();
        let entries = bibliography([&summary]).unwrap();
        for key in ["lan1983", "welch1947"] {
            assert!(cited(&text).iter().any(|cited| cited == key), "{text}");
            assert!(entries.contains(&format!("{{{key},")), "{entries}");
        }
        assert!(text.contains("at most 40"), "{text}");
    }

    #[test]
    fn sources_of_several_experiments_are_listed_once() {
        let one = summary();
        let other = summarize(
            &fixture::spec(3, 4, 1),
            &fixture::records(&fixture::spec(3, 4, 1)),
        );
        let entries = bibliography([&one, &other.unwrap()]).unwrap();
        assert_eq!(entries.matches("student1908").count(), 1, "{entries}");
        assert_eq!(entries.matches("dunn1961").count(), 1, "{entries}");
    }
}
