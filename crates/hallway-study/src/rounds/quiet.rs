//! criterion prints a paragraph for each benchmark, and its quiet mode is a flag of the command line alone.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use rustix::io::dup;
use rustix::stdio::{dup2_stderr, dup2_stdout};

/// Standard output and standard error of this process go to a file while this lives.
#[derive(Debug)]
pub(super) struct Quiet {
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Quiet {
    pub(super) fn begin(log: &File) -> io::Result<Self> {
        io::stdout().flush()?;
        let saved = Self { stdout: dup(rustix::stdio::stdout())?, stderr: dup(rustix::stdio::stderr())? };
        dup2_stdout(log)?;
        dup2_stderr(log)?;
        Ok(saved)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // What is left in the buffer belongs to the file. Nobody can be told if it does not get there.
        let _written = io::stdout().flush();
        let _restored = dup2_stdout(&self.stdout);
        let _restored = dup2_stderr(&self.stderr);
    }
}
