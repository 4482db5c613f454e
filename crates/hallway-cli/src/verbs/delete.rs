//! `hallway delete`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::yes_or_no;
use crate::failure::Failure;
use crate::key_args;
use crate::output::Output;
use crate::store_args::StoreArgs;

#[derive(Args)]
pub(crate) struct Delete {
    #[arg(help = key_args::KEY_HELP, required_unless_present = "prefix", conflicts_with = "prefix")]
    key: Option<String>,
    /// Delete every key below this prefix; needs --yes
    #[arg(long)]
    prefix: Option<String>,
    /// Confirm the deletion of a prefix
    #[arg(long, requires = "prefix")]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
}

impl Delete {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        match (&self.key, &self.prefix) {
            (Some(key), _) => self.one(key, output).await,
            (None, Some(prefix)) => self.all_below(prefix, output).await,
            (None, None) => Err(Failure::usage("name a key or a --prefix")),
        }
    }

    async fn one(&self, key: &str, output: Output) -> Result<ExitCode, Failure> {
        let key = key_args::key(key)?;
        let deleted = self.store.open().await?.delete(&key).await?;
        output.answer(&json!({ "key": key.as_str(), "deleted": deleted }), || {
            if deleted { String::new() } else { "not there".to_owned() }
        })?;
        Ok(yes_or_no(deleted))
    }

    async fn all_below(&self, prefix: &str, output: Output) -> Result<ExitCode, Failure> {
        let prefix = key_args::prefix(prefix)?;
        let physical = prefix.to_physical();
        if !self.yes {
            return Err(Failure::usage(format!(
                "this deletes every key below `{physical}`; add --yes, or look first with: hallway scan {physical}"
            )));
        }
        let deleted = self.store.open().await?.clear(&prefix).await?;
        output.answer(&json!({ "prefix": physical, "deleted": deleted }), || format!("{deleted} deleted"))?;
        Ok(ExitCode::SUCCESS)
    }
}
