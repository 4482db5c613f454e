//! `hallway.toml`.
//!
//! The table is walked by hand: messages of a derived parser quote the values they did not expect, and those may
//! hold passwords.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hallway_core::{Error, Result};
use toml::de::{DeTable, DeValue};

use super::Config;

/// The tiers there are, in the order of reading.
pub(super) const TIERS: [&str; 3] = ["local", "shared", "consistent"];

/// The tables there are. The last two need feature `tiered`.
const TABLES: [&str; 3] = ["stores", "tiers", "namespaces"];

/// A configuration file is a few lines.
const MAX_FILE: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> Result<Config> {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text)) {
        Err(error) => {
            return Err(
                Error::invalid_config(format!("cannot read the configuration {}", path.display())).with_source(error)
            );
        }
        Ok(bytes) if bytes as u64 > MAX_FILE => {
            return Err(Error::invalid_config(format!("the configuration {} is over 1 MiB", path.display())));
        }
        Ok(_) => {}
    }
    parse(&text).map_err(|error| error.with_context(path.display()))
}

pub(super) fn parse(text: &str) -> Result<Config> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        Error::invalid_config(format!("not valid TOML at line {line}; a URL stands in quotes: local = \"moka:\""))
    })?;
    let mut config = Config::default();
    for (name, value) in document.get_ref() {
        let line = line_of(text, name.span().start);
        let name = name.get_ref().as_ref();
        if !TABLES.contains(&name) {
            return Err(unknown("table or field", name, line, &TABLES.join(", ")));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(Error::invalid_config(format!("`{name}` at line {line} must be a table: [{name}]")));
        };
        match name {
            "stores" => read_stores(&mut config, table, text)?,
            #[cfg(feature = "tiered")]
            "tiers" => super::tables::read_tiers(&mut config.promises, table, text)?,
            #[cfg(feature = "tiered")]
            // The last of them.
            _ => super::tables::read_namespaces(&mut config.promises, table, text)?,
            #[cfg(not(feature = "tiered"))]
            _ => return Err(super::missing_tiered(format_args!("`{name}` at line {line}"))),
        }
    }
    Ok(config)
}

fn read_stores(config: &mut Config, stores: &DeTable<'_>, text: &str) -> Result<()> {
    for (tier, url) in stores {
        let line = line_of(text, tier.span().start);
        let Some(slot) = config.tier_mut(tier.get_ref()) else {
            let known = TIERS.map(|tier| format!("stores.{tier}")).join(", ");
            return Err(unknown("field", tier.get_ref(), line, &known));
        };
        match url.get_ref() {
            DeValue::String(url) if !url.is_empty() => *slot = Some(url.to_string()),
            _ => {
                return Err(Error::invalid_config(format!(
                    "`stores.{}` at line {line} must be a store URL in quotes, such as \"moka:?max=64MiB\"",
                    tier.get_ref()
                )));
            }
        }
    }
    Ok(())
}

pub(super) fn unknown(what: &str, name: &str, line: usize, known: &str) -> Error {
    // A long or odd name may be a URL in the wrong place.
    let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if plain { format!(" `{name}`") } else { String::new() };
    Error::invalid_config(format!("unknown {what}{name} at line {line}; known: {known}"))
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use hallway_core::ErrorKind;

    use super::*;

    fn refused(text: &str, words: &str) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn reads_the_three_tiers() {
        let text = "[stores]\nlocal = 'moka:'\nshared = \"redis://h\"\nconsistent = \"sqlite:a.db\"\n";
        let expected = Config::default().with_local("moka:").with_shared("redis://h").with_consistent("sqlite:a.db");
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn refuses_what_it_does_not_know_and_names_what_it_does() {
        refused(
            "[stores]\nlocl = 'moka:'",
            "unknown field `locl` at line 2; known: stores.local, stores.shared, stores.consistent",
        );
        refused(
            "\n[store]\nlocal = 'moka:'",
            "unknown table or field `store` at line 2; known: stores, tiers, namespaces",
        );
        refused("[stores]\nlocal = 5", "`stores.local` at line 2");
        refused("[stores]\nlocal = ''", "`stores.local` at line 2");
        refused("stores = 'moka:'", "must be a table");
    }

    #[cfg(not(feature = "tiered"))]
    #[test]
    fn what_needs_a_feature_names_it() {
        for text in ["[tiers]\nbound = '1s'", "[namespaces.a]\nmode = 'shared'"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MissingFeature);
            assert!(error.to_string().contains("enable feature `tiered`"), "{error}");
        }
    }

    #[test]
    fn no_message_quotes_a_value() {
        refused("stores = 'redis://:hunter2@h'", "must be a table");
        refused("[stores]\nshared = redis://:hunter2@h", "line 2");
        refused("[stores]\nshared = ['redis://:hunter2@h']", "line 2");
        refused("[stores]\nshared = 'redis://:hunter2@h\n", "line 2");
        refused("[stores]\n'redis://:hunter2@h' = 1\n", "line 2");
        refused("[stores]\nshared = 'redis://:hunter2@h'\nshared = 'redis://:hunter2@h'", "line 3");
    }

    #[test]
    fn debug_shows_schemes_only() {
        let config = Config::default()
            .with_local("admin:hunter2@host")
            .with_shared("redis://user:hunter2@host/0")
            .with_consistent("hunter2 hunter2");
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("admin") && !shown.contains("user"), "{shown}");
        assert!(shown.contains("redis"), "{shown}");
    }
}
