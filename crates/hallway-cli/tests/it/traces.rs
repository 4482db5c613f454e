//! Where the real traces are, if they are, and what is in them.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use lzma_rust2::XzReader;

/// A real trace that the tests know.
pub(crate) struct Trace {
    name: &'static str,
    /// How its SHA-256 begins: figures about a trace are figures about these bytes.
    sha256: &'static str,
}

/// Database objects of a web shop on a busy day: 5,000,000 requests.
pub(crate) const ORM_BUSY: Trace = Trace { name: "orm-busy.trace.xz", sha256: "0b1d6593387d713c" };

/// Product pages of a web shop in December: 95,607 requests.
pub(crate) const WEB12: Trace = Trace { name: "web12.trace.xz", sha256: "a76c78e129a982fe" };

impl Trace {
    /// The file in the folder that `CROSSOVER_TRACE_DIR` names, or in the usual one beside the workspace. Says so
    /// where it is absent: the traces are not part of the repository.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = match std::env::var_os("CROSSOVER_TRACE_DIR") {
            Some(folder) => workspace.join(folder),
            None => workspace.join("../shared/data/traces"),
        };
        let file = folder.join(self.name);
        if !file.is_file() {
            not_measured(&format!("{} is absent; set CROSSOVER_TRACE_DIR to its folder", self.name));
            return None;
        }
        let sum = Command::new("sha256sum").arg(&file).output().expect("Debian package coreutils");
        let sum = String::from_utf8_lossy(&sum.stdout).into_owned();
        assert!(sum.starts_with(self.sha256), "{} is not the trace that the figures are about: {sum}", file.display());
        Some(file)
    }
}

/// Says what a run leaves out.
pub(crate) fn not_measured(why: &str) {
    use std::io::Write as _;
    // Past the capture of the test harness, so that it shows in every run.
    let _ = writeln!(std::io::stderr(), "NOT MEASURED: {why}");
}

/// All keys of a trace.
pub(crate) fn keys(file: &Path) -> Vec<u32> {
    let mut bytes = Vec::new();
    let packed = BufReader::new(File::open(file).expect("a file"));
    XzReader::new(packed, true).read_to_end(&mut bytes).expect("a whole xz file");
    let (keys, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty(), "a key is cut short");
    keys.iter().map(|key| u32::from_be_bytes(*key)).collect()
}
