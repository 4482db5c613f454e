//! A recorder that remembers everything it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// Clones share what is remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    described: BTreeMap<String, String>,
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    histograms: BTreeMap<String, Vec<f64>>,
}

impl Recorded {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap()
    }

    /// The count of a series, written as `name{label=value}`.
    pub(super) fn counter(&self, series: &str) -> Option<u64> {
        self.lock().counters.get(series).copied()
    }

    pub(super) fn gauge(&self, series: &str) -> Option<f64> {
        self.lock().gauges.get(series).copied()
    }

    pub(super) fn histogram(&self, series: &str) -> Vec<f64> {
        self.lock().histograms.get(series).cloned().unwrap_or_default()
    }

    /// Every series that has a value.
    pub(super) fn series(&self) -> BTreeSet<String> {
        let memory = self.lock();
        memory.counters.keys().chain(memory.gauges.keys()).chain(memory.histograms.keys()).cloned().collect()
    }

    /// The metrics that have values, and those that were described.
    pub(super) fn names(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let name = |series: String| series.split('{').next().unwrap().to_owned();
        (self.series().into_iter().map(name).collect(), self.lock().described.keys().cloned().collect())
    }

    /// All that it was told, as text.
    pub(super) fn text(&self) -> String {
        format!("{:?}", self.lock())
    }

    fn describe(&self, name: &KeyName, help: &SharedString) {
        self.lock().described.insert(name.as_str().to_owned(), help.to_string());
    }

    fn one(&self, key: &Key) -> Arc<One> {
        let labels: BTreeSet<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let labels = Vec::from_iter(labels).join(",");
        let name = key.name();
        let series = if labels.is_empty() { name.to_owned() } else { format!("{name}{{{labels}}}") };
        Arc::new(One { recorded: self.clone(), series })
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

struct One {
    recorded: Recorded,
    series: String,
}

impl CounterFn for One {
    fn increment(&self, by: u64) {
        *self.recorded.lock().counters.entry(self.series.clone()).or_default() += by;
    }

    fn absolute(&self, value: u64) {
        let before = self.recorded.lock().counters.insert(self.series.clone(), value);
        assert!(before <= Some(value), "{} went back from {before:?} to {value}", self.series);
    }
}

impl GaugeFn for One {
    fn increment(&self, by: f64) {
        *self.recorded.lock().gauges.entry(self.series.clone()).or_default() += by;
    }

    fn decrement(&self, by: f64) {
        GaugeFn::increment(self, -by);
    }

    fn set(&self, value: f64) {
        self.recorded.lock().gauges.insert(self.series.clone(), value);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.recorded.lock().histograms.entry(self.series.clone()).or_default().push(value);
    }
}
