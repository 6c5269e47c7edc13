//! `ablate data`.

use super::arguments::{Format, FormatArg};
use super::console::Console;
use super::data_sheet;
use super::exit::{Code, Failure};
use super::fetch;
use super::table::plain;
use crate::data::{self, CatalogEntry, CheckedData, DataError, DataStatus, Dataset, Kind};
use crate::recipe::{DataConfig, DataName};
use crate::text::wrap::paragraph;
use clap::Subcommand;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List the data sets, their content and folders
    List {
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show the classes of a data set and how many images each has
    Show {
        /// Name of the data set
        name: String,
        /// Write the first images of every class to this PNG file, one class per row
        #[arg(long, value_name = "FILE")]
        sheet: Option<PathBuf>,
        #[command(flatten)]
        table: TableArgs,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Download a data set that has a public home
    Fetch(fetch::Args),
    /// Read data sets and compare them with their published facts
    Check {
        /// Name of a data set [default: all available ones]
        name: Option<String>,
        #[command(flatten)]
        table: TableArgs,
        #[command(flatten)]
        format: FormatArg,
    },
}

/// How a table is read.
#[derive(Clone, Debug, clap::Args)]
struct TableArgs {
    /// Column with the classes of a table [default: label]
    #[arg(long, value_name = "COLUMN", requires = "name")]
    label: Option<String>,
    /// Height, width and channels of the images in a table
    #[arg(long, value_name = "HxWxC", requires = "name", value_parser = shape)]
    shape: Option<[usize; 3]>,
}

impl TableArgs {
    fn config(&self, name: DataName) -> DataConfig {
        DataConfig {
            label: self.label.clone(),
            shape: self.shape,
            ..DataConfig::whole(name)
        }
    }
}

/// Reads a shape such as `28x28x1`.
fn shape(text: &str) -> Result<[usize; 3], String> {
    let sizes: Option<Vec<usize>> = text.split('x').map(|size| size.parse().ok()).collect();
    match sizes.as_deref() {
        Some(&[height, width, channels]) => Ok([height, width, channels]),
        _ => Err("expected height, width and channels, such as 28x28x1".to_owned()),
    }
}

pub(super) fn data(args: &Args, console: &Console) -> Result<Code, Failure> {
    match &args.verb {
        Verb::List { format } => list(format.format, console),
        Verb::Show {
            name,
            sheet,
            table,
            format,
        } => {
            let config = table.config(named(name)?);
            show(&config, sheet.as_deref(), format.format, console)
        }
        Verb::Fetch(args) => fetch::fetch(args, named(args.name())?, console),
        Verb::Check {
            name,
            table,
            format,
        } => {
            let name = name.as_deref().map(named).transpose()?;
            check(name.map(|name| table.config(name)), format.format, console)
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    title: &'static str,
    source: &'static str,
    /// `embedded`, `registered`, `images`, `table`, `found`, `other content`, `missing` or `damaged`.
    state: &'static str,
    /// Content hash of the files.
    content: Option<String>,
    /// Published content hash, if it is known.
    published_content: Option<String>,
    folder: Option<String>,
    train: Option<usize>,
    test: Option<usize>,
    /// The error, with advice.
    error: Option<String>,
}

fn list(format: Format, console: &Console) -> Result<Code, Failure> {
    let rows: Vec<Row> = data::all()
        .into_iter()
        .map(|name| match data::kind_of(name) {
            Kind::Images => found_row(name, "folder of images", "images"),
            Kind::Table => found_row(name, "table", "table"),
            Kind::Program => row(data::status(name)),
        })
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
            let content = row.content.as_deref().map_or("", short).to_owned();
            let cells = [row.name, row.title, row.state].map(str::to_owned);
            cells.into_iter().chain([size, content, folder]).collect()
        })
        .collect();
    let mut text = plain(&lines, &[]);
    for row in rows.iter().filter(|row| row.state == OTHER_CONTENT) {
        let advice = format!(
            "{0}: the files are not those that were published; `ablate data check {0}` says how they \
             differ",
            row.name
        );
        text.push('\n');
        text.push_str(&paragraph(0, &advice));
    }
    for row in &rows {
        if let Some(error) = &row.error {
            text.push('\n');
            text.push_str(&paragraph(0, &format!("{}: {error}", row.name)));
        }
    }
    console.print(&text)?;
    Ok(Code::Done)
}

/// State of a data set whose content is not the published one.
const OTHER_CONTENT: &str = "other content";

/// The first digits of a content hash.
fn short(hash: &str) -> &str {
    &hash[..12]
}

/// A folder of images or a table, which is not read: there may be many.
fn found_row(name: DataName, title: &'static str, state: &'static str) -> Row {
    Row {
        name: name.key(),
        title,
        source: data::place_of(name),
        state,
        content: None,
        published_content: None,
        folder: Some(data::place_of(name).to_owned()),
        train: None,
        test: None,
        error: None,
    }
}

fn row(status: DataStatus) -> Row {
    let DataStatus { entry, found } = status;
    let published = entry.hashes().map(|hashes| hashes.content());
    let read = found.and_then(|found| {
        Ok((
            found,
            data::hashes(&DataConfig::whole(entry.name))?.content(),
        ))
    });
    let (state, read, error) = match read {
        Ok(read) if matches!(entry.name, DataName::Registered(_)) => {
            ("registered", Some(read), None)
        }
        Ok(read) if read.0.folder.is_none() => ("embedded", Some(read), None),
        Ok(read) if published.as_ref().is_some_and(|hash| *hash != read.1) => {
            (OTHER_CONTENT, Some(read), None)
        }
        Ok(read) => ("found", Some(read), None),
        Err(error @ (DataError::Missing { .. } | DataError::Registered { .. })) => {
            ("missing", None, Some(message(error)))
        }
        Err(error) => ("damaged", None, Some(message(error))),
    };
    let (found, content) = read.unzip();
    Row {
        name: entry.key(),
        title: entry.title,
        source: entry.source,
        state,
        content,
        published_content: published,
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
struct Class {
    label: usize,
    name: String,
    train: usize,
    test: Option<usize>,
}

fn show(
    config: &DataConfig,
    sheet: Option<&Path>,
    format: Format,
    console: &Console,
) -> Result<Code, Failure> {
    let dataset = data::load(config)?;
    // The published numbers are those of a data set that was just loaded.
    let entry = data::entry_of(config);
    let name = |label: usize| match entry.class_names {
        Some(names) => names[label].to_owned(),
        None => label.to_string(),
    };
    let classes: Vec<Class> = (0..entry.classes())
        .map(|label| Class {
            label,
            name: name(label),
            train: entry.train[label],
            test: entry.test.map(|test| test[label]),
        })
        .collect();
    match format {
        Format::Json => console.print_json(&classes)?,
        Format::Text => console.print(&classes_text(entry, &dataset, &classes))?,
    }
    if let Some(path) = sheet {
        data_sheet::write(&dataset, path)?;
        console.info(&format!("wrote `{}`", path.display()));
    }
    Ok(Code::Done)
}

fn classes_text(entry: &CatalogEntry, dataset: &Dataset, classes: &[Class]) -> String {
    let [height, width, channels] = entry.image_shape();
    let colours = match channels {
        1 => "grey".to_owned(),
        3 => "colour".to_owned(),
        n => format!("{n}-channel"),
    };
    let mut lines = vec![
        ["class", "name", "train", "test"]
            .map(str::to_owned)
            .to_vec(),
    ];
    lines.extend(classes.iter().map(|class| {
        let test = class.test.map_or(String::new(), |n| n.to_string());
        let numbers = [class.train.to_string(), test];
        [class.label.to_string(), class.name.clone()]
            .into_iter()
            .chain(numbers)
            .collect()
    }));
    let what = match dataset.train.pixels() {
        Some(_) => format!("{colours} images of {width}x{height} pixels"),
        None => format!("rows of {} numbers", dataset.features()),
    };
    format!("{}: {what}\n{}", entry.title, plain(&lines, &[2, 3]))
}

#[derive(Debug, Serialize)]
struct CheckedFact {
    what: String,
    published: String,
    found: String,
    holds: bool,
}

#[derive(Debug, Serialize)]
struct Checked {
    name: &'static str,
    facts: Vec<CheckedFact>,
    /// Content hash of the files.
    content: String,
}

fn check(config: Option<DataConfig>, format: Format, console: &Console) -> Result<Code, Failure> {
    let checked = match config {
        Some(config) => vec![check_one(&config)?],
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

fn named(name: &str) -> Result<DataName, Failure> {
    let all = data::all();
    let named = all.iter().find(|known| known.key() == name);
    named.copied().ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|name| format!("`{}`", name.key())).collect();
        Failure::usage(format!(
            "unknown data set `{name}`; choose one of {}",
            names.join(", ")
        ))
    })
}

/// Checks every available data set.
fn check_all(console: &Console) -> Result<Vec<Checked>, Failure> {
    let mut checked = Vec::new();
    for name in data::all() {
        let (config, key) = (DataConfig::whole(name), name.key());
        match data::status(name).found {
            Err(DataError::Missing { .. }) => {
                console.info(&format!(
                    "skipping `{key}`: its files are missing; see `ablate data list`"
                ));
            }
            _ if data::kind_of(name) == Kind::Table => match check_one(&config) {
                Ok(table) => checked.push(table),
                // Not every CSV file beside data is one.
                Err(failure) => console.info(&format!(
                    "skipping `{key}`: {}",
                    failure.into_messages().join("; ")
                )),
            },
            _ => checked.push(check_one(&config)?),
        }
    }
    Ok(checked)
}

fn check_one(config: &DataConfig) -> Result<Checked, Failure> {
    let CheckedData { facts, content } = data::check(config)?;
    let facts = facts.into_iter().map(|fact| CheckedFact {
        holds: fact.holds(),
        what: fact.what,
        published: fact.published,
        found: fact.found,
    });
    Ok(Checked {
        name: config.name.key(),
        facts: facts.collect(),
        content,
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
                fact.what.clone(),
                fact.found.clone(),
                verdict,
            ]);
        }
        let content = [data.name, "content", &data.content, ""];
        lines.push(content.map(str::to_owned).to_vec());
    }
    plain(&lines, &[])
}
