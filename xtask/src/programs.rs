//! The programs that tests start privately, servers and a browser, and the Debian packages they come in.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, shell};

/// Program, or one that does as well, and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 10] = [
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("initdb", "postgresql"),
    ("pg_ctl", "postgresql"),
    ("postgres", "postgresql"),
    ("psql", "postgresql-client"),
    ("pgbouncer", "pgbouncer"),
    ("sqlite3", "sqlite3"),
    ("chromium or google-chrome", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Makes sure that every program the tests start is installed.
///
/// As root on a machine with `apt-get` missing packages are installed; anywhere else they are an error that names
/// them. Tests never skip for want of a server.
pub(crate) fn ensure() -> Result {
    let missing = missing_packages();
    if missing.is_empty() {
        println!("every program is installed");
        return Ok(());
    }
    let remedy = installable(&missing, find("apt-get").is_some(), is_root()?)?;
    let packages = missing.join(" ");
    println!("installing the Debian packages the tests need: {packages}");
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    shell::run(apt_get().args(["update", "-q"])).map_err(|error| format!("{error}; {remedy}"))?;
    shell::run(apt_get().args(["install", "-q", "-y", "--no-install-recommends"]).args(&missing))
        .map_err(|error| format!("{error}; {remedy}"))?;
    match missing_packages() {
        still if still.is_empty() => Ok(()),
        still => Err(format!("after the installation these packages are still missing: {}", still.join(" "))),
    }
}

/// The words that name the remedy, or the error that does where nothing can be installed from here.
fn installable(missing: &[&str], has_apt: bool, is_root: bool) -> Result<String> {
    let packages = missing.join(" ");
    let remedy = format!("the tests need the Debian packages {packages}: `apt-get install {packages}`");
    match (has_apt, is_root) {
        (false, _) => Err(format!("{remedy} (there is no apt-get here; install their counterparts)")),
        (true, false) => Err(format!("{remedy} (as root)")),
        (true, true) => Ok(remedy),
    }
}

fn missing_packages() -> Vec<&'static str> {
    let is_missing = |programs: &str| programs.split(" or ").all(|program| find(program).is_none());
    let mut packages: Vec<_> =
        PROGRAMS.iter().filter(|(programs, _)| is_missing(programs)).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

/// Looks in `PATH`, the folders for servers, and where Debian keeps PostgreSQL's server programs.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .chain(postgres.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn is_root() -> Result<bool> {
    Ok(shell::output(Command::new("id").arg("-u"))?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_program_and_not_a_missing_one() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
    }

    #[test]
    fn what_cannot_be_installed_is_an_error_that_names_the_packages() {
        for (has_apt, is_root, hint) in
            [(false, true, "no apt-get"), (false, false, "no apt-get"), (true, false, "as root")]
        {
            let error = installable(&["redis-server", "pgbouncer"], has_apt, is_root).unwrap_err();
            assert!(error.contains("apt-get install redis-server pgbouncer") && error.contains(hint), "{error}");
        }
        installable(&["redis-server"], true, true).unwrap();
    }

    #[test]
    fn packages_are_named_once() {
        let mut packages: Vec<_> = PROGRAMS.iter().map(|(_, package)| *package).collect();
        packages.dedup();
        let unique: std::collections::BTreeSet<_> = packages.iter().collect();
        assert_eq!(unique.len(), packages.len(), "equal packages stand together in the table");
    }
}
