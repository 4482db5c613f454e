//! Where browser and driver are.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The Debian packages they come in.
const PACKAGES: &str = "chromium chromium-driver";

/// A program of PATH or of the folders where Debian puts them.
///
/// # Panics
/// If it is not installed, with the packages to install: a test that cannot run has not passed.
pub(crate) fn find(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    search(name, env::split_paths(&path).chain(["/usr/local/bin", "/usr/bin"].map(PathBuf::from)))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn search(name: &str, mut folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf, String> {
    folders.find_map(|folder| Some(folder.join(name)).filter(|file| is_program(file))).ok_or_else(|| {
        format!("`{name}` is not installed; on Debian: `apt-get install {PACKAGES}`, or `cargo xtask test` as root, which does it")
    })
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[test]
fn a_missing_program_is_an_error_that_names_the_packages() {
    let error = search("chromedriver", [PathBuf::from("/nonexistent")].into_iter()).unwrap_err();
    assert!(error.contains("apt-get install chromium chromium-driver"), "{error}");
}
