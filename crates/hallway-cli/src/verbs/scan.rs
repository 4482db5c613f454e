//! `hallway scan`.

use std::process::ExitCode;

use clap::Args;
use hallway::{Cursor, Prefix};
use serde_json::json;

use crate::failure::Failure;
use crate::key_args;
use crate::output::{Output, note};
use crate::store_args::StoreArgs;

/// Keys asked for at once.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct Scan {
    /// Only keys below this prefix, such as user:profile; all keys without one
    prefix: Option<String>,
    /// Most keys to list
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Go on where an earlier listing ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

impl Scan {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let prefix = self.prefix.as_deref().map_or_else(|| Ok(Prefix::root()), key_args::prefix)?;
        let store = self.store.open().await?;
        let mut left = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut next = self.after.map(Cursor::new);
        // Text goes out page by page; JSON is one document, so it is gathered.
        let mut gathered = Vec::new();
        loop {
            let page = store.scan(&prefix, next.clone(), left.min(PAGE)).await?;
            left = left.saturating_sub(page.keys.len());
            if output.json {
                gathered.extend(page.keys.iter().map(|key| key.as_str().to_owned()));
            } else {
                output.line(&page.keys.iter().map(hallway::Key::as_str).collect::<Vec<_>>().join("\n"))?;
            }
            // An empty page that leads back to itself would never end.
            let stuck = page.keys.is_empty() && page.next == next;
            next = page.next;
            if next.is_none() || left == 0 || stuck {
                break;
            }
        }
        let cursor = next.as_ref().map(Cursor::as_str);
        if output.json {
            output.json(&json!({ "prefix": prefix.to_physical(), "keys": gathered, "next": cursor }))?;
        } else if let Some(cursor) = cursor {
            note(&format!("more keys may follow; raise --limit or go on with --after {}", shell_word(cursor)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Quoted so that a shell takes it as one word, whatever is in it: keys may hold quotes.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["", "plain", "it's", "''", "$HOME `id` \"; \\"] {
            let output =
                std::process::Command::new("sh").args(["-c", &format!("printf %s {}", shell_word(text))]).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
        }
    }
}
