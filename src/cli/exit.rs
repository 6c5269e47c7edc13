//! Exit codes of all errors, and the only function that prints errors.

use super::console::Console;
use super::tips;
use crate::card::CardError;
use crate::cluster::QueueError;
use crate::data::DataError;
use crate::device::DeviceError;
use crate::fetch::{FetchError, Source};
use crate::files::FileError;
use crate::plot::PlotError;
use crate::recipe::DataName;
use crate::report::{DeriveError, SpliceError};
use crate::run::lock::LockError;
use crate::run::looks::LooksError;
use crate::run::{RecordError, RunError};
use crate::spec::SpecError;
use crate::text::visible::{steering, visible};
use crate::train::TrainError;
use clap::error::ContextValue;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Success.
    Done = 0,
    /// A defect of the program.
    Internal = 1,
    /// Bad arguments, or a bad spec.
    Usage = 2,
    /// Some cells failed.
    CellsFailed = 3,
    /// A verification failed, or a derived file is out of date.
    Differs = 4,
    /// A device, data, a folder or records are missing.
    Unavailable = 5,
    /// Stopped, or the results folder is in use; safe to run again.
    Stopped = 75,
}

/// One or more errors that end the program, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// One error message each, starting in lower case.
    messages: Vec<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::several(code, vec![message.into()])
    }

    /// Several errors with one exit code.
    pub(crate) const fn several(code: Code, messages: Vec<String>) -> Self {
        Self { code, messages }
    }

    /// Its messages in one line.
    pub(crate) fn text(&self) -> String {
        self.messages.join("; ")
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn into_messages(self) -> Vec<String> {
        self.messages
    }

    fn of(code: Code, error: &dyn Error) -> Self {
        Self::new(code, chain(error))
    }
}

/// The message of `error`, followed by those of its causes that it does not contain.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Self::new(Code::Usage, error.report())
    }
}

impl From<SpliceError> for Failure {
    fn from(error: SpliceError) -> Self {
        Self::of(Code::Usage, &error)
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        let code = match error {
            DeviceError::Unknown(_) => Code::Usage,
            DeviceError::NotBuilt(_)
            | DeviceError::Missing { .. }
            | DeviceError::Refused { .. }
            | DeviceError::Failed { .. } => Code::Unavailable,
        };
        Self::of(code, &error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let code = match error {
            DataError::Setting { .. } => Code::Usage,
            DataError::Missing { .. }
            | DataError::Read { .. }
            | DataError::Malformed { .. }
            | DataError::Damaged { .. }
            | DataError::Disagree { .. }
            | DataError::WrongSet { .. }
            | DataError::Unpublished { .. }
            | DataError::OtherContent { .. }
            | DataError::Registered { .. } => Code::Unavailable,
        };
        let mut message = chain(&error);
        if let DataError::Missing { name, .. } = &error
            && DataName::BUILT_IN
                .into_iter()
                .any(|known| known.key() == *name && Source::of(known).is_some())
        {
            message.push_str(&format!("; `ablate data fetch {name}` downloads them"));
        }
        Self::new(code, message)
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::of(Code::Unavailable, &error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::of(Code::Unavailable, &error)
    }
}

impl From<CardError> for Failure {
    fn from(error: CardError) -> Self {
        let code = match error {
            CardError::Hash { .. } => Code::Differs,
            _ => Code::Unavailable,
        };
        Self::of(code, &error)
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Device(error) => error.into(),
            TrainError::Data(error) => error.into(),
            TrainError::Weights(_) => Self::of(Code::Unavailable, &error),
            _ => Self::of(Code::Usage, &error),
        }
    }
}

impl From<LooksError> for Failure {
    fn from(error: LooksError) -> Self {
        Self::of(Code::Unavailable, &error)
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let code = match error {
            RecordError::File(_) => Code::Unavailable,
            RecordError::Record { .. } => Code::Internal,
        };
        Self::of(code, &error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::File(error) | RunError::Lock(LockError::File(error)) => error.into(),
            RunError::Lock(error @ LockError::Held { .. }) => Self::of(Code::Stopped, &error),
            RunError::Record(error) => error.into(),
            RunError::Disagreement(error) => Self::of(Code::Differs, &*error),
        }
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        Self::of(Code::Unavailable, &error)
    }
}

impl From<PlotError> for Failure {
    fn from(error: PlotError) -> Self {
        Self::of(Code::Internal, &error)
    }
}

impl From<DeriveError> for Failure {
    fn from(error: DeriveError) -> Self {
        let code = match error {
            DeriveError::Analysis(_) => Code::Unavailable,
            _ => Code::Internal,
        };
        Self::of(code, &error)
    }
}

/// Prints the errors, if any, and returns the exit code.
pub(super) fn code(done: Result<Code, Failure>, console: &Console) -> ExitCode {
    console.end_bar();
    let code = done.unwrap_or_else(|failure| {
        for message in &failure.messages {
            console.error(message);
        }
        failure.code
    });
    ExitCode::from(code as u8)
}

/// Prints help and version to standard output, clap's errors to standard error.
pub(super) fn print_clap(error: &clap::Error) -> ExitCode {
    // A closed pipe is not an error: see `Console::print`.
    let steers = |value: &ContextValue| steering(&value.to_string()).is_some();
    let _ = match error.context().any(|(_, value)| steers(value)) {
        false => error.print(),
        // It quotes an argument with an escape sequence.
        true => writeln!(io::stderr(), "{}", visible(&error.render().to_string())),
    };
    if let Some(tip) = tips::tip(error) {
        let _ = writeln!(io::stderr(), "\ntip: {tip}");
    }
    let code = if error.use_stderr() {
        Code::Usage
    } else {
        Code::Done
    };
    ExitCode::from(code as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn cause_is_printed_once() {
        let read = DataError::Read {
            path: "a.gz".into(),
            source: io::Error::other("no such luck"),
        };
        assert_eq!(chain(&read).matches("no such luck").count(), 1);
        let file = FileError {
            action: "write",
            path: "b".into(),
            cause: io::Error::other("no such luck"),
        };
        let error = RunError::File(file);
        assert_eq!(chain(&error), "cannot write `b`: no such luck");
    }

    #[test]
    fn folder_in_use_exits_75() {
        let folder = PathBuf::from("results/a");
        let failure = Failure::from(RunError::Lock(LockError::Held { folder }));
        assert_eq!(failure.code, Code::Stopped);
    }

    #[test]
    fn unknown_device_is_usage_and_unbuilt_is_unavailable() {
        let code = |error| Failure::from(error).code;
        assert_eq!(code(DeviceError::Unknown("gpu".into())), Code::Usage);
        assert_eq!(
            code(DeviceError::NotBuilt("cuda".into())),
            Code::Unavailable
        );
    }
}
