//! `ablate explain`.

use super::arguments::ResultsArg;
use super::console::Console;
use super::exit::{Code, Failure};
use super::found::Places;
use super::{folder, root};
use crate::report::{self, unchanged};
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of a claim, such as `C1`
    #[arg(value_name = "CLAIM", required = true)]
    claims: Vec<String>,
    /// Folder of the experiments and claims
    #[arg(long, value_name = "DIR", default_value_os_t = root::experiments())]
    experiments: PathBuf,
    #[command(flatten)]
    results: ResultsArg,
}

pub(super) fn explain(args: &Args, console: &Console) -> Result<Code, Failure> {
    let places = Places::new(&args.results, &args.experiments)?;
    let results = places.first();
    let claims = args.claims.iter().map(|name| places.claim(name));
    let claims = claims.collect::<Result<Vec<_>, _>>()?;
    let summaries = unchanged(&folder::summaries(results, &[], console));
    for (i, claim) in claims.into_iter().enumerate() {
        if i > 0 {
            console.print("\n")?;
        }
        console.print(&report::explain(
            claim,
            &summaries,
            &results.display().to_string(),
        ))?;
    }
    Ok(Code::Done)
}
