//! A report for the terminal: the verdict and the tables, without figures and definitions.

use super::table::one_line;
use super::{markdown, tables};
use crate::analysis::Summary;

/// Heading, verdict, arms, contrasts and what to be careful about, as Markdown.
pub fn brief(summary: &Summary) -> String {
    let mut parts = vec![
        format!("# {} ({})", one_line(&summary.title), summary.name),
        markdown::verdict(summary),
        tables::arms(summary).trim_end().to_owned(),
    ];
    if !summary.contrasts.is_empty() {
        parts.push(tables::contrasts(summary).trim_end().to_owned());
    }
    if !summary.warnings.is_empty() {
        let care = summary.warnings.iter().map(|w| one_line(w));
        parts.push(format!(
            "Read with care:\n\n{}",
            markdown::list(care).trim_end()
        ));
    }
    parts.join("\n\n") + "\n"
}
