//! `report.md`: one experiment, for a reader who has only this page.

use super::finding::{disagreements, fragile, mixed, power, practice, sentence};
use super::{changes, design, factors, identities, looks, probes, settling, shared_rates, tables};
use crate::analysis::{ContrastSummary, NewDataMethod, Summary, verdict_word};
use crate::plot::{FigureKind, Section};
use crate::stats::{Rule, Verdict};
use crate::text::capitalized;
use crate::text::markdown::{list, one_line};

/// Formats the report of `summary`, with links to `figures` beside it: question, answer, meaning in
/// practice, figures, tables.
pub fn report(summary: &Summary, figures: &[FigureKind]) -> String {
    let mut parts = vec![format!("# {}", one_line(&summary.title))];
    parts.extend(changes::opening(summary));
    parts.push(format!("**Question.** {}", summary.question.trim()));
    parts.extend(claim(summary));
    parts.push(answer(summary));
    parts.extend(in_practice(summary));
    parts.push(design::reading(summary));
    parts.extend(design::after_trial(summary));
    parts.extend(links(figures, Section::Results));
    parts.push("## Arms".to_owned());
    parts.extend(arms(summary));
    parts.extend(factors::section(summary));
    if !summary.contrasts.is_empty() {
        parts.push("## Contrasts".to_owned());
        parts.extend(explained_contrasts(summary));
        parts.extend(looks::section(summary));
        parts.push(tables::contrasts(summary));
        parts.push(contrast_notes(summary));
        parts.extend(settled(summary));
        parts.extend(shared_rates::section(summary));
        parts.extend(checks(summary));
    }
    parts.extend(grid(summary));
    parts.extend(identities::section(summary));
    parts.extend(links(figures, Section::Identities));
    parts.extend(probe_section(summary, figures));
    if let Some(table) = tables::published(summary) {
        parts.push("## Published results beside ours".to_owned());
        parts.push("Shown for orientation; no choice or verdict uses them.".to_owned());
        parts.push(table);
    }
    if !summary.warnings.is_empty() {
        parts.push("## Read with care".to_owned());
        parts.push(list(summary.warnings.iter().map(|w| one_line(w))));
    }
    parts.push("## How this was made".to_owned());
    parts.push(made(summary));
    parts.extend(design::shared(summary));
    if let Some(cite) = cite(summary) {
        parts.push("## Cite this result".to_owned());
        parts.push(cite);
    }
    let parts: Vec<&str> = parts
        .iter()
        .map(|p| p.trim_end())
        .filter(|p| !p.is_empty())
        .collect();
    parts.join("\n\n") + "\n"
}

/// The scores of every arm.
pub(super) fn arms(summary: &Summary) -> Vec<String> {
    let scores = match summary.program_metrics.is_empty() {
        true => "Test scores after the last epoch",
        false => "Last reported values",
    };
    let conditions = capitalized(&summary.conditions);
    let mut parts = vec![
        format!("{scores}, mean ± SD over seeds. {conditions}."),
        tables::arms(summary),
    ];
    if let Some(table) = tables::moments(summary) {
        parts.extend([MOMENTS.to_owned(), table]);
    }
    parts
}

const CITE: &str = include_str!("templates/cite.md").trim_ascii_end();

const MOMENTS: &str = include_str!("templates/moments.md").trim_ascii_end();

const IMPROVEMENT: &str = include_str!("templates/improvement.md").trim_ascii_end();

const AGAIN: &str = include_str!("templates/again.md").trim_ascii_end();

const FROM_FOLDS: &str = include_str!("templates/from_folds.md").trim_ascii_end();

const FROM_IMAGES: &str = include_str!("templates/from_images.md").trim_ascii_end();

const NOT_KNOWN: &str = include_str!("templates/not_known.md").trim_ascii_end();

const SIGNS_OF_SCORES: &str =
    "treatment minus control for accuracy, control minus treatment for NLL and ECE";

