//! The environment's say in a [`Config`].

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use hallway_core::{Error, Result};

use super::{Config, file};

/// Names the configuration file.
const CONFIG: &str = "HALLWAY_CONFIG";

/// Used if it is in the working directory and [`CONFIG`] is not set.
const DEFAULT_FILE: &str = "hallway.toml";

/// No URL is longer; a larger file is not a URL file.
const MAX_URL_FILE: u64 = 64 << 10;

/// The process environment, or a map in tests: changing the real one is not thread-safe.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

pub(super) fn load(lookup: Lookup<'_>) -> Result<Config> {
    let config = match lookup(CONFIG) {
        Some(path) if path.is_empty() => return Err(empty(CONFIG)),
        Some(path) => file::read(Path::new(&path))?,
        None if Path::new(DEFAULT_FILE).exists() => file::read(Path::new(DEFAULT_FILE))?,
        None => Config::default(),
    };
    apply(config, lookup)
}

pub(super) fn apply(mut config: Config, lookup: Lookup<'_>) -> Result<Config> {
    for tier in file::TIERS {
        let name = format!("HALLWAY_{}", tier.to_uppercase());
        if let Some(url) = read_url(&name, lookup)?
            && let Some(slot) = config.tier_mut(tier)
        {
            *slot = Some(url);
        }
    }
    #[cfg(feature = "tiered")]
    super::tables::apply_env(&mut config.promises, |name| read_plain(name, lookup))?;
    #[cfg(not(feature = "tiered"))]
    for name in ["HALLWAY_BOUND", "HALLWAY_ON_SHARED_DOWN", "HALLWAY_SINGLE_INSTANCE"] {
        if lookup(name).is_some() {
            return Err(super::missing_tiered(name));
        }
    }
    Ok(config)
}

/// A variable with a value, if it is set.
fn read_plain(name: &str, lookup: Lookup<'_>) -> Result<Option<String>> {
    match lookup(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) if value.is_empty() => Err(empty(name)),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Error::invalid_config(format!("{name} is not UTF-8"))),
    }
}

/// A URL, in the variable itself or in the file that another one names.
fn read_url(name: &str, lookup: Lookup<'_>) -> Result<Option<String>> {
    let file_name = format!("{name}_FILE");
    match (lookup(name), lookup(&file_name)) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Error::invalid_config(format!("{name} and {file_name} are both set; unset one of them")))
        }
        (Some(_), None) => read_plain(name, lookup),
        (None, Some(path)) => read_url_file(&file_name, Path::new(&path)).map(Some),
    }
}

fn read_url_file(name: &str, path: &Path) -> Result<String> {
    if path.as_os_str().is_empty() {
        return Err(empty(name));
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_URL_FILE).read_to_string(&mut text));
    match read {
        Err(error) => Err(Error::invalid_config(format!("cannot read the file that {name} names")).with_source(error)),
        Ok(_) if text.trim().is_empty() => {
            Err(Error::invalid_config(format!("the file that {name} names is empty; write a store URL into it")))
        }
        Ok(_) => Ok(text.trim().to_owned()),
    }
}

fn empty(name: &str) -> Error {
    Error::invalid_config(format!("{name} is empty; unset it or give it a value"))
}

#[cfg(test)]
mod tests {
    use hallway_core::ErrorKind;

    use super::*;

    fn lookup(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.into())
    }

    fn refused(pairs: &[(&str, &str)], words: &str) {
        let error = apply(Config::default(), &lookup(pairs)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let file = Config::from_toml_str("[stores]\nlocal = 'moka:?max=1MiB'\nshared = 'redis://old'").unwrap();
        let config = apply(file, &lookup(&[("HALLWAY_SHARED", "redis://new")])).unwrap();
        assert_eq!(config, Config::default().with_local("moka:?max=1MiB").with_shared("redis://new"));
    }

    #[test]
    fn a_url_may_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        std::fs::write(&path, "redis://:hunter2@host/0\n").unwrap();
        let path = path.to_str().unwrap();
        let config = apply(Config::default(), &lookup(&[("HALLWAY_SHARED_FILE", path)])).unwrap();
        assert_eq!(config, Config::default().with_shared("redis://:hunter2@host/0"));
        refused(&[("HALLWAY_SHARED", "redis://:hunter2@host"), ("HALLWAY_SHARED_FILE", path)], "both set");
        std::fs::write(path, "\n").unwrap();
        refused(&[("HALLWAY_SHARED_FILE", path)], "is empty");
        refused(&[("HALLWAY_SHARED_FILE", "/nonexistent/url")], "HALLWAY_SHARED_FILE");
    }

    #[test]
    fn empty_variables_are_refused() {
        refused(&[("HALLWAY_LOCAL", "")], "HALLWAY_LOCAL is empty");
        refused(&[("HALLWAY_LOCAL_FILE", "")], "HALLWAY_LOCAL_FILE is empty");
    }

    #[test]
    fn the_file_is_named_by_a_variable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hallway.toml");
        std::fs::write(&path, "[stores]\nlocal = 'moka:?max=1MiB'\n").unwrap();
        let config =
            load(&lookup(&[("HALLWAY_CONFIG", path.to_str().unwrap()), ("HALLWAY_LOCAL", "moka:?max=2MiB")])).unwrap();
        assert_eq!(config, Config::default().with_local("moka:?max=2MiB"));
        assert!(load(&lookup(&[("HALLWAY_CONFIG", "/nonexistent.toml")])).is_err());
        assert_eq!(load(&lookup(&[])).unwrap(), Config::default());
    }
}
