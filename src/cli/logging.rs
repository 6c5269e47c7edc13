//! What libraries log, on standard error.

use log::LevelFilter;
use std::io::Write;

/// Starts the log: warnings, only errors when `quiet`, more when `verbose` twice; `RUST_LOG` has the
/// last word.
pub(super) fn start(quiet: bool, verbose: u8) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0 | 1) => LevelFilter::Warn,
        (false, 2) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    };
    let started = env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .format(|out, record| {
            let level = match record.level() {
                log::Level::Warn => "warning".to_owned(),
                other => other.as_str().to_lowercase(),
            };
            writeln!(out, "{level}: {}", record.args())
        })
        .try_init();
    // A logger that is there already serves as well.
    drop(started);
}
