//! `ablate man`.

use super::console::Console;
use super::exit::{Code, Failure};
use crate::files::{check_writable, write_atomic};
use clap::Command;
use clap_mangen::Man;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for one page per verb [default: print the main
    /// page, as for `ablate man | man -l -`]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    out: Option<PathBuf>,
}

pub(super) fn man(args: &Args, console: &Console) -> Result<Code, Failure> {
    let mut command = super::command();
    command.build();
    match &args.out {
        None => console.print(&page(command)?.1)?,
        Some(folder) => {
            check_writable(folder)?;
            for command in with_verbs(command) {
                let (name, text) = page(command)?;
                write_atomic(&folder.join(name), text.as_bytes())?;
            }
            console.info(&format!("wrote the pages to `{}`", folder.display()));
        }
    }
    Ok(Code::Done)
}

/// `command` and all verbs below it that help shows.
fn with_verbs(command: Command) -> Vec<Command> {
    let shown = |verb: &&Command| !verb.is_hide_set() && verb.get_name() != "help";
    let verbs: Vec<Command> = (command.get_subcommands().filter(shown))
        .flat_map(|verb| with_verbs(verb.clone()))
        .collect();
    [command].into_iter().chain(verbs).collect()
}

/// File name and text of the page of a command.
fn page(command: Command) -> Result<(String, String), Failure> {
    let man = Man::new(command);
    let mut page = Vec::new();
    let rendered = man.render(&mut page).map(|()| String::from_utf8(page));
    match rendered {
        Ok(Ok(text)) => Ok((man.get_filename(), text)),
        _ => Err(Failure::internal("the manual page cannot be made")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page() {
        let mut command = super::super::command();
        command.build();
        let pages: Vec<(String, String)> = with_verbs(command)
            .into_iter()
            .map(|command| page(command).unwrap())
            .collect();
        let named = |name: &str| pages.iter().find(|(file, _)| file == name);
        let (_, main) = named("ablate.1").unwrap();
        assert!(
            main.contains(".TH ablate 1") && main.contains("ablate\\-run"),
            "{main}"
        );
        let (_, fetch) = named("ablate-data-fetch.1").unwrap();
        assert!(fetch.contains("\\-\\-mirror"), "{fetch}");
        assert!(named("ablate-serve.1").is_none());
    }
}
