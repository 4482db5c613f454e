//! Which store has the sessions.

use std::sync::Arc;

use hallway_core::{Capability, Error, KvStore, Result, TierName};

/// The one store that has them: of tiers the shared one, else the consistent one, else the local one; what survives a
/// restart if they are to be durable. Never one that answers from copies.
///
/// # Errors
/// `InvalidConfig` if it cannot do what sessions need.
pub(crate) fn home(store: &Arc<dyn KvStore>, durable: bool) -> Result<Arc<dyn KvStore>> {
    let tier = |name| store.tier(name);
    let one = if durable {
        let is_single = || tier(TierName::Shared).or_else(|| tier(TierName::Local)).is_none();
        let one = tier(TierName::Consistent).or_else(|| is_single().then(|| Arc::clone(store)));
        one.filter(|one| one.capabilities().has(Capability::Durable)).ok_or_else(|| {
            Error::invalid_config(
                "durable sessions need a consistent tier; set HALLWAY_CONSISTENT, or leave `durable()` out",
            )
        })?
    } else {
        tier(TierName::Shared)
            .or_else(|| tier(TierName::Consistent))
            .or_else(|| tier(TierName::Local))
            .or_else(|| store.direct())
            .unwrap_or_else(|| Arc::clone(store))
    };
    for needed in [Capability::ConditionalDelete, Capability::ConditionalSet, Capability::Touch] {
        if !one.capabilities().has(needed) {
            return Err(Error::invalid_config(format!(
                "sessions need {needed:?}, which this store cannot do; use moka, Redis or SQL"
            )));
        }
    }
    Ok(one)
}
