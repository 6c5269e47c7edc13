//! `ablate data`.

use super::arguments::{Format, FormatArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::table::plain;
use crate::data::{self, ALL, CatalogEntry, DataError, DataStatus};
use crate::text::wrap::paragraph;
use clap::Subcommand;
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List the data sets, their folders, and missing files
    List {
        #[command(flatten)]
        format: FormatArg,
    },
    /// Read data sets and compare them with their published facts
    Check {
        /// Name of a data set [default: all available ones]
        name: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
}

pub(super) fn data(args: &Args, console: &Console) -> Result<Code, Failure> {
    match &args.verb {
        Verb::List { format } => list(format.format, console),
        Verb::Check { name, format } => check(name.as_deref(), format.format, console),
    }
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    title: &'static str,
    source: &'static str,
    /// `embedded`, `found`, `missing` or `damaged`.
    state: &'static str,
    folder: Option<String>,
    train: Option<usize>,
    test: Option<usize>,
    /// The error, with advice.
    error: Option<String>,
}

fn list(format: Format, console: &Console) -> Result<Code, Failure> {
    let rows: Vec<Row> = ALL
        .into_iter()
        .map(|name| row(data::status(name)))
        .collect();
    if format == Format::Json {
        console.print_json(&rows)?;
        return Ok(Code::Done);
    }
    let lines: Vec<Vec<String>> = (rows.iter())
        .map(|row| {
            let size = match (row.train, row.test) {
                (Some(train), Some(test)) => format!("{train} + {test} images"),
                (Some(train), None) => format!("{train} images"),
                (None, _) => String::new(),
            };
            let folder = row.folder.clone().unwrap_or_default();
            let cells = [row.name, row.title, row.state].map(str::to_owned);
            cells.into_iter().chain([size, folder]).collect()
        })
        .collect();
    let mut text = plain(&lines, &[]);
    for row in &rows {
        if let Some(error) = &row.error {
            text.push('\n');
            text.push_str(&paragraph(0, &format!("{}: {error}", row.name)));
        }
    }
    console.print(&text)?;
    Ok(Code::Done)
}

fn row(status: DataStatus) -> Row {
    let DataStatus { entry, found } = status;
    let (state, found, error) = match found {
        Ok(found) if found.folder.is_none() => ("embedded", Some(found), None),
        Ok(found) => ("found", Some(found), None),
        Err(error @ DataError::Missing { .. }) => ("missing", None, Some(message(error))),
        Err(error) => ("damaged", None, Some(message(error))),
    };
    Row {
        name: entry.key,
        title: entry.title,
        source: entry.source,
        state,
        train: found.as_ref().map(|found| found.train),
        test: found.as_ref().and_then(|found| found.test),
        folder: found.and_then(|found| Some(found.folder?.display().to_string())),
        error,
    }
}

fn message(error: DataError) -> String {
    Failure::from(error).into_messages().join("; ")
}

#[derive(Debug, Serialize)]
struct CheckedFact {
    what: &'static str,
    published: String,
    found: String,
    holds: bool,
}

#[derive(Debug, Serialize)]
struct Checked {
    name: &'static str,
    facts: Vec<CheckedFact>,
}

fn check(name: Option<&str>, format: Format, console: &Console) -> Result<Code, Failure> {
    let checked = match name {
        Some(name) => vec![check_one(entry(name)?)?],
        None => check_all(console)?,
    };
    let holds = checked.iter().flat_map(|c| &c.facts).all(|fact| fact.holds);
    match format {
        Format::Json => console.print_json(&checked)?,
        Format::Text => console.print(&text(&checked))?,
    }
    match holds {
        true => Ok(Code::Done),
        false => Err(Failure::new(
            Code::Differs,
            "the data differ from the published data set; see the lines marked `differs`",
        )),
    }
}

fn entry(name: &str) -> Result<&'static CatalogEntry, Failure> {
    let mut entries = ALL.into_iter().map(data::entry);
    entries.find(|entry| entry.key == name).ok_or_else(|| {
        let names = ALL.map(|name| format!("`{}`", data::entry(name).key));
        Failure::usage(format!(
            "unknown data set `{name}`; choose one of {}",
            names.join(", ")
        ))
    })
}

/// Checks every available data set.
fn check_all(console: &Console) -> Result<Vec<Checked>, Failure> {
    let mut checked = Vec::new();
    for entry in ALL.map(data::entry) {
        match data::status(entry.name).found {
            Err(DataError::Missing { .. }) => {
                console.info(&format!(
                    "skipping `{}`: its files are missing; see `ablate data list`",
                    entry.key
                ));
            }
            _ => checked.push(check_one(entry)?),
        }
    }
    Ok(checked)
}

fn check_one(entry: &'static CatalogEntry) -> Result<Checked, Failure> {
    let facts = data::check(entry.name)?
        .into_iter()
        .map(|fact| CheckedFact {
            holds: fact.holds(),
            what: fact.what,
            published: fact.published,
            found: fact.found,
        });
    Ok(Checked {
        name: entry.key,
        facts: facts.collect(),
    })
}

fn text(checked: &[Checked]) -> String {
    let mut lines = Vec::new();
    for data in checked {
        for fact in &data.facts {
            let verdict = match fact.holds {
                true => "ok".to_owned(),
                false => format!("differs: published {}", fact.published),
            };
            lines.push(vec![
                data.name.to_owned(),
                fact.what.to_owned(),
                fact.found.clone(),
                verdict,
            ]);
        }
    }
    plain(&lines, &[])
}
