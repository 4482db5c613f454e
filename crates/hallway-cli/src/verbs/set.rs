//! `hallway set`.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read as _};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use hallway::{Capability, HARD_VALUE_CAP, SetOptions, Ttl};
use serde_json::json;

use super::yes_or_no;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::store_args::StoreArgs;
use crate::{key_args, ttl};

#[derive(Args)]
pub(crate) struct Set {
    #[arg(help = key_args::KEY_HELP)]
    key: String,
    /// Value; `-`, or nothing when input is piped, reads it from standard input
    #[arg(allow_hyphen_values = true)]
    value: Option<OsString>,
    /// How long it lives: 5m, 90s, 250ms, up to 10 years; or `forever`
    #[arg(long, value_parser = ttl::parse, allow_hyphen_values = true)]
    ttl: Ttl,
    /// Only if the key is not there
    #[arg(long, group = "condition")]
    if_absent: bool,
    /// Only if the key is there
    #[arg(long, group = "condition")]
    if_present: bool,
    /// Only if the key is there with exactly this value
    #[arg(long, value_name = "VALUE", group = "condition", allow_hyphen_values = true)]
    if_equals: Option<OsString>,
    #[command(flatten)]
    store: StoreArgs,
}

impl Set {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let key = key_args::key(&self.key)?;
        let target = self.store.target()?;
        let value = read_value(self.value)?;
        let opts = SetOptions::new(self.ttl);
        let opts = match self.if_equals {
            Some(expected) => opts.if_equals(Bytes::from(expected.into_encoded_bytes())),
            None if self.if_absent => opts.if_absent(),
            None if self.if_present => opts.if_present(),
            None => opts,
        };
        let store = target.open().await?;
        let written = store.set(&key, value, opts).await?.is_written();
        if !store.capabilities().has(Capability::Shared) && !store.capabilities().has(Capability::Durable) {
            note("note: this store lives in the process that uses it, so what was set is gone now");
        }
        output.answer(&json!({ "key": key.as_str(), "written": written }), || {
            if written { String::new() } else { "not written: the condition does not hold".to_owned() }
        })?;
        Ok(yes_or_no(written))
    }
}

fn read_value(argument: Option<OsString>) -> Result<Bytes, Failure> {
    match argument {
        Some(value) if value != "-" => Ok(Bytes::from(value.into_encoded_bytes())),
        None if io::stdin().is_terminal() => {
            Err(Failure::usage("no value; give one after the key, or pipe it in, or type it after `-`"))
        }
        _ => {
            // One byte more than any store takes, so that the store can refuse it.
            let mut value = Vec::new();
            io::stdin()
                .lock()
                .take(HARD_VALUE_CAP as u64 + 1)
                .read_to_end(&mut value)
                .map_err(|error| Failure::local("cannot read the value from standard input", error))?;
            Ok(Bytes::from(value))
        }
    }
}
