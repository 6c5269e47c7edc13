//! One download by `curl`.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// How often progress is reported.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// Seconds until a server must have answered.
const CONNECT: &str = "30";

/// Most redirects that are followed.
const REDIRECTS: &str = "5";

/// Most bytes of a message of curl that are read.
const MAX_MESSAGE: u64 = 4096;

/// A download that goes on from what is there.
#[derive(Debug)]
pub(super) struct Curl<'a> {
    pub(super) address: &'a str,
    pub(super) part: &'a Path,
    /// Size of the whole file.
    pub(super) bytes: u64,
    pub(super) stalled_after: u64,
}

/// Why a download ended before its file was complete.
#[derive(Debug)]
pub(super) enum Stopped {
    /// curl does not start.
    Start(io::Error),
    /// The server does not send parts of files.
    Range,
    /// The reason in words.
    Failed(String),
}

impl Curl<'_> {
    /// Downloads the rest of the file and calls `reached` now and then.
    ///
    /// # Errors
    /// If that fails; the bytes that came stay.
    pub(super) fn run(&self, reached: &mut dyn FnMut()) -> Result<(), Stopped> {
        let mut command = Command::new("curl");
        command
            // First of all: no file of settings.
            .arg("--disable")
            .args(["--fail", "--silent", "--show-error", "--location"])
            .args(["--max-redirs", REDIRECTS, "--connect-timeout", CONNECT])
            .args(["--speed-limit", "1", "--speed-time"])
            .arg(self.stalled_after.to_string())
            .args(["--max-filesize", &self.bytes.to_string()])
            .args([
                "--proto",
                "=http,https",
                "--proto-redir",
                redirects(self.address),
            ])
            .args(["--continue-at", "-", "--output"])
            .arg(self.part)
            .args(["--", self.address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Stopped::Start)?;
        let status = loop {
            match child.try_wait().map_err(Stopped::Start)? {
                Some(status) => break status,
                None => thread::sleep(REPORT_EVERY),
            }
            reached();
        };
        match status.code() {
            Some(0) => Ok(()),
            Some(33) => Err(Stopped::Range),
            code => {
                let mut said = String::new();
                if let Some(stderr) = child.stderr.take() {
                    // Without its message there is still its code.
                    let _ = stderr.take(MAX_MESSAGE).read_to_string(&mut said);
                }
                Err(Stopped::Failed(words(code, &said, self.stalled_after)))
            }
        }
    }
}

/// Redirects never leave HTTPS.
fn redirects(address: &str) -> &'static str {
    match address.starts_with("https:") {
        true => "=https",
        false => "=http,https",
    }
}

/// An exit code of curl in words.
fn words(code: Option<i32>, said: &str, stalled_after: u64) -> String {
    let said = said.trim().trim_start_matches("curl: ");
    match code {
        Some(6 | 7) => format!("there is no connection to the server ({said})"),
        Some(18) => "the connection ended early".to_owned(),
        Some(28) => format!("nothing came for {stalled_after} seconds"),
        Some(47) => format!("the server redirects more than {REDIRECTS} times"),
        Some(63) => "the file is larger than expected".to_owned(),
        _ if said.is_empty() => "curl was stopped".to_owned(),
        _ => said.to_owned(),
    }
}
