//! Writing through the one plan of a namespace.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hallway_core::{Error, ErrorKind, Key, KvStore, Result};

use super::TieredStore;
use crate::engine::{Ending, Outcome};
use crate::observe;
use crate::settings::Rules;
use crate::table::Authority;

/// Whether there are no copies to protect, so that a call goes straight to the authority.
pub(super) fn is_plain(rules: &Rules) -> bool {
    !rules.plan.local_copies && !rules.plan.shared_copies
}

impl TieredStore {
    /// Writes `keys` by `op`, which gets the authority: announce, write, end, acknowledge. It goes on when the caller
    /// leaves.
    pub(super) async fn write<T, F>(
        &self,
        operation: &'static str,
        keys: &[Key],
        rules: &Arc<Rules>,
        op: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<dyn KvStore>) -> BoxFuture<'static, Result<T>> + Send + 'static,
    {
        let store = Arc::clone(self.authority(rules)?);
        if is_plain(rules) {
            return op(store).await;
        }
        let (engine, keys, rules) = (Arc::clone(&self.engine), keys.to_vec(), Arc::clone(rules));
        let span = observe::of_write(operation, keys.first().map_or("", Key::namespace_str), keys.len());
        let write = async move {
            let outbox = rules.plan.authority == Authority::Consistent && store.as_authority().is_some();
            let ending = Ending { outbox, hard_ttl: rules.options.ttl, generation: None };
            let announce = rules.plan.shared_copies;
            let writing = engine.begin_write(&keys, announce, rules.options.on_shared_down, ending).await?;
            let store = match store.as_authority() {
                Some(authority) if writing.must_enlist() => authority.enlisting(),
                _ => store,
            };
            let result = op(store).await;
            let unknown = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Indeterminate);
            writing.end(if unknown { Outcome::Unknown } else { Outcome::Known }).await;
            result
        };
        let task = tokio::spawn(observe::written(span, operation, write));
        let ended = async {
            task.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Indeterminate, "the runtime ended during a write")))
        };
        match self.deadline {
            None => ended.await,
            Some(deadline) => match tokio::time::timeout(deadline, ended).await {
                Ok(result) => result,
                Err(_) => Err(super::late(ErrorKind::Indeterminate, deadline).at("tiered", operation)),
            },
        }
    }
}
