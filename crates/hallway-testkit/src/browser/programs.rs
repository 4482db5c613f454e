//! Where a browser is, and the driver that fits it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::browser::said;

/// The Debian packages they come in.
const PACKAGES: &str = "chromium chromium-driver";

/// In the order in which they are tried.
const BROWSERS: [&str; 3] = ["chromium", "google-chrome", "google-chrome-stable"];
const DRIVERS: [&str; 1] = ["chromedriver"];

/// A program and the first number of its version.
type Program = (PathBuf, u32);

/// A browser and a driver of the same major version, in PATH or in the folders where Debian puts them. A driver refuses
/// other browsers, and a machine may have several of both.
///
/// # Panics
/// If there is no such pair, with the packages to install: a test that cannot run has not passed.
pub(super) fn pair() -> (PathBuf, PathBuf) {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).chain(["/usr/local/bin", "/usr/bin"].map(PathBuf::from)).collect();
    let found = |names: &[&str]| -> Vec<Program> {
        search(names, &folders).into_iter().map(|file| (file.clone(), version(&file))).collect()
    };
    choose(&found(&BROWSERS), &found(&DRIVERS)).unwrap_or_else(|error| panic!("{error}"))
}

fn choose(browsers: &[Program], drivers: &[Program]) -> Result<(PathBuf, PathBuf), String> {
    let fits = |browser: &Program| drivers.iter().find(|driver| driver.1 == browser.1);
    if let Some(((browser, _), (driver, _))) = browsers.iter().find_map(|browser| Some((browser, fits(browser)?))) {
        return Ok((browser.clone(), driver.clone()));
    }
    let list = |programs: &[Program]| match programs {
        [] => "none".to_owned(),
        programs => {
            let named = programs.iter().map(|(file, major)| format!("{} {major}", file.display()));
            named.collect::<Vec<_>>().join(", ")
        }
    };
    Err(format!(
        "no browser with a driver of the same major version is installed (browsers: {}; drivers: {}); on Debian: \
         `apt-get install {PACKAGES}`, or as root `cargo xtask test`, which does it",
        list(browsers),
        list(drivers)
    ))
}

/// Every program of these names, each once, in the order of the names.
fn search(names: &[&str], folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for file in names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))) {
        if is_program(&file) && !found.contains(&file) {
            found.push(file);
        }
    }
    found
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The major version, as the program says it.
fn version(file: &Path) -> u32 {
    let mut child = Command::new(file)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let major = said::wait_for_line(file.display(), child.stdout.take().expect("it is piped"), major);
    let _ended = child.kill();
    child.wait().expect("a child can be waited for");
    major
}

/// As in `Google Chrome 140.0.7339.80` and `ChromeDriver 140.0.7339.80 (...)`.
fn major(line: &str) -> Option<u32> {
    line.split(' ').find_map(|word| word.split_once('.')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, major: u32) -> Program {
        (PathBuf::from(name), major)
    }

    #[test]
    fn a_browser_is_chosen_that_the_driver_fits() {
        let [chromium, chrome] = [program("chromium", 139), program("google-chrome", 140)];
        let chosen = |browsers: &[Program], drivers: &[Program]| choose(browsers, drivers).unwrap();
        let both = [chromium.clone(), chrome.clone()];
        let (old, new) = (program("a/chromedriver", 139), program("b/chromedriver", 140));
        assert_eq!(chosen(&both, std::slice::from_ref(&new)), (chrome.0.clone(), new.0.clone()));
        assert_eq!(chosen(&both, std::slice::from_ref(&old)), (chromium.0.clone(), old.0.clone()));
        assert_eq!(chosen(&[chrome], &[old, new.clone()]).1, new.0);
    }

    #[test]
    fn without_a_pair_the_error_says_what_there_is_and_names_the_packages() {
        for (browsers, drivers, said) in [
            (
                vec![program("chromium", 139)],
                vec![program("chromedriver", 140)],
                "chromium 139; drivers: chromedriver 140",
            ),
            (vec![], vec![program("chromedriver", 140)], "browsers: none"),
            (vec![program("chromium", 139)], vec![], "drivers: none"),
        ] {
            let error = choose(&browsers, &drivers).unwrap_err();
            assert!(error.contains(said) && error.contains("apt-get install chromium chromium-driver"), "{error}");
        }
        assert_eq!(search(&["chromedriver"], &[PathBuf::from("/nonexistent")]), [] as [PathBuf; 0]);
    }

    #[test]
    fn versions_are_read_as_browsers_and_drivers_say_them() {
        assert_eq!(major("Chromium 156.0.8078.108 built on Debian GNU/Linux 12 (bookworm)"), Some(156));
        assert_eq!(major("Google Chrome 140.0.7339.80 "), Some(140));
        assert_eq!(major("ChromeDriver 140.0.7339.80 (730482a940ce-refs/branch-heads/7339@{#22})"), Some(140));
        assert_eq!(major("chromium: not found"), None);
    }
}
