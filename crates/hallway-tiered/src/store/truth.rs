//! Asking the consistent tier: counted, measured, and in a span.

use std::future::Future;

use futures_util::FutureExt;
use futures_util::future::Either;
use hallway_core::{Key, Result};

use super::TieredStore;
use crate::observe::{self, Began};
use crate::settings::Rules;
use crate::table::Authority;

impl TieredStore {
    /// Runs a read of these keys, of one namespace, by the consistent tier. Nothing else belongs to its load.
    pub(super) fn truth<T>(
        &self,
        rules: &Rules,
        keys: &[Key],
        read: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let span = observe::of_load("load", keys.first().map_or("", Key::namespace_str), keys.len());
        observe::traced(span, self.truth_within(rules, keys.len(), read))
    }

    /// The same, within the span of a load that goes on afterwards.
    // Like `observe::traced`, no `async` block.
    pub(super) fn truth_within<T>(
        &self,
        rules: &Rules,
        keys: usize,
        read: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let began = Began::now();
        read.inspect(move |answer| {
            if answer.is_ok() {
                self.engine.counters.authority_reads.add(keys as u64);
            }
            observe::asked(&rules.label, &began, answer.as_ref().err());
        })
    }

    /// Runs a read that no copy may answer, or for which there are none. By any other authority than the consistent tier it
    /// is no more than that tier's own read.
    pub(super) fn exact<T>(
        &self,
        rules: &Rules,
        keys: &[Key],
        read: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        match rules.plan.authority {
            Authority::Consistent => Either::Left(self.truth(rules, keys, read)),
            Authority::Shared | Authority::Local => Either::Right(read),
        }
    }
}
