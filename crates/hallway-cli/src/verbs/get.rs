//! `hallway get`.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use hallway::{Entry, Ttl};
use serde::Serialize;

use super::yes_or_no;
use crate::failure::Failure;
use crate::key_args;
use crate::output::Output;
use crate::store_args::StoreArgs;

#[derive(Args)]
pub(crate) struct Get {
    #[arg(help = key_args::KEY_HELP)]
    key: String,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Serialize)]
struct Answer<'a> {
    key: &'a str,
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    /// Where the value is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    /// `null` for no expiry and for no entry.
    ttl_ms: Option<u128>,
}

impl Get {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let key = key_args::key(&self.key)?;
        let entry = self.store.open().await?.get_entry(&key).await?;
        if output.json {
            output.json(&answer(key.as_str(), entry.as_ref()))?;
        } else if let Some(entry) = &entry {
            output.bytes(&entry.value)?;
        }
        Ok(yes_or_no(entry.is_some()))
    }
}

fn answer<'a>(key: &'a str, entry: Option<&'a Entry>) -> Answer<'a> {
    let Some(Entry { value, remaining }) = entry else {
        return Answer { key, found: false, value: None, value_base64: None, ttl_ms: None };
    };
    let text = std::str::from_utf8(value).ok();
    let value_base64 = text.is_none().then(|| STANDARD.encode(value));
    Answer { key, found: true, value: text, value_base64, ttl_ms: remaining_ms(*remaining) }
}

fn remaining_ms(ttl: Ttl) -> Option<u128> {
    ttl.duration().map(|rest| rest.as_millis())
}
