//! `hallway touch`.

use std::process::ExitCode;

use clap::Args;
use hallway::Ttl;
use serde_json::json;

use super::yes_or_no;
use crate::failure::Failure;
use crate::output::Output;
use crate::store_args::StoreArgs;
use crate::{key_args, ttl};

#[derive(Args)]
pub(crate) struct Touch {
    #[arg(help = key_args::KEY_HELP)]
    key: String,
    /// How long it lives from now: 5m, 90s, 250ms, up to 10 years; or `forever`
    #[arg(long, value_parser = ttl::parse, allow_hyphen_values = true)]
    ttl: Ttl,
    #[command(flatten)]
    store: StoreArgs,
}

impl Touch {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let key = key_args::key(&self.key)?;
        let touched = self.store.open().await?.touch(&key, self.ttl).await?;
        output.answer(&json!({ "key": key.as_str(), "touched": touched }), || {
            if touched { String::new() } else { "not there".to_owned() }
        })?;
        Ok(yes_or_no(touched))
    }
}