const SIGNS_OF_METRICS: &str = "treatment minus control for metrics where higher is better, control minus \
treatment for others";

const FACTORIAL: &str = include_str!("templates/factorial.md").trim_ascii_end();

const CHECKS: &str = include_str!("templates/checks.md").trim_ascii_end();

/// A collapsed table of the changes at the end of training; `None` if no contrast is read there.
pub(super) fn settled(summary: &Summary) -> Option<String> {
    let (text, table) = (settling::SETTLING, settling::table(summary)?);
    Some(format!(
        "<details>\n<summary>Have the differences settled?</summary>\n\n{text}\n\n{table}\n</details>"
    ))
}

/// The methods that disagree with the intervals, and a collapsed table of all of them.
pub(super) fn checks(summary: &Summary) -> [String; 2] {
    let found: Vec<String> = summary.contrasts.iter().filter_map(disagreements).collect();
    let alpha = format!("{:.0} %", 100.0 * Rule::default().alpha);
    let text = match found.is_empty() {
        true => format!("Four other methods at {alpha} agree with every interval."),
        false => format!(
            "Other methods at {alpha} that disagree with the interval, which decides:\n\n{}",
            list(found.into_iter())
        ),
    };
    let table = tables::checks(summary);
    [
        text.trim_end().to_owned(),
        format!(
            "<details>\n<summary>Checks by other methods, and detectable sizes</summary>\n\n{CHECKS}\n\n\
             {table}\n</details>"
        ),
    ]
}

/// What improvement, margin, finding and verdict mean in the table of contrasts.
pub(super) fn explained_contrasts(summary: &Summary) -> Vec<String> {
    let is_program = !summary.program_metrics.is_empty();
    let signs = if is_program {
        SIGNS_OF_METRICS
    } else {
        SIGNS_OF_SCORES
    };
    let mut parts = vec![IMPROVEMENT.replace("{signs}", signs)];
    parts.extend((!is_program).then(|| populations(summary)));
    parts.extend((!summary.factors.is_empty()).then(|| FACTORIAL.to_owned()));
    parts
}

/// What the two intervals of each contrast are about, and where the second one comes from.
fn populations(summary: &Summary) -> String {
    let methods = || {
        let new = summary.contrasts.iter().map(|c| c.new_data.as_ref());
        new.map(|new| new.map(|new| new.method))
    };
    let sources = [
        (Some(NewDataMethod::Folds), FROM_FOLDS),
        (Some(NewDataMethod::TestImages), FROM_IMAGES),
        (None, NOT_KNOWN),
    ];
    let used = sources
        .into_iter()
        .filter(|(method, _)| methods().any(|m| m == *method));
    let texts: Vec<&str> = [AGAIN]
        .into_iter()
        .chain(used.map(|(_, text)| text))
        .collect();
    texts.join(" ")
}

fn claim(summary: &Summary) -> Option<String> {
    let sentence = one_line(summary.sentence.as_ref()?);
    Some(match &summary.claim {
        Some(claim) => format!("> **{claim}.** {sentence}"),
        None => format!("> {sentence}"),
    })
}

fn primary(summary: &Summary) -> Vec<&ContrastSummary> {
    summary.primary().collect()
}

