//! `ablate data fetch`.

use super::console::Console;
use super::exit::{Code, Failure};
use crate::data::{self, locate::SearchPath};
use crate::fetch::{Fetch, RemoteFile, Source, Watcher};
use crate::recipe::{DataConfig, DataName};
use crate::text::counted;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the data set
    name: String,
    /// Folder for data sets [default: the first of those
    /// that are searched, `$ABLATE_DATA_DIR` if it is set]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    to: Option<PathBuf>,
    /// Address of a folder with copies of the files
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Seconds without a byte after which a download stops
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    stalled_after: u64,
}

impl Args {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

pub(super) fn fetch(args: &Args, name: DataName, console: &Console) -> Result<Code, Failure> {
    let key = name.key();
    let source = Source::of(name).ok_or_else(|| {
        Failure::usage(format!(
            "`{key}` cannot be downloaded: it is part of the program, or your own"
        ))
    })?;
    let config = DataConfig::whole(name);
    if args.to.is_none() && data::load(&config).is_ok() {
        console.info(&format!(
            "`{key}` is here already; `ablate data list` says where"
        ));
        return Ok(Code::Done);
    }
    let base = match &args.to {
        Some(folder) => folder.clone(),
        None => first_folder()?,
    };
    let folder = match source.folder {
        "" => base.clone(),
        below => base.join(below),
    };
    let address = match &args.mirror {
        Some(mirror) => format!("{}/", mirror.trim_end_matches('/')),
        None => source.address.to_owned(),
    };
    console.info(&format!(
        "downloading {} ({:.0} MB) from `{address}` into `{}`",
        counted(source.files.len(), "file"),
        source.bytes() as f64 / 1e6,
        folder.display()
    ));
    console.start_bar(source.bytes());
    let fetch = Fetch {
        address: &address,
        folder: &folder,
        stalled_after: args.stalled_after,
    };
    let new = fetch.all(source.files, &Bar { console, source })?;
    console.end_bar();
    console.info(&format!("downloaded {}", counted(new, "file")));
    after(&config, &base, args.to.is_some(), console)
}

fn first_folder() -> Result<PathBuf, Failure> {
    let search_path = SearchPath::from_env();
    search_path.first().map(Path::to_owned).ok_or_else(|| {
        Failure::unavailable(
            "there is no folder for data sets; set `ABLATE_DATA_DIR`, or name one with `--to DIR`",
        )
    })
}

/// Reads the new data set, unless it may be outside the folders that are searched.
fn after(
    config: &DataConfig,
    base: &Path,
    elsewhere: bool,
    console: &Console,
) -> Result<Code, Failure> {
    match data::load(config) {
        Err(_) if elsewhere => console.info(&format!(
            "set `ABLATE_DATA_DIR` to `{}` to use it",
            base.display()
        )),
        loaded => {
            let hashes = loaded?.hashes();
            let content = hashes.content();
            console.info(&format!(
                "`{}` is ready; its content is {content}",
                config.name.key()
            ));
        }
    }
    Ok(Code::Done)
}

/// Progress over all files.
struct Bar<'a> {
    console: &'a Console,
    source: &'static Source,
}

impl Watcher for Bar<'_> {
    fn waiting(&self) {
        let message = "another process downloads into this folder; waiting until it is done";
        self.console.info(message);
    }

    fn reached(&self, file: &RemoteFile, bytes: u64) {
        let before = self.source.files.iter().take_while(|other| *other != file);
        let before: u64 = before.map(|file| file.bytes).sum();
        self.console.bar().set_message(file.name);
        self.console.bar().set_position(before + bytes);
    }
}
