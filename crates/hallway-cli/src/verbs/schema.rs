//! `hallway schema`.

use std::process::ExitCode;

use clap::Args;
use hallway::Error;
use hallway::sql::{SqlConfig, schema_sql};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::store_args::StoreArgs;

/// The table of a URL that names none.
const DEFAULT_TABLE: &str = "hallway_kv";

#[derive(Args)]
pub(crate) struct Schema {
    /// Print the statements; nothing is connected to or changed
    #[arg(long, required = true)]
    print: bool,
    #[command(flatten)]
    store: StoreArgs,
}

impl Schema {
    pub(crate) fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let target = self.store.target()?;
        let dialect = target.parsed().scheme();
        if !matches!(dialect, "sqlite" | "postgres" | "postgresql") {
            return Err(
                Error::invalid_config("only SQL stores have a schema; name a sqlite: or postgres:// store").into()
            );
        }
        // A URL that could not be opened has no schema either.
        let mut url = target.parsed().clone();
        url.take("connect");
        SqlConfig::from_url(url)?;
        let table = target.option("table").unwrap_or_else(|| DEFAULT_TABLE.to_owned());
        let statements = schema_sql(dialect, &table)?;
        output.answer(&json!({ "dialect": dialect, "table": table, "sql": statements }), || {
            statements.trim_end().to_owned()
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
