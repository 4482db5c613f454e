//! Listing and clearing: always by the authorities, one after the other where namespaces have different ones.

use hallway_core::{Capabilities, Capability, Cursor, Error, ErrorKind, Key, Page, Prefix, Result};

use super::{TieredStore, writes};
use crate::settings::Rules;
use crate::table::Authority;

/// Keys that `clear` deletes at a time.
const CLEAR_PAGE: usize = 512;

/// What all namespaces can do, and no more.
pub(super) fn capabilities(store: &TieredStore) -> Capabilities {
    let settings = &store.engine.settings;
    let of = |rules: &Rules| match store.authority(rules) {
        Ok(authority) => authority.capabilities(),
        Err(_) => Capabilities::none(),
    };
    let mut all = of(&settings.others);
    for rules in settings.namespaces.values() {
        let here = of(rules);
        all = all.iter().filter(|capability| here.has(*capability)).collect();
    }
    if authorities(store, &Prefix::root()).len() > 1 {
        all = all.without(Capability::OrderedScan);
    }
    if store.reads_locally(&settings.others) {
        all.with(Capability::LocalRead)
    } else {
        all.without(Capability::LocalRead)
    }
}

/// The authorities that keys below a prefix can have, in a fixed order.
fn authorities(store: &TieredStore, prefix: &Prefix) -> Vec<Authority> {
    let settings = &store.engine.settings;
    let mut found = vec![settings.rules(prefix.namespace().as_str()).plan.authority];
    for (namespace, rules) in &settings.namespaces {
        if prefix.matches(&format!("{}:", namespace.as_str())) {
            found.push(rules.plan.authority);
        }
    }
    found.sort_unstable_by_key(|authority| *authority as u8);
    found.dedup();
    found
}

pub(super) async fn scan(store: &TieredStore, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
    let authorities = authorities(store, prefix);
    if let [only] = authorities[..] {
        return store.stores.authority(only)?.scan(prefix, after, limit).await;
    }
    // Whose cursor it is stands before it.
    let (at, inner) = match after.as_ref().map(|cursor| cursor.as_str()) {
        None => (0, None),
        Some(text) => {
            let (at, inner) = text.split_once('|').unwrap_or(("0", text));
            (at.parse().unwrap_or(0), (!inner.is_empty()).then(|| Cursor::new(inner)))
        }
    };
    let Some(authority) = authorities.get(at) else { return Ok(Page { keys: Vec::new(), next: None }) };
    let page = store.stores.authority(*authority)?.scan(prefix, inner, limit).await?;
    let mine = |key: &Key| store.engine.settings.rules(key.namespace_str()).plan.authority == *authority;
    let next = match page.next {
        Some(next) => Some(Cursor::new(format!("{at}|{}", next.as_str()))),
        None if at + 1 < authorities.len() => Some(Cursor::new(format!("{}|", at + 1))),
        None => None,
    };
    Ok(Page { keys: page.keys.into_iter().filter(mine).collect(), next })
}

pub(super) async fn clear(store: &TieredStore, prefix: &Prefix) -> Result<u64> {
    if prefix.is_root() {
        return Err(Error::invalid_input("clear needs a prefix; it never empties a whole store").at("tiered", "clear"));
    }
    let rules = store.engine.settings.rules(prefix.namespace().as_str());
    if authorities(store, prefix).len() == 1 && writes::is_plain(rules) {
        return store.authority(rules)?.clear(prefix).await;
    }
    let mut cleared = 0;
    let mut after = None;
    loop {
        let page = scan(store, prefix, after.clone(), CLEAR_PAGE).await.map_err(|error| partly(error, cleared))?;
        cleared += store.delete_all(&page.keys).await.map_err(|error| partly(error, cleared))?;
        match page.next {
            // A backend whose cursor stands still would otherwise keep us here for ever.
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => return Ok(cleared),
        }
    }
}

/// A failure after a part was done: nobody may read it as "nothing happened".
fn partly(error: Error, done: u64) -> Error {
    if done == 0 { error } else { error.with_kind(ErrorKind::Indeterminate) }
}
