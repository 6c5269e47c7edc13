//! `ablate completions`.

use super::console::Console;
use super::exit::{Code, Failure};
use clap_complete::Shell;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(args: &Args, console: &Console) -> Result<Code, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible(), "ablate", &mut script);
    console.print(&String::from_utf8_lossy(&script))?;
    Ok(Code::Done)
}

/// The command line without hidden verbs.
fn visible() -> clap::Command {
    let all = super::command();
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set());
    clap::Command::new("ablate")
        .version(super::VERSION)
        .disable_help_subcommand(true)
        .args(all.get_arguments())
        .subcommands(verbs)
}
