//! The Prometheus endpoint: what the recorder has, as text.

use hallway::{Error, TierHealth};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::state::App;

/// Where metrics of this process are collected.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Makes it the recorder of the process.
    ///
    /// # Errors
    /// `InvalidConfig` if there is one already.
    pub(crate) fn install() -> Result<Self, Error> {
        PrometheusBuilder::new()
            .install_recorder()
            .map(Self)
            .map_err(|error| Error::invalid_config("another recorder of metrics is in place").with_source(error))
    }

    /// What Prometheus is told.
    pub(crate) fn render(&self, app: &App) -> String {
        publish(app);
        self.0.run_upkeep();
        self.0.render()
    }
}

/// SEAM: a few of the numbers, under the names that `hallway::metrics::Exporter` will give them. Once that is there, its
/// `report()` takes the place of this function.
fn publish(app: &App) {
    let stats = app.profiles.stats();
    for (outcome, reads) in [("local", stats.local_hits), ("shared", stats.shared_hits), ("missed", stats.misses)] {
        metrics::counter!("hallway_cache_reads_total", "namespace" => "user:profile", "outcome" => outcome)
            .absolute(reads);
    }
    metrics::counter!("hallway_cache_loads_total", "namespace" => "user:profile").absolute(stats.loads);
    let health = app.tiers.health();
    for (tier, state) in [("local", health.local), ("shared", health.shared), ("consistent", health.consistent)] {
        if state != TierHealth::Absent {
            let is_ready = f64::from(u8::from(state == TierHealth::Ready));
            metrics::gauge!("hallway_tier_ready", "tier" => tier).set(is_ready);
        }
    }
}
