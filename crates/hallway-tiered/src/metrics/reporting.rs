//! Reports in the background.

use std::time::Duration;

use hallway_core::{Error, Result};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::Exporter;

/// Reports in the background, until it is dropped.
#[derive(Debug)]
#[must_use = "reports end when this is dropped"]
pub struct Reporting(AbortHandle);

impl Reporting {
    pub(super) fn start(exporter: Exporter, pace: Duration) -> Result<Self> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(Error::invalid_config("reports in the background need a tokio runtime; call it within one"));
        };
        let reports = async move {
            while exporter.report() {
                tokio::time::sleep(pace).await;
            }
        };
        Ok(Self(runtime.spawn(reports).abort_handle()))
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.0.abort();
    }
}
