//! How the program ends: every error's exit code, and the one place where errors are printed.

use super::console::Console;
use crate::data::DataError;
use crate::device::DeviceError;
use crate::files::FileError;
use crate::plot::PlotError;
use crate::report::{DeriveError, SpliceError};
use crate::run::lock::LockError;
use crate::run::{RecordError, RunError};
use crate::spec::SpecError;
use std::error::Error;
use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Done.
    Done = 0,
    /// Something that must not happen.
    Internal = 1,
    /// Bad arguments or a bad spec.
    Usage = 2,
    /// Some cells failed.
    CellsFailed = 3,
    /// A verification failed, or a derived file is stale.
    Differs = 4,
    /// A device, data, a folder or records that are needed are not there.
    Unavailable = 5,
    /// Stopped, or in use; safe to run again.
    Stopped = 75,
}

/// Why the program cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// One error each, as lower-case fragments.
    messages: Vec<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::several(code, vec![message.into()])
    }

    /// Several errors of one kind.
    pub(crate) const fn several(code: Code, messages: Vec<String>) -> Self {
        Self { code, messages }
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

    pub(crate) fn into_messages(self) -> Vec<String> {
        self.messages
    }

    fn of(code: Code, error: &dyn Error) -> Self {
        Self::new(code, chain(error))
    }
}

/// The message of `error` and, where it leaves them out, those of its causes.
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
        Self::of(Code::Usage, &error)
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
            | DataError::Disagree { .. }
            | DataError::WrongSet { .. } => Code::Unavailable,
        };
        Self::of(code, &error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::of(Code::Unavailable, &error)
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let code = match error {
            RecordError::File(_) | RecordError::Line { .. } => Code::Unavailable,
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
        }
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

/// Prints why the program ended, if there is something to say.
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

/// Prints what clap has to say: help and version to standard output, errors to standard error.
pub(super) fn of_clap(error: &clap::Error) -> ExitCode {
    // A closed pipe takes no help, which is no error of ours.
    let _ = error.print();
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
    use std::io;
    use std::path::PathBuf;

    #[test]
    fn a_cause_is_said_once() {
        let read = DataError::Read {
            path: "a.gz".into(),
            source: io::Error::other("no such luck"),
        };
        assert_eq!(chain(&read), "cannot read `a.gz`: no such luck");
        let file = FileError {
            action: "write",
            path: "b".into(),
            cause: io::Error::other("no such luck"),
        };
        let error = RunError::File(file);
        assert_eq!(chain(&error), "cannot write `b`: no such luck");
    }

    #[test]
    fn a_folder_in_use_is_safe_to_run_again() {
        let folder = PathBuf::from("results/a");
        let failure = Failure::from(RunError::Lock(LockError::Held { folder }));
        assert_eq!(failure.code, Code::Stopped);
    }

    #[test]
    fn a_name_that_is_no_device_is_a_bad_argument_and_one_left_out_is_unavailable() {
        let code = |error| Failure::from(error).code;
        assert_eq!(code(DeviceError::Unknown("gpu".into())), Code::Usage);
        assert_eq!(
            code(DeviceError::NotBuilt("cuda".into())),
            Code::Unavailable
        );
    }
}
