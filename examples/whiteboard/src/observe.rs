//! The Prometheus endpoint: what the recorder has, as text.

use hallway::Error;
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

/// SEAM: until `hallway::metrics::Exporter` is there, the few numbers that the panel shows.
fn publish(app: &App) {
    let stats = app.profiles.stats();
    for (tier, hits) in [("local", stats.local_hits), ("shared", stats.shared_hits)] {
        metrics::counter!("hallway_cache_hits_total", "namespace" => "user:profile", "tier" => tier).absolute(hits);
    }
    metrics::counter!("hallway_cache_loads_total", "namespace" => "user:profile").absolute(stats.loads);
    metrics::gauge!("hallway_ready").set(f64::from(u8::from(app.tiers.health().is_ready())));
}
