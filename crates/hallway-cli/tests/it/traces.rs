//! Where the real traces are, if they are, and what is in them.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use hallway_study::trace::KnownTrace;
use lzma_rust2::XzReader;

/// The trace in the folder that `CROSSOVER_TRACE_DIR` names, or in the usual one beside the workspace. Says so where it
/// is absent: the traces are not part of the repository.
pub(crate) fn file(trace: &KnownTrace) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("CROSSOVER_TRACE_DIR").unwrap_or_else(|| "../shared/data/traces".into());
    let found = trace.in_folder(&workspace.join(folder)).unwrap();
    if found.is_none() {
        not_measured(&format!("{} is absent; set CROSSOVER_TRACE_DIR to its folder", trace.name));
    }
    found
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
