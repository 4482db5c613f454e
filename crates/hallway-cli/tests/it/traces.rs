//! Where the real traces are, if they are.

use std::path::{Path, PathBuf};

/// The trace in the folder that `CROSSOVER_TRACE_DIR` names, or in the usual one beside the workspace. Says so where
/// it is absent: the traces are not part of the repository.
pub(crate) fn trace(name: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = match std::env::var_os("CROSSOVER_TRACE_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("../shared/data/traces"),
    };
    let file = folder.join(name);
    if !file.is_file() {
        // Past the capture of the test harness, so that it shows in every run.
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "NOT MEASURED: {name} is absent; set CROSSOVER_TRACE_DIR to its folder");
        return None;
    }
    Some(file)
}
