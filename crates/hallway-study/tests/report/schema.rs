//! The JSON Schema says exactly what a report is.

use hallway_study::report::JSON_SCHEMA;
use serde_json::{Value, json};

use crate::sample;

/// The part of JSON Schema 2020-12 that ours uses; a keyword that is not known here is an error of the test.
struct Validator {
    root: Value,
    /// Whether what the schema does not name is wrong.
    strict: bool,
}

impl Validator {
    fn ours(strict: bool) -> Self {
        Self { root: serde_json::from_str(JSON_SCHEMA).unwrap(), strict }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        self.node(&self.root, value, "$")
    }

    fn node(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => {}
                "$ref" => {
                    let path = rule.as_str().unwrap().strip_prefix('#').expect("a place in this file");
                    self.node(self.root.pointer(path).unwrap_or_else(|| panic!("no {path}")), value, at)?;
                }
                "const" => hold(value == rule, at, format_args!("is not {rule}"))?,
                "enum" => hold(rule.as_array().unwrap().contains(value), at, format_args!("is none of {rule}"))?,
                "type" => {
                    let known = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
                    let fits = known.iter().any(|name| is_of(value, name.as_str().unwrap()));
                    hold(fits, at, format_args!("is no {rule}"))?;
                }
                "minimum" => {
                    let low = value.as_f64().is_some_and(|value| value < rule.as_f64().unwrap());
                    hold(!low, at, format_args!("is below {rule}"))?;
                }
                "minItems" | "maxItems" => {
                    let count = value.as_array().map_or(0, Vec::len) as u64;
                    let bound = rule.as_u64().unwrap();
                    let fits = if keyword == "minItems" { count >= bound } else { count <= bound };
                    hold(value.is_null() || fits, at, format_args!("has {count} items, {keyword} {rule}"))?;
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.node(rule, item, &format!("{at}[{index}]"))?;
                    }
                }
                "required" => {
                    for name in rule.as_array().unwrap() {
                        let has = value.get(name.as_str().unwrap()).is_some();
                        hold(has, at, format_args!("has no {name}"))?;
                    }
                }
                "properties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        match rule.get(name) {
                            Some(schema) => self.node(schema, value, &format!("{at}.{name}"))?,
                            None => hold(!self.strict, at, format_args!("has {name}, which is not described"))?,
                        }
                    }
                }
                "additionalProperties" => {
                    assert!(schema.get("properties").is_none(), "not both");
                    for (name, value) in value.as_object().into_iter().flatten() {
                        self.node(rule, value, &format!("{at}.{name}"))?;
                    }
                }
                "oneOf" => {
                    let found: Vec<_> =
                        rule.as_array().unwrap().iter().map(|schema| self.node(schema, value, at)).collect();
                    let fitting = found.iter().filter(|found| found.is_ok()).count();
                    hold(fitting == 1, at, format_args!("fits {fitting} of {found:?}"))?;
                }
                other => panic!("the test does not know the keyword {other}"),
            }
        }
        Ok(())
    }
}

fn hold(holds: bool, at: &str, wrong: std::fmt::Arguments<'_>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{at} {wrong}")) }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("no type {other}"),
    }
}

/// Every place in the value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

#[test]
fn a_report_is_what_the_schema_says_and_nothing_else() {
    let value = serde_json::to_value(sample::report()).unwrap();
    assert_eq!(Validator::ours(true).check(&value), Ok(()));
}

#[test]
fn whatever_is_missing_or_of_another_kind_is_found() {
    let validator = Validator::ours(false);
    let value = serde_json::to_value(sample::report()).unwrap();
    let mut all = Vec::new();
    places(&value, "", &mut all);
    assert!(all.len() > 1_000);
    // As many as are enough, spread over the whole report.
    for place in all.iter().step_by(7).chain(all.iter().filter(|place| place.matches('/').count() <= 3)) {
        let mut changed = value.clone();
        *changed.pointer_mut(place).unwrap() = json!([[true]]);
        assert!(validator.check(&changed).is_err(), "{place} may be anything");

        let Some((parent, name)) = place.rsplit_once('/') else { continue };
        let mut changed = value.clone();
        let is_map = parent.ends_with("/settings");
        if let (Some(fields), false) =
            (changed.pointer_mut(parent).unwrap().as_object_mut(), is_map || name == "winner")
        {
            fields.remove(name);
            assert!(validator.check(&changed).is_err(), "{place} may be missing");
        }
    }
}

#[test]
fn fields_that_a_later_version_adds_are_allowed() {
    let mut value = serde_json::to_value(sample::report()).unwrap();
    value["later"] = json!(1);
    value["crossovers"][0]["later"] = json!(1);
    assert_eq!(Validator::ours(false).check(&value), Ok(()));
    assert!(Validator::ours(true).check(&value).is_err(), "the strict one would have found it");
}

#[test]
fn a_map_of_choices_is_a_chart_too() {
    let axis = |label: &str| json!({"label": label, "unit": "count", "scale": "log"});
    let mut value = serde_json::to_value(sample::report()).unwrap();
    value["answers"][0]["figures"][0]["chart"] = json!({
        "kind": "choice_map", "title": "t", "x": axis("x"), "y": axis("y"), "xs": [1.0, 2.0], "ys": [1.0],
        "cells": [[0, null]], "options": ["a"],
    });
    assert_eq!(Validator::ours(true).check(&value), Ok(()));
    let report: hallway_study::report::Report = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(report).unwrap(), value);
    value["answers"][0]["figures"][0]["chart"]["cells"] = json!([[0.5]]);
    assert!(Validator::ours(true).check(&value).is_err());
}