/// The verdict, and a sentence per primary contrast.
pub(super) fn answer(summary: &Summary) -> String {
    let tell = |contrast: &ContrastSummary| {
        let more = [
            Some(sentence(summary, contrast)),
            remarks(summary, contrast),
        ];
        more.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    match primary(summary).as_slice() {
        [] if !summary.identities.is_empty() => identities::answer(&summary.identities),
        [] => "**Answer: no verdict.** The experiment has no primary contrast.".to_owned(),
        [one] => format!(
            "**Answer: {}.** {}",
            one.verdict_words(),
            capitalized(&tell(one))
        ),
        several => {
            let items = several.iter().map(|c| {
                let verdict = c.verdict_words();
                let part = part(summary, c);
                format!("**{verdict}** (`{}`{part}): {}", c.contrast.name, tell(c))
            });
            let count = several.len();
            let strata =
                strata_text(summary).map_or(String::new(), |strata| format!(" ({strata})"));
            format!(
                "**Answer: {}**{strata}, from {count} primary contrasts together:\n\n{}",
                verdicts_text(summary),
                list(items)
            )
        }
    }
}

/// Whether the difference has settled, what the seeds can show, and why to read the contrast with care.
pub(super) fn remarks(summary: &Summary, contrast: &ContrastSummary) -> Option<String> {
    let found = [
        settling::sentence(summary, contrast),
        power(contrast),
        fragile(contrast).map(|f| format!("Fragile: {f}.")),
        mixed(summary, &contrast.mixed_over).map(|m| format!("But {m}.")),
    ];
    let found: Vec<String> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(" "))
}

/// The verdict on each claim that the experiment tests: `supported`, or `C7a supported, C7b undecided`;
/// or why they are withheld.
pub(super) fn verdicts_text(summary: &Summary) -> String {
    let verdicts = summary.verdicts();
    if summary.withheld.is_some() || verdicts.len() < 2 {
        return summary.verdict_words();
    }
    let parts: Vec<String> = (verdicts.iter())
        .map(|(claim, verdict)| {
            let claim = claim.unwrap_or("the question beside the claims");
            format!("{claim} {}", verdict_word(*verdict))
        })
        .collect();
    parts.join(", ")
}

/// `supported with SGD, contradicted with Adam`: the verdicts on the strata of the claim, where they differ.
pub(super) fn strata_text(summary: &Summary) -> Option<String> {
    let claim = summary
        .claim
        .as_deref()
        .filter(|_| summary.withheld.is_none())?;
    let mut strata: Vec<&str> = Vec::new();
    for stratum in summary.strata_of(claim) {
        strata.extend(stratum.filter(|stratum| !strata.contains(stratum)));
    }
    let verdict = |stratum: &&str| summary.verdict_on(claim, Some(stratum));
    let verdicts: Vec<Verdict> = strata.iter().filter_map(verdict).collect();
    let differ = verdicts
        .iter()
        .any(|verdict| Some(verdict) != verdicts.first());
    let parts = strata.iter().filter_map(|stratum| {
        let word = verdict_word(verdict(stratum)?);
        Some(format!("{word} with {stratum}"))
    });
    differ.then(|| parts.collect::<Vec<_>>().join(", "))
}

/// The claim and stratum of a primary contrast, where the file has several: `, C7b with sigmoid`.
pub(super) fn part(summary: &Summary, contrast: &ContrastSummary) -> String {
    let asked = &contrast.contrast;
    let claim = asked
        .claim
        .as_ref()
        .filter(|_| summary.verdicts().len() > 1);
    let claim = claim.map_or(String::new(), |claim| format!(", {claim}"));
    let stratum = asked.stratum.as_ref();
    let stratum = stratum.map_or(String::new(), |stratum| format!(", with {stratum}"));
    format!("{claim}{stratum}")
}

/// The meaning of every primary contrast for a user; `None` if no contrast has one.
fn in_practice(summary: &Summary) -> Option<String> {
    let meanings = primary(summary)
        .into_iter()
        .filter_map(|contrast| Some((contrast, practice(summary, contrast)?)));
    let meanings: Vec<(&ContrastSummary, String)> = meanings.collect();
    match meanings.as_slice() {
        [] => None,
        [(_, one)] => Some(format!("**In practice:** {one}")),
        several => {
            let items = several.iter();
            let items = items.map(|(c, meaning)| format!("`{}`: {meaning}", c.contrast.name));
            Some(format!("**In practice:**\n\n{}", list(items)))
        }
    }
}

/// Links to the figures of one section.
fn links(figures: &[FigureKind], section: Section) -> impl Iterator<Item = String> {
    let shown = figures.iter().filter(move |kind| kind.section == section);
    shown.map(|kind| format!("![{}]({})", kind.alt, kind.file))
}

