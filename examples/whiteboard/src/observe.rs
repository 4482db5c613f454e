//! The Prometheus endpoint: what hallway tells the recorder of this process, as text.

use std::fmt;
use std::sync::Arc;

use hallway::metrics::{BUCKETS, Exporter};
use hallway::session::Sessions;
use hallway::{Cache, Error, TieredStore};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::profile::Profile;
use crate::user::User;

/// Where metrics of this process are collected.
#[derive(Clone)]
pub(crate) struct Recorder(PrometheusHandle);

impl Recorder {
    /// Makes it the recorder of the process. Before anything is opened, so that nothing is missed.
    ///
    /// # Errors
    /// `InvalidConfig` if there is one already.
    pub(crate) fn install() -> Result<Self, Error> {
        let cannot = |error: BuildError| Error::invalid_config("cannot record metrics").with_source(error);
        // Histograms add up over instances; what the recorder makes without buckets does not.
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), BUCKETS);
        builder.map_err(cannot)?.install_recorder().map(Self).map_err(cannot)
    }

    /// What is to be told of, besides what tells of itself.
    pub(crate) fn watch(self, tiers: &TieredStore, profiles: &Cache<Profile>, sessions: &Sessions<User>) -> Metrics {
        let exporter = Exporter::new(tiers).with_cache(profiles).with_counted(sessions.clone());
        Metrics { recorder: self, exporter: Arc::new(exporter) }
    }
}

/// What Prometheus is told when it asks.
#[derive(Clone)]
pub(crate) struct Metrics {
    recorder: Recorder,
    exporter: Arc<Exporter>,
}

impl Metrics {
    pub(crate) fn render(&self) -> String {
        self.exporter.report();
        let Recorder(handle) = &self.recorder;
        handle.run_upkeep();
        handle.render()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}
