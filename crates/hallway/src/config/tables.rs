//! `[tiers]` and `[namespaces]` of `hallway.toml`, and their values in the environment.

use std::time::Duration;

use hallway_core::{Error, Namespace, Result};
use hallway_tiered::{Mode, OnSharedDown};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{line_of, unknown};
use super::rules::{Overrides, Promises, Rules};

/// Fields of `[tiers]` that a namespace has too.
const OF_BOTH: [&str; 5] = ["mode", "copy_ttl", "local_ttl", "degraded_ttl", "on_shared_down"];
const OF_TIERS: [&str; 3] = ["bound", "shared_deadline", "single_instance"];
const OF_NAMESPACES: [&str; 1] = ["strict"];

/// One field, and how to speak of it.
struct Field<'a> {
    /// `tiers.bound`
    name: String,
    line: usize,
    value: &'a DeValue<'a>,
}

pub(super) fn read_tiers(promises: &mut Promises, table: &DeTable<'_>, text: &str) -> Result<()> {
    for (key, value) in table {
        let field = Field::new("tiers", key, value, text);
        match key.get_ref().as_ref() {
            "bound" => promises.bound = Some(field.duration()?),
            "shared_deadline" => promises.shared_deadline = Some(field.duration()?),
            "single_instance" => promises.single_instance = field.boolean()?,
            name if OF_BOTH.contains(&name) => read_both(&mut promises.defaults, name, &field)?,
            name => return Err(unknown("field", name, field.line, &known("tiers", &[&OF_TIERS, &OF_BOTH]))),
        }
    }
    Ok(())
}

pub(super) fn read_namespaces(promises: &mut Promises, table: &DeTable<'_>, text: &str) -> Result<()> {
    for (segments, value) in table {
        let line = line_of(text, segments.span().start);
        let name = segments.get_ref().as_ref();
        Namespace::new(name).map_err(|error| {
            Error::invalid_config(format!("`namespaces` at line {line} has a bad name: {}", error.message()))
        })?;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(Error::invalid_config(format!(
                "a namespace is a table, and line {line} has none: [namespaces.\"user:profile\"]"
            )));
        };
        let rules = read_namespace(table, text)?;
        promises.namespaces.push((name.to_owned(), Rules::Inherited(rules)));
    }
    Ok(())
}

fn read_namespace(table: &DeTable<'_>, text: &str) -> Result<Overrides> {
    let mut rules = Overrides::default();
    let mut strict_at = 0;
    for (key, value) in table {
        let field = Field::new("namespaces.…", key, value, text);
        match key.get_ref().as_ref() {
            "strict" => (rules.strict, strict_at) = (field.boolean()?, field.line),
            name if OF_BOTH.contains(&name) => read_both(&mut rules, name, &field)?,
            _ if matches!(field.value, DeValue::Table(_)) => {
                return Err(Error::invalid_config(format!(
                    "a table within a namespace at line {}; a namespace of several segments stands in quotes: \
                     [namespaces.\"user:profile\"]",
                    field.line
                )));
            }
            name => {
                return Err(unknown("field", name, field.line, &known("namespaces.…", &[&OF_BOTH, &OF_NAMESPACES])));
            }
        }
    }
    let weaker = rules.on_shared_down == Some(OnSharedDown::Proceed)
        || rules.degraded_ttl.is_some_and(|degraded| !degraded.is_zero());
    if rules.strict && weaker {
        return Err(Error::invalid_config(format!(
            "`strict` at line {strict_at} means on_shared_down = \"fail\" and degraded_ttl = \"0s\", and this namespace \
             says otherwise; leave one of them out"
        )));
    }
    Ok(rules)
}

fn read_both(rules: &mut Overrides, name: &str, field: &Field<'_>) -> Result<()> {
    match name {
        "mode" => rules.mode = Some(field.parsed::<Mode>("local, shared or consistent")?),
        "copy_ttl" => rules.copy_ttl = Some(field.duration()?),
        "local_ttl" => rules.local_ttl = Some(field.duration()?),
        "degraded_ttl" => rules.degraded_ttl = Some(field.duration()?),
        _ => rules.on_shared_down = Some(field.parsed::<OnSharedDown>("fail or proceed")?),
    }
    Ok(())
}

fn known(table: &str, names: &[&[&str]]) -> String {
    names.concat().iter().map(|name| format!("{table}.{name}")).collect::<Vec<_>>().join(", ")
}

/// Lets variables of the environment take the place of what the file says.
pub(super) fn apply_env(promises: &mut Promises, read: impl Fn(&str) -> Result<Option<String>>) -> Result<()> {
    const BOUND: &str = "HALLWAY_BOUND";
    const POLICY: &str = "HALLWAY_ON_SHARED_DOWN";
    const SINGLE: &str = "HALLWAY_SINGLE_INSTANCE";
    if let Some(text) = read(BOUND)? {
        let bound = parse_duration(&text);
        promises.bound = Some(bound.ok_or_else(|| needs(BOUND, "a duration with a unit, such as 1s or 250ms"))?);
    }
    if let Some(text) = read(POLICY)? {
        let policy = text.parse::<OnSharedDown>().map_err(|_| needs(POLICY, "fail or proceed"))?;
        promises.defaults.on_shared_down = Some(policy);
    }
    if let Some(text) = read(SINGLE)? {
        promises.single_instance = match text.as_str() {
            "1" | "true" => true,
            "0" | "false" => false,
            _ => return Err(needs(SINGLE, "1 or 0")),
        };
    }
    Ok(())
}

fn needs(name: &str, what: &str) -> Error {
    Error::invalid_config(format!("{name} needs {what}"))
}

fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

impl<'a> Field<'a> {
    fn new(table: &str, key: &Spanned<impl AsRef<str>>, value: &'a Spanned<DeValue<'a>>, text: &str) -> Self {
        let line = line_of(text, key.span().start);
        let name = format!("{table}.{}", key.get_ref().as_ref());
        Self { name, line, value: value.get_ref() }
    }

    fn duration(&self) -> Result<Duration> {
        let duration = if let DeValue::String(text) = self.value { parse_duration(text) } else { None };
        duration.ok_or_else(|| self.must_be("a duration with a unit in quotes, such as \"1s\" or \"250ms\""))
    }

    fn boolean(&self) -> Result<bool> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.must_be("true or false, without quotes")),
        }
    }

    fn parsed<T: std::str::FromStr>(&self, choices: &str) -> Result<T> {
        let parsed = if let DeValue::String(text) = self.value { text.parse().ok() } else { None };
        parsed.ok_or_else(|| self.must_be(&format!("{choices}, in quotes")))
    }

    /// Never quotes the value: it may be a URL in the wrong place.
    fn must_be(&self, what: &str) -> Error {
        Error::invalid_config(format!("`{}` at line {} must be {what}", self.name, self.line))
    }
}

#[cfg(test)]
mod tests {
    use hallway_core::ErrorKind;

    use super::super::Config;
    use super::*;

    fn refused(text: &str, words: &str) {
        let error = Config::from_toml_str(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn reads_every_field() {
        let text = "[tiers]\nbound = '2s'\nshared_deadline = '100ms'\nsingle_instance = true\nmode = 'shared'\n\
                    copy_ttl = '1h'\nlocal_ttl = '1m'\ndegraded_ttl = '0s'\non_shared_down = 'fail'\n\
                    [namespaces.'user:profile']\nmode = 'consistent'\nstrict = true\ndegraded_ttl = '0s'\n";
        let seconds = |n| Some(Duration::from_secs(n));
        let expected = Promises {
            single_instance: true,
            bound: seconds(2),
            shared_deadline: Some(Duration::from_millis(100)),
            defaults: Overrides {
                mode: Some(Mode::Shared),
                copy_ttl: seconds(3_600),
                local_ttl: seconds(60),
                degraded_ttl: seconds(0),
                on_shared_down: Some(OnSharedDown::Fail),
                strict: false,
            },
            namespaces: vec![(
                "user:profile".to_owned(),
                Rules::Inherited(Overrides {
                    mode: Some(Mode::Consistent),
                    degraded_ttl: seconds(0),
                    strict: true,
                    ..Overrides::default()
                }),
            )],
            ..Promises::default()
        };
        assert_eq!(Config::from_toml_str(text).unwrap().promises, expected);
    }

    #[test]
    fn refuses_what_it_does_not_know_and_names_what_it_does() {
        refused("[tiers]\nbuond = '1s'", "unknown field `buond` at line 2; known: tiers.bound, tiers.shared_deadline");
        refused("[tiers]\nstrict = true", "tiers.on_shared_down");
        refused("[namespaces.a]\nbound = '1s'", "unknown field `bound` at line 2; known: namespaces.….mode");
        refused("[namespaces.user.profile]\nmode = 'shared'", "[namespaces.\"user:profile\"]");
        refused("[namespaces]\na = 1", "line 2");
        refused("tiers = 1", "`tiers` at line 1 must be a table: [tiers]");
    }

    #[test]
    fn refuses_values_that_a_field_cannot_have() {
        refused("[tiers]\nbound = 1", "`tiers.bound` at line 2 must be a duration with a unit in quotes");
        refused("[tiers]\nbound = '1'", "a duration with a unit");
        refused("[tiers]\nlocal_ttl = 'redis://:hunter2@h'", "`tiers.local_ttl` at line 2");
        refused("[tiers]\nmode = 'hunter2'", "must be local, shared or consistent");
        refused("[tiers]\nsingle_instance = 'true'", "true or false, without quotes");
        refused("[tiers]\non_shared_down = 'maybe'", "fail or proceed");
        refused("[namespaces.'a::b']\nmode = 'shared'", "line 1");
        refused("[namespaces.a]\nstrict = true\non_shared_down = 'proceed'", "`strict` at line 2");
        refused("[namespaces.a]\ndegraded_ttl = '1s'\nstrict = true", "`strict` at line 3");
    }

    #[test]
    fn the_environment_overrides_tiers() {
        let file = "[tiers]\nbound = '2s'\non_shared_down = 'proceed'\nsingle_instance = true\n";
        let apply = |pairs: &[(&str, &str)]| {
            let mut promises = Config::from_toml_str(file).unwrap().promises;
            let find = |name: &str| Ok(pairs.iter().find(|(known, _)| *known == name).map(|(_, v)| v.to_string()));
            apply_env(&mut promises, find).map(|()| promises)
        };
        let promises =
            apply(&[("HALLWAY_BOUND", "500ms"), ("HALLWAY_ON_SHARED_DOWN", "fail"), ("HALLWAY_SINGLE_INSTANCE", "0")])
                .unwrap();
        assert_eq!(promises.bound, Some(Duration::from_millis(500)));
        assert_eq!(promises.defaults.on_shared_down, Some(OnSharedDown::Fail));
        assert!(!promises.single_instance);
        assert!(apply(&[]).unwrap().single_instance);
        for (name, value) in
            [("HALLWAY_BOUND", "1"), ("HALLWAY_ON_SHARED_DOWN", "no"), ("HALLWAY_SINGLE_INSTANCE", "yes")]
        {
            let error = apply(&[(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
