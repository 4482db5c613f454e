//! `hallway get`.

use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use hallway::{CopyHeader, CopyView, Entry, Key, Timestamp, Token, Ttl};
use serde::Serialize;

use super::yes_or_no;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::store_args::StoreArgs;
use crate::{key_args, ttl};

#[derive(Args)]
pub(crate) struct Get {
    #[arg(help = key_args::KEY_HELP)]
    key: String,
    /// Bytes as they stand; else a copy (`copy:…`) is taken apart: header to standard error, payload to standard output
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Serialize)]
struct Answer<'a> {
    key: &'a str,
    found: bool,
    /// What stands under the key of a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header<'a>>,
    /// Those who load or write.
    #[serde(skip_serializing_if = "Option::is_none")]
    holders: Option<Vec<Holder>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    /// Where the value is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    /// `null` for no expiry and for no entry.
    ttl_ms: Option<u128>,
}

#[derive(Serialize)]
struct Header<'a> {
    line: &'a str,
    codec: &'a str,
    ttl_ms: u128,
    soft_ms: u128,
    cost_us: u128,
    id: String,
    tags: &'a [String],
    age_ms: Option<u128>,
}

#[derive(Serialize)]
struct Holder {
    token: String,
    /// Of a marker; a lease ends with its entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl Get {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let key = key_args::key(&self.key)?;
        let entry = self.store.open().await?.get_entry(&key).await?;
        // What does not look like one is a value of somebody's own below `copy:`.
        let view = entry.as_ref().filter(|_| !self.raw && CopyView::source(&key).is_some());
        if let Some(entry) = view
            && let Ok(view) = CopyView::parse(&entry.value)
        {
            return show(&key, &view, entry.remaining, output);
        }
        if output.json {
            let value = entry.as_ref().map(|entry| &entry.value);
            output.json(&plain(key.as_str(), value, entry.as_ref().and_then(remaining_ms)))?;
        } else if let Some(entry) = &entry {
            output.bytes(&entry.value)?;
        }
        Ok(yes_or_no(entry.is_some()))
    }
}

/// A copy in its parts. A lease or a marker is no value: the answer is no.
fn show(key: &Key, view: &CopyView, remaining: Ttl, output: Output) -> Result<ExitCode, Failure> {
    let left = remaining.duration();
    let ends = left.map_or("never ends".to_owned(), |left| format!("ends in {}", whole(left)));
    let mut answer = plain(key.as_str(), None, left.map(|left| left.as_millis()));
    match view {
        CopyView::Value(header, payload) => {
            let age = left.map(|left| header.ttl.saturating_sub(left));
            if output.json {
                let shown = Answer { ttl_ms: answer.ttl_ms, ..plain(key.as_str(), Some(payload), None) };
                output.json(&Answer { state: Some("value"), header: Some(parts(header, age)), ..shown })?;
            } else {
                note(&format!("copy: {}", header.line));
                note(&format!("age: {}; {ends}", age.map_or("unknown".to_owned(), whole)));
                output.bytes(payload)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        CopyView::Lease(token) => {
            (answer.state, answer.holders) = (Some("lease"), Some(vec![holder(*token, None)]));
            if !output.json {
                note(&format!("lease: {token} loads; {ends}"));
            }
        }
        CopyView::Markers(writers) => {
            let holders = writers.iter().map(|(token, until)| holder(*token, Some(*until))).collect();
            (answer.state, answer.holders) = (Some("markers"), Some(holders));
            if !output.json {
                note(&format!("markers: {} writing; the last {ends}", writers.len()));
            }
        }
        _ => {}
    }
    if output.json {
        output.json(&answer)?;
    }
    Ok(yes_or_no(false))
}

fn parts(header: &CopyHeader, age: Option<Duration>) -> Header<'_> {
    Header {
        line: &header.line,
        codec: &header.codec,
        ttl_ms: header.ttl.as_millis(),
        soft_ms: header.soft.as_millis(),
        cost_us: header.cost.as_micros(),
        id: header.id.to_string(),
        tags: &header.tags,
        age_ms: age.map(|age| age.as_millis()),
    }
}

fn holder(token: Token, until: Option<Timestamp>) -> Holder {
    Holder { token: token.to_string(), until: until.map(ttl::rfc3339) }
}

fn plain<'a>(key: &'a str, value: Option<&'a Bytes>, ttl_ms: Option<u128>) -> Answer<'a> {
    let text = value.and_then(|value| std::str::from_utf8(value).ok());
    let value_base64 = value.filter(|_| text.is_none()).map(|value| STANDARD.encode(value));
    Answer { key, found: value.is_some(), state: None, header: None, holders: None, value: text, value_base64, ttl_ms }
}

/// Without what is smaller than a millisecond.
fn whole(duration: Duration) -> String {
    humantime::format_duration(Duration::from_millis(duration.as_millis() as u64)).to_string()
}

fn remaining_ms(entry: &Entry) -> Option<u128> {
    entry.remaining.duration().map(|rest| rest.as_millis())
}
