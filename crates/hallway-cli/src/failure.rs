//! Why the command failed: the line on standard error and the exit code.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use hallway::{Error, ErrorKind};

/// Printed below every `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  no: the key is not there, the condition of a write did not hold, `verify` found a stale copy, nothing fits what `advise` was asked, or `compare --fail-on-move` found that something moved
  2  the command line, the configuration or an argument is wrong
  3  the store cannot be reached or did not answer in time; a write did not happen
  4  the store refused the credentials
  5  a write may or may not have happened
  6  anything else: damaged data, no room, local files
  130  interrupted

The store is named by --store, --store-file or the variable HALLWAY_STORE. A password can be left out of the URL and given in the variable HALLWAY_PASSWORD, so that no secret need stand on the command line. A replay through several stores that need one takes a file for each: --store-file, and tiers take --shared-file and --consistent-file.";

/// The answer was no.
pub(crate) const NO: u8 = 1;

#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read our output has left; that is no failure of ours.
    ClosedPipe,
    Interrupted,
    /// A file, a terminal, a thread of this machine.
    Local(String, io::Error),
    Store(Error),
    /// A study that cannot go on.
    Study(String),
    Usage(String),
}

impl Failure {
    pub(crate) fn local(message: impl Into<String>, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ClosedPipe } else { Self::Local(message.into(), error) }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A study that failed: of a store, or of a file.
    pub(crate) fn study(error: hallway_study::Failure) -> Self {
        if error.is::<hallway_study::study::Interrupted>() {
            return Self::Interrupted;
        }
        match error.downcast::<Error>() {
            Ok(error) => Self::Store(*error),
            Err(error) => Self::Study(error.to_string()),
        }
    }

    /// Prints one line and the chain of causes, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::ClosedPipe => {}
            Self::Interrupted => eprintln_all(&["interrupted".to_owned()]),
            Self::Local(message, error) => {
                eprintln_all(&[format!("error: {message}"), format!("  caused by: {error}")])
            }
            Self::Study(message) | Self::Usage(message) => eprintln_all(&[format!("error: {message}")]),
            Self::Store(error) => {
                let mut lines = vec![format!("error: {error}")];
                let mut cause = error.source();
                while let Some(link) = cause {
                    lines.push(format!("  caused by: {link}"));
                    cause = link.source();
                }
                eprintln_all(&lines);
            }
        }
        ExitCode::from(self.code())
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Interrupted => 130,
            Self::Local(..) | Self::Study(_) => 6,
            Self::Usage(_) => 2,
            Self::Store(error) => match error.kind() {
                ErrorKind::InvalidConfig
                | ErrorKind::InvalidInput
                | ErrorKind::MissingFeature
                | ErrorKind::TooLarge
                | ErrorKind::Unsupported => 2,
                ErrorKind::Overloaded | ErrorKind::Unavailable => 3,
                ErrorKind::Unauthorized => 4,
                ErrorKind::Indeterminate => 5,
                _ => 6,
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// `eprintln!` panics when standard error is closed.
fn eprintln_all(lines: &[String]) {
    use io::Write as _;
    let mut stderr = io::stderr().lock();
    for line in lines {
        let _ = writeln!(stderr, "{}", crate::redact::secrets(line));
    }
}
