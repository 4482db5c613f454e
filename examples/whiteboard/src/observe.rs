//! The Prometheus endpoint: what hallway tells the recorder of this process, as text.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hallway::metrics::{BUCKETS, Exporter};
use hallway::session::Sessions;
use hallway::{Cache, Error, TieredStore};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::task::JoinHandle;

use crate::profile::Profile;
use crate::user::User;

/// How often samples of histograms are summed up. Until then the recorder keeps every one of them.
const UPKEEP: Duration = Duration::from_secs(5);

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

    /// Sums up the samples at a pace, until the guard is dropped: the recorder does it by itself only when it is asked, and
    /// where nobody asks its memory grows with every load.
    pub(crate) fn keep_up(&self) -> Upkeep {
        let Self(handle) = self.clone();
        Upkeep(tokio::spawn(async move {
            let mut pace = tokio::time::interval(UPKEEP);
            loop {
                pace.tick().await;
                handle.run_upkeep();
            }
        }))
    }

    /// What is to be told of, besides what tells of itself.
    pub(crate) fn watch(self, tiers: &TieredStore, profiles: &Cache<Profile>, sessions: &Sessions<User>) -> Metrics {
        let exporter = Exporter::new(tiers).with_cache(profiles).with_counted(sessions.clone());
        Metrics { recorder: self, exporter: Arc::new(exporter) }
    }
}

/// The upkeep of a recorder, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Upkeep(JoinHandle<()>);

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.0.abort();
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
        handle.render()
    }

    /// As [`Recorder::keep_up`].
    pub(crate) fn keep_up(&self) -> Upkeep {
        self.recorder.keep_up()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use metrics::with_local_recorder;

    use super::*;

    /// Whether samples of a histogram have been summed up. Rendering would do it, so the recorder is looked at instead.
    fn is_summed_up(recorder: &Recorder, histogram: &str) -> bool {
        let text = format!("{:?}", recorder.0);
        let (_, sums) = text.split_once("distributions: ").expect("the recorder shows its sums");
        let (sums, _) = sums.split_once("distribution_builder: ").expect("and what comes after them");
        sums.contains(histogram)
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_summed_up_though_nobody_asks_until_the_end() {
        let own = PrometheusBuilder::new().build_recorder();
        let recorder = Recorder(own.handle());
        let record = |name: &'static str| with_local_recorder(&own, || metrics::histogram!(name).record(1.0));
        let upkeep = recorder.keep_up();
        // Past the first tick, which comes at once.
        tokio::time::sleep(UPKEEP / 2).await;
        record("first_seconds");
        assert!(!is_summed_up(&recorder, "first_seconds"));
        tokio::time::sleep(UPKEEP).await;
        assert!(is_summed_up(&recorder, "first_seconds"));
        drop(upkeep);
        record("second_seconds");
        tokio::time::sleep(2 * UPKEEP).await;
        assert!(!is_summed_up(&recorder, "second_seconds"));
    }
}
