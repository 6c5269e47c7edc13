//! Log messages of libraries, on standard error.

use crate::text::visible::visible;
use log::LevelFilter;
use std::io::Write;

/// Starts the logger: warnings by default, errors with `quiet`, more with `verbose` of 2 and up.
/// `RUST_LOG` overrides all of these.
pub(super) fn start(quiet: bool, verbose: u8) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0 | 1) => LevelFilter::Warn,
        (false, 2) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    };
    let started = env_logger::Builder::new()
        .filter_level(level)
        // It warns of every line without a length, which figures have where values are equal.
        .filter_module("tiny_skia", LevelFilter::Error)
        .parse_default_env()
        .format(|out, record| {
            let level = match record.level() {
                log::Level::Warn => "warning".to_owned(),
                other => other.as_str().to_lowercase(),
            };
            writeln!(out, "{level}: {}", visible(&record.args().to_string()))
        })
        .try_init();
    // Tests in one process share the first logger.
    drop(started);
}
