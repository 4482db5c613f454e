//! Where browser and driver are.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The Debian packages they come in.
const PACKAGES: &str = "chromium chromium-driver";

/// The first of these programs in PATH or in the folders where Debian puts them.
///
/// # Panics
/// If it is not installed, with the packages to install: a test that cannot run has not passed.
pub(crate) fn find(names: &[&str]) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).chain(["/usr/local/bin", "/usr/bin"].map(PathBuf::from)).collect();
    search(names, &folders).unwrap_or_else(|error| panic!("{error}"))
}

fn search(names: &[&str], folders: &[PathBuf]) -> Result<PathBuf, String> {
    let mut files = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.find(|file| is_program(file)).ok_or_else(|| {
        let names = names.join(" or ");
        format!("{names} is not installed; on Debian: `apt-get install {PACKAGES}`, or as root `cargo xtask test`, which does it")
    })
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[test]
fn a_missing_program_is_an_error_that_names_the_packages() {
    let error = search(&["chromedriver"], &[PathBuf::from("/nonexistent")]).unwrap_err();
    assert!(error.contains("apt-get install chromium chromium-driver"), "{error}");
}