pub(super) fn contrast_notes(summary: &Summary) -> String {
    list(summary.contrasts.iter().map(|contrast| {
        let asked = &contrast.contrast;
        // The answer has that of primary contrasts.
        let power = power(contrast).filter(|_| !asked.primary);
        let power = power.map_or(String::new(), |p| format!(" {p}"));
        let mixed = mixed(summary, &contrast.mixed_over);
        let mixed = mixed.map_or(String::new(), |m| format!(" {}.", capitalized(&m)));
        match asked.note.is_empty() {
            true => format!("`{}`:{power}{mixed}", asked.name),
            false => format!("`{}`: {}{power}{mixed}", asked.name, one_line(&asked.note)),
        }
    }))
}

pub(super) fn grid(summary: &Summary) -> Vec<String> {
    let Some(table) = tables::grid(summary) else {
        return Vec::new();
    };
    let text = "Validation accuracy (%) after the last epoch, mean ± SD over seeds. **Bold** is the \
                rate that the arm uses. *Italic* rates are tied with the best: their mean is within one \
                standard error of it, paired over seeds. Of its tied rates an arm uses the one that is tied \
                in most arms of the primary contrasts, so that arms are compared at one rate where that \
                costs nothing. A rate at which a cell failed or is missing is used only if there is no other. The \
                choice does not use test scores.";
    let chosen =
        (summary.arms.iter()).any(|arm| arm.grid.iter().any(|r| r.validation_metric.is_some()));
    let text = match chosen {
        true => {
            "The metric that chooses, last reported value, mean ± SD over seeds. **Bold** is the rate that \
             the arm uses: the one at which most seeds finished, then the one with the best mean. *Italic* rates are tied \
             with it; of its tied rates an arm uses the one that is tied in most arms."
        }
        false => text,
    };
    vec!["## Learning rates".to_owned(), text.to_owned(), table]
}

fn probe_section(summary: &Summary, figures: &[FigureKind]) -> Vec<String> {
    let tables = probes::tables(summary);
    if tables.is_empty() {
        return Vec::new();
    }
    let mut out = vec!["## Probes".to_owned()];
    out.extend(links(figures, Section::Probes));
    out.push(probe_text(summary));
    out.extend(tables);
    out
}

/// What the tables of probes show.
pub(super) fn probe_text(summary: &Summary) -> String {
    let decides = match summary.identities.is_empty() {
        true => "",
        false => "; it decides whether an identity holds",
    };
    format!(
        "Mean ± SD over seeds at the chosen learning rate. *Largest* is the largest value of any seed{decides}."
    )
}

/// How to name this result, and how to check that the records are those; `None` if there is no file of records.
pub(super) fn cite(summary: &Summary) -> Option<String> {
    const DIGITS: usize = 12;
    let short = summary.records_sha256.as_ref()?.get(..DIGITS)?;
    let version = summary.version.as_ref();
    let program = version.map_or("ablate".to_owned(), |version| format!("ablate {version}"));
    let bibtex = (summary.changes).command_on_results("export bibtex", &summary.name);
    Some(
        CITE.replace("{program}", &program)
            .replace("{name}", &summary.name)
            .replace("{short}", short)
            .replace("{bibtex}", &bibtex),
    )
}

pub(super) fn made(summary: &Summary) -> String {
    if let Some(scores) = &summary.scores_given {
        return format!(
            "`ablate judge` read the scores from `{}`. {} [runs.jsonl](runs.jsonl) has the scores as records, \
             [summary.json](summary.json) the numbers above without rounding.",
            scores.file, scores.matching
        );
    }
    let device = &summary.device;
    let adapter = summary.adapter.as_ref();
    let adapter = adapter.map_or(String::new(), |adapter| {
        format!("The device `{device}` was {adapter}. ")
    });
    format!("{adapter}{}", changes::made(summary))
}
