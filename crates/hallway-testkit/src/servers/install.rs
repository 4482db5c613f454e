//! Where the server programs are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::ServerError;

/// Debian keeps one folder per PostgreSQL major version, outside of PATH.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// A program of PATH or of the folders where Debian puts servers.
pub(super) fn program(name: &str, package: &str) -> Result<PathBuf, ServerError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"].map(PathBuf::from);
    first(env::split_paths(&path).chain(usual), name).ok_or_else(|| missing(name, package))
}

/// A PostgreSQL server program: from the newest version of Debian's folders, else from PATH.
///
/// Debian's first, because a `postgres` in PATH may be only a wrapper.
pub(super) fn postgres_program(name: &str) -> Result<PathBuf, ServerError> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(POSTGRES_VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    first(versions.into_iter().map(|(_, folder)| folder), name).map_or_else(|| program(name, "postgresql"), Ok)
}

fn first(mut folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders.find_map(|folder| Some(folder.join(name)).filter(|file| is_program(file)))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn missing(name: &str, package: &str) -> ServerError {
    ServerError::new(format!(
        "`{name}` is not installed; on Debian: apt-get install {package} (the tests start private servers of their own)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_package() {
        let error = program("hallway-no-such-server", "redis-server").unwrap_err();
        assert!(error.to_string().contains("apt-get install redis-server"), "{error}");
    }

    #[test]
    fn a_folder_or_plain_file_is_no_program() {
        assert!(!is_program(Path::new("/usr")));
        assert!(!is_program(Path::new("/etc/passwd")));
        assert!(is_program(Path::new("/bin/sh")));
    }
}
