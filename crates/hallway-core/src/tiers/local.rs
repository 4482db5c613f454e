//! The local tier: a bounded map of decoded copies in this process.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::{Clock, Key};

/// A decoded copy of any type, shared by whoever reads it.
pub type Object = Arc<dyn Any + Send + Sync>;

/// A store that can be the local tier: beside its entries it keeps copies of what lives elsewhere, as decoded objects.
///
/// Copies and entries share the bound of the store but not their keys: no verb of `KvStore` ever sees a copy. The tier
/// only drops them for room or at their deadline; whether a copy may still answer is decided by who put it there.
pub trait LocalTier: fmt::Debug + Send + Sync {
    /// The copy of the key of this physical form, if there is one before its deadline.
    fn copy(&self, physical: &str) -> Option<Object>;
    /// Keeps a copy until `deadline`, an instant on [`clock`](Self::clock) in microseconds. It counts for `bytes` beside
    /// the key. A full store may drop it at once.
    fn keep(&self, key: &Key, copy: Object, deadline: u64, bytes: usize);
    /// Drops the copy of `key`.
    fn forget(&self, key: &Key);
    /// Notes that a copy was read elsewhere (a front of hot entries), so that it stays popular.
    fn record_hit(&self, physical: &str) {
        drop(self.copy(physical));
    }
    /// Whether something has to leave before anything new can stay. Then a copy that is read once is not worth the work.
    /// May lag behind by what was written lately.
    fn is_full(&self) -> bool;
    /// The clock of the deadlines.
    fn clock(&self) -> Arc<dyn Clock>;
}
