//! `ablate export figures`.

use super::console::Console;
use super::exit::{Code, Failure};
use super::folder;
use super::found::{Found, Named, Places};
use super::variant;
use crate::analysis::Cells;
use crate::files::{FileError, write_atomic};
use crate::plot::{self, Drawing, Format, SEED_PAIRS, Theme};
use crate::report::{CLAIMS_FOLDER, claim_figure, claim_figure_file, unchanged};
use crate::spec::{Claim, RESOLVED_FILE, Spec};
use crate::text::counted;
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};

/// The options of figures.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Options {
    /// Format of `figures` [default: svg]
    #[arg(
        long,
        value_enum,
        value_name = "svg|png|pdf",
        hide_possible_values = true
    )]
    format: Option<FormatName>,
    /// Medium of `figures`: a report, half the width of a page
    /// (8.5 cm), or a slide [default: screen]
    #[arg(
        long,
        value_enum,
        value_name = "screen|paper|slide",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    theme: Option<ThemeName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Svg,
    Png,
    Pdf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ThemeName {
    Screen,
    Paper,
    Slide,
}

impl Options {
    /// # Errors
    /// If an option is given, though the form has no figures.
    pub(super) fn check_unused(&self) -> Result<(), Failure> {
        let given = [
            (self.format.is_some(), "format"),
            (self.theme.is_some(), "theme"),
        ];
        match given.into_iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(Failure::usage(format!(
                "`--{option}` is for figures: `ablate export figures NAME --{option} ...`"
            ))),
            None => Ok(()),
        }
    }

    fn format(&self) -> Format {
        match self.format {
            None | Some(FormatName::Svg) => Format::Svg,
            Some(FormatName::Png) => Format::Png,
            Some(FormatName::Pdf) => Format::Pdf,
        }
    }

    fn theme(&self) -> Theme {
        match self.theme {
            None | Some(ThemeName::Screen) => Theme::Screen,
            Some(ThemeName::Paper) => Theme::Paper,
            Some(ThemeName::Slide) => Theme::Slide,
        }
    }
}

/// Writes the figures of `names` and their data into `out`.
pub(super) fn export(
    names: &[String],
    options: &Options,
    places: &Places,
    out: &Path,
    console: &Console,
) -> Result<Code, Failure> {
    let (format, theme) = (options.format(), options.theme());
    if !format.is_available() {
        let (names, format) = (names.join(" "), format.extension());
        return Err(Failure::unavailable(format!(
            "this program was built without PNG and PDF; run `cargo run --features figures --bin ablate -- \
             export figures {names} --format {format}`, or leave `--format` out for SVG"
        )));
    }
    let mut written = 0;
    for name in names {
        let figures = match places.find(name)? {
            Named::Results(found) => of_results(&found, theme, console)?,
            Named::Claim(claim) => of_claim(&claim, places.first(), theme, console)?,
        };
        if figures.is_empty() {
            console.warn(&format!("`{name}` has no figure"));
        }
        for (path, drawing) in &figures {
            let picture = format.encode(&drawing.svg, theme);
            let picture = picture.map_err(|error| Failure::internal(error.to_string()))?;
            let path = out.join(path);
            write(&path.with_extension(format.extension()), &picture)?;
            write(&path.with_extension("csv"), drawing.data.csv().as_bytes())?;
            written += 1;
        }
    }
    console.info(&format!(
        "wrote {} as {} and CSV to `{}`",
        counted(written, "figure"),
        format.extension().to_uppercase(),
        out.display()
    ));
    Ok(Code::Done)
}

/// The figures of an experiment's report, each with its path below the folder of all.
fn of_results(
    found: &Found,
    theme: Theme,
    console: &Console,
) -> Result<Vec<(PathBuf, Drawing)>, Failure> {
    let spec = Spec::load(&found.folder.join(RESOLVED_FILE), &[])?;
    let spec = variant::named(spec, None);
    let records = found.records(console)?;
    let summary = &found.summary;
    let cells = Cells::new(&spec, &records).map_err(|error| {
        Failure::unavailable(format!(
            "{error}; bring `{}` up to date with `ablate report`",
            found.folder.display()
        ))
    })?;
    let mut figures = plot::figures(&spec, &cells, summary, theme)?;
    let pairs = plot::seed_pairs(&spec, &cells, summary, theme)?;
    figures.extend(pairs.map(|drawing| (SEED_PAIRS, drawing)));
    let folder = Path::new(&summary.name);
    let path = |(kind, drawing): (plot::FigureKind, Drawing)| (folder.join(kind.file), drawing);
    Ok(figures.into_iter().map(path).collect())
}

/// The forest plot of a claim.
fn of_claim(
    claim: &Claim,
    results: &Path,
    theme: Theme,
    console: &Console,
) -> Result<Vec<(PathBuf, Drawing)>, Failure> {
    let summaries = folder::summaries(results, &[], console);
    let drawing = claim_figure(claim, &unchanged(&summaries), theme)?;
    let path = Path::new(CLAIMS_FOLDER).join(claim_figure_file(&claim.name));
    Ok(drawing.map(|drawing| (path, drawing)).into_iter().collect())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(FileError::of("create", parent))?;
    }
    write_atomic(path, content)?;
    Ok(())
}
