//! Waiting for tiers to connect, which they do in the background.

use std::time::{Duration, Instant};

use hallway::TieredStore;

use crate::Result;

/// Looks at the health of tiers until they are ready: there is nothing that tells.
///
/// # Errors
/// If they are not within this time; the message says what is missing.
pub async fn until_ready(tiers: &TieredStore, patience: Duration) -> Result<()> {
    let start = Instant::now();
    while !tiers.health().is_ready() {
        if start.elapsed() > patience {
            return Err(format!("the tiers are not ready: {:?}", tiers.health()).into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
