//! What a `MokaStore` is told when it is made.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Clock, Error, MAX_KEY_BYTES, Result, StoreUrl, SystemClock, ValueCap};

use crate::MokaStore;

/// What an entry costs beyond its key and its value.
pub(crate) const ENTRY_OVERHEAD: u64 = 128;

const DEFAULT_MAX_BYTES: u64 = 64 << 20;
const LEAST_MAX_BYTES: u64 = 1 << 10;

/// Settings of a [`MokaStore`].
#[derive(Debug, Clone)]
#[must_use = "a configuration does nothing until `build`"]
pub struct MokaConfig {
    max_bytes: Option<u64>,
    max_entries: Option<u64>,
    max_value: Option<u64>,
    clock: Arc<dyn Clock>,
}

impl Default for MokaConfig {
    fn default() -> Self {
        Self { max_bytes: None, max_entries: None, max_value: None, clock: Arc::new(SystemClock) }
    }
}

/// The bound that the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Bytes(u64),
    Entries(u64),
}

impl MokaConfig {
    /// The most bytes to hold: keys, values and 128 for each entry. `max` in a URL.
    ///
    /// Default: 64 MiB.
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// The most entries to hold, instead of a bound in bytes; memory then ends at `entries` x the largest value.
    /// `max_entries` in a URL.
    ///
    /// Default: none, the bound is in bytes. Meant for comparing hit ratios at a given capacity.
    pub fn with_max_entries(mut self, entries: u64) -> Self {
        self.max_entries = Some(entries);
        self
    }

    /// The largest value in bytes. `max_value` in a URL.
    ///
    /// Default: 1 MiB, or less where `max` has no room for that.
    pub fn with_max_value(mut self, bytes: u64) -> Self {
        self.max_value = Some(bytes);
        self
    }

    /// The clock that decides expiry.
    ///
    /// Default: [`SystemClock`].
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the settings and makes the store.
    ///
    /// # Errors
    /// `InvalidConfig` if the settings contradict each other or have no room for one entry.
    /// `Overloaded` if the system gives no thread for the sweeper.
    pub fn build(self) -> Result<MokaStore> {
        let (bound, value_cap) = self.check().map_err(|error| error.at("moka", "open"))?;
        MokaStore::start(bound, value_cap, self.clock)
    }

    /// Takes the options out of a `moka:` URL.
    ///
    /// # Errors
    /// `InvalidConfig` naming the option and what it needs.
    pub(crate) fn from_url(mut url: StoreUrl) -> Result<Self> {
        if url.scheme() != "moka" {
            return Err(Error::invalid_config("the scheme of the in-process store is `moka:`"));
        }
        if url.as_url().has_host() || !url.as_url().path().is_empty() {
            return Err(Error::invalid_config(
                "`moka:` names no place; write its options after a question mark: `moka:?max=64MiB`",
            ));
        }
        // Every store takes it. Calls to this one never wait, so it has nothing to bound.
        let _: Option<Duration> = url.take_duration("deadline")?;
        let config = Self {
            max_bytes: url.take_size("max")?,
            max_entries: url.take_parsed("max_entries", "a whole number of entries, such as 1024")?,
            max_value: url.take_size("max_value")?,
            ..Self::default()
        };
        url.finish()?;
        Ok(config)
    }

    fn check(&self) -> Result<(Bound, ValueCap)> {
        match (self.max_bytes, self.max_entries) {
            (Some(_), Some(_)) => Err(Error::invalid_config(
                "`max` bounds the store in bytes, `max_entries` in entries; give one of them",
            )),
            (None, Some(0)) => Err(Error::invalid_config("`max_entries` must be at least 1")),
            (None, Some(entries)) => Ok((Bound::Entries(entries), self.value_cap(u64::MAX)?)),
            (max, None) => {
                let max = max.unwrap_or(DEFAULT_MAX_BYTES);
                if max < LEAST_MAX_BYTES {
                    return Err(Error::invalid_config(format!(
                        "`max` of {max} bytes has no room for one entry; it needs at least {LEAST_MAX_BYTES}"
                    )));
                }
                Ok((Bound::Bytes(max), self.value_cap(max - ENTRY_OVERHEAD - MAX_KEY_BYTES as u64)?))
            }
        }
    }

    /// A value that can never be kept is refused rather than dropped in silence.
    fn value_cap(&self, room: u64) -> Result<ValueCap> {
        match self.max_value {
            Some(bytes) if bytes > room => Err(Error::invalid_config(format!(
                "`max` has no room for a value of {bytes} bytes; raise `max` or lower `max_value` to {room}"
            ))),
            Some(bytes) => ValueCap::new(bytes),
            None => ValueCap::new((ValueCap::default().bytes() as u64).min(room)),
        }
    }
}

#[cfg(test)]
mod tests {
    use hallway_core::ErrorKind;

    use super::*;

    fn check(text: &str) -> Result<(Bound, usize)> {
        let config = MokaConfig::from_url(StoreUrl::parse(text)?)?;
        config.check().map(|(bound, cap)| (bound, cap.bytes()))
    }

    #[test]
    fn urls_become_bounds() {
        assert_eq!(check("moka:").unwrap(), (Bound::Bytes(64 << 20), 1 << 20));
        assert_eq!(check("moka:?max=64MiB").unwrap(), (Bound::Bytes(64 << 20), 1 << 20));
        assert_eq!(check("moka:?max=100MiB&max_value=16MiB").unwrap(), (Bound::Bytes(100 << 20), 16 << 20));
        assert_eq!(check("moka:?max_entries=1024&deadline=250ms").unwrap(), (Bound::Entries(1024), 1 << 20));
        assert_eq!(check("moka:?max=1KiB").unwrap(), (Bound::Bytes(1024), 1024 - 640));
    }

    #[test]
    fn every_refusal_names_the_option() {
        for (text, word) in [
            ("moka:?max=0", "max"),
            ("moka:?max=lots", "max"),
            ("moka:?max=100", "max"),
            ("moka:?max_entries=0", "max_entries"),
            ("moka:?max_entries=-1", "max_entries"),
            ("moka:?max=1MiB&max_entries=5", "max_entries"),
            ("moka:?max=1MiB&max_value=1MiB", "max_value"),
            ("moka:?max_value=17MiB", "16 MiB"),
            ("moka:?maximum=1MiB", "known options: deadline, max, max_entries, max_value"),
            ("moka:?deadline=0s", "deadline"),
            ("moka:cache", "moka:?max=64MiB"),
            ("moka://host", "moka:?max=64MiB"),
            ("redis://host", "moka:"),
        ] {
            let error = check(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
            assert!(error.to_string().contains(word), "{text}: {error}");
        }
    }
}
