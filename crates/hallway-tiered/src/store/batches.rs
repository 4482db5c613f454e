//! Batches: one round trip per tier.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use hallway_core::{CopyState, Entry, ErrorKind, Key, LeaseOutcome, Result, Ttl, ValueCap};

use super::copies::{copy_life, seal};
use super::{TieredStore, writes};
use crate::engine::{Lease, Noted};
use crate::header::{BYTES, Header};
use crate::observe;
use crate::settings::Rules;
use crate::table::Authority;

/// A key that no tier nearer than the shared one has answered.
struct Missing {
    at: usize,
    key: Key,
    noted: Noted,
}

impl TieredStore {
    pub(super) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let mut values = vec![None; keys.len()];
        for (rules, places) in self.by_rules(keys)? {
            let copies = self.rules_of(keys[places[0]].namespace_str())?.1;
            if !copies || writes::is_plain(&rules) {
                let asked: Vec<Key> = places.iter().map(|at| keys[*at].clone()).collect();
                let answers = self.exact(&rules, &asked, self.authority(&rules)?.get_many(&asked)).await?;
                for (at, answer) in places.into_iter().zip(answers) {
                    values[at] = answer;
                }
                continue;
            }
            let mut missing = Vec::new();
            for at in places {
                let key = &keys[at];
                let hit = if rules.plan.local_copies { self.local_copy(key, &rules) } else { None };
                match hit {
                    Some(value) => values[at] = Some(value),
                    None => missing.push(Missing { at, key: key.clone(), noted: self.engine.note(key) }),
                }
            }
            if missing.is_empty() {
                continue;
            }
            let answers = match (rules.plan.authority, rules.plan.shared_copies) {
                (Authority::Consistent, true) => self.all_copied(&missing, &rules).await?,
                (Authority::Shared, _) => self.all_linked(&missing, &rules).await?,
                _ => self.all_timed(&missing, &rules).await?,
            };
            for (missing, answer) in missing.iter().zip(answers) {
                values[missing.at] = answer;
            }
        }
        Ok(values)
    }

    async fn all_linked(&self, missing: &[Missing], rules: &Rules) -> Result<Vec<Option<Bytes>>> {
        let engine = &self.engine;
        let keys: Vec<Key> = missing.iter().map(|missing| missing.key.clone()).collect();
        if let Some(link) = engine.link()
            && let Ok(entries) = engine.ask(link.read_entries(&keys, engine.settings.shared_deadline)).await
        {
            let mut values = Vec::with_capacity(entries.len());
            for (missing, entry) in missing.iter().zip(entries) {
                if let Some(entry) = &entry {
                    self.keep(&missing.key, entry, missing.noted, rules.local_ttl, Lease::Link);
                }
                values.push(entry.map(|entry| entry.value));
            }
            engine.counters.shared_hits.add(values.len() as u64);
            return Ok(values);
        }
        engine.counters.bypassed.add(keys.len() as u64);
        let values = self.authority(rules)?.get_many(&keys).await?;
        engine.counters.authority_reads.add(keys.len() as u64);
        for key in &keys {
            engine.forget(key);
        }
        Ok(values)
    }

    async fn all_timed(&self, missing: &[Missing], rules: &Rules) -> Result<Vec<Option<Bytes>>> {
        let keys: Vec<Key> = missing.iter().map(|missing| missing.key.clone()).collect();
        let entries = self.entries(&keys, rules).await?;
        self.engine.counters.loads.add(missing.len() as u64);
        let mut values = Vec::with_capacity(entries.len());
        for (missing, entry) in missing.iter().zip(entries) {
            if let Some(entry) = &entry {
                self.keep(&missing.key, entry, missing.noted, rules.local_ttl, Lease::Timed);
            }
            values.push(entry.map(|entry| entry.value));
        }
        Ok(values)
    }

    async fn entries(&self, keys: &[Key], rules: &Rules) -> Result<Vec<Option<Entry>>> {
        let store = self.stores.authority(Authority::Consistent)?;
        self.truth(rules, keys, store.get_entries(keys)).await
    }

    /// Exact entries: from the authorities.
    pub(super) async fn entries_of_authorities(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        let mut entries = vec![None; keys.len()];
        for (rules, places) in self.by_rules(keys)? {
            let asked: Vec<Key> = places.iter().map(|at| keys[*at].clone()).collect();
            let answers = self.exact(&rules, &asked, self.authority(&rules)?.get_entries(&asked)).await?;
            for (at, answer) in places.into_iter().zip(answers) {
                entries[at] = answer;
            }
        }
        Ok(entries)
    }

    async fn all_copied(&self, missing: &[Missing], rules: &Rules) -> Result<Vec<Option<Bytes>>> {
        let engine = &self.engine;
        // One that `copy:` makes too long has no copies; its batch then has none either.
        let Ok(copy_keys) = missing.iter().map(|missing| engine.copy_key(&missing.key)).collect::<Result<Vec<_>>>()
        else {
            let keys: Vec<Key> = missing.iter().map(|missing| missing.key.clone()).collect();
            return self.truth(rules, &keys, self.authority(rules)?.get_many(&keys)).await;
        };
        let within = engine.settings.shared_deadline;
        let Some(link) = engine.link() else { return self.all_timed(missing, rules).await };
        let states = match engine.read_copies(&copy_keys).await {
            Ok(states) => states,
            Err(_) => return self.all_degraded(missing, rules).await,
        };
        let mut values = vec![None; missing.len()];
        let mut absent = Vec::new();
        let mut loads = Vec::new();
        for (at, state) in states.into_iter().enumerate() {
            match state {
                CopyState::Value(Entry { value, remaining, .. }) => match Header::open(value) {
                    Ok((header, payload)) if header.codec == BYTES => {
                        let life = remaining.duration().unwrap_or(header.ttl).min(header.ttl);
                        let copy = Entry::new(payload.clone(), Ttl::After(life));
                        self.keep(&missing[at].key, &copy, missing[at].noted, rules.local_ttl, Lease::Link);
                        engine.counters.shared_hits.one();
                        observe::shared_hit(&rules.label, header.age(life));
                        values[at] = Some(payload);
                    }
                    Ok((header, _)) => absent.push((at, Some(header.id))),
                    Err(_) => {
                        engine.discard(&copy_keys[at]).await;
                        absent.push((at, None));
                    }
                },
                CopyState::Absent => absent.push((at, None)),
                // A batch does not wait for others.
                CopyState::Busy(_) => loads.push((at, None)),
            }
        }
        if !absent.is_empty() {
            let asked: Vec<_> =
                absent.iter().map(|(at, dead)| (copy_keys[*at].clone(), engine.random.token(), *dead)).collect();
            let granted = engine.ask(link.lease(&asked, engine.settings.lease, within)).await;
            let granted = granted.unwrap_or_else(|_| vec![LeaseOutcome::Busy(std::time::Duration::ZERO); asked.len()]);
            for (((at, _), asked), outcome) in absent.into_iter().zip(asked).zip(granted) {
                loads.push((at, (outcome == LeaseOutcome::Granted).then_some(asked.1)));
            }
        }
        if loads.is_empty() {
            return Ok(values);
        }
        // In a task of its own, so that leases are used or given back whatever becomes of the caller.
        let this = self.clone();
        let rules = rules.clone();
        let loads: Vec<_> =
            loads.into_iter().map(|(at, token)| (at, missing[at].key.clone(), copy_keys[at].clone(), token)).collect();
        let namespace = loads.first().map_or("", |(_, key, ..)| key.namespace_str());
        let span = observe::of_load("load", namespace, loads.len());
        let task = tokio::spawn(observe::traced(span, async move { this.load_all(loads, &rules).await }));
        let loaded = task.await.unwrap_or_else(|_| {
            Err(hallway_core::Error::new(ErrorKind::Unavailable, "the runtime ended during a read"))
        })?;
        for (at, value) in loaded {
            values[at] = value;
        }
        Ok(values)
    }

    async fn load_all(
        &self,
        loads: Vec<(usize, Key, Key, Option<hallway_core::Token>)>,
        rules: &Rules,
    ) -> Result<Vec<(usize, Option<Bytes>)>> {
        let engine = &self.engine;
        let keys: Vec<Key> = loads.iter().map(|(_, key, ..)| key.clone()).collect();
        let loaded = match self.stores.authority(Authority::Consistent) {
            Ok(store) => self.truth_within(rules, keys.len(), store.get_entries(&keys)).await,
            Err(error) => Err(error),
        };
        let mut fills = Vec::new();
        let mut unused = Vec::new();
        let entries = loaded.as_ref().map(Vec::as_slice).unwrap_or_default();
        for (at, (_, _, copy_key, token)) in loads.iter().enumerate() {
            let Some(token) = token else { continue };
            let life =
                entries.get(at).and_then(Option::as_ref).and_then(|entry| Some((entry, copy_life(entry, rules)?)));
            match life {
                Some((entry, ttl)) => {
                    fills.push((copy_key.clone(), *token, seal(engine, &entry.value, ttl), Ttl::After(ttl)));
                }
                None => unused.push((copy_key.clone(), *token)),
            }
        }
        if let Some(link) = engine.link() {
            let within = engine.settings.shared_deadline;
            if !fills.is_empty() {
                let fill = engine.ask(link.fill(&fills, engine.settings.lease, within));
                let namespace = keys.first().map_or("", Key::namespace_str);
                match observe::traced(observe::of_fill(namespace, fills.len()), fill).await {
                    Ok(filled) => {
                        let done = filled.iter().filter(|filled| **filled).count();
                        engine.counters.fills.add(done as u64);
                        engine.counters.failed_fills.add((filled.len() - done) as u64);
                    }
                    Err(error) => {
                        engine.counters.failed_fills.add(fills.len() as u64);
                        tracing::debug!(%error, "copies could not be written");
                        unused.extend(fills.iter().map(|(key, token, ..)| (key.clone(), *token)));
                    }
                }
            }
            if !unused.is_empty()
                && let Err(error) = engine.ask(link.release(&unused, within)).await
            {
                tracing::debug!(%error, "leases could not be given back; they end by themselves");
            }
        }
        let entries = loaded?;
        engine.counters.loads.add(entries.len() as u64);
        for (_, key, _, token) in &loads {
            // Read past a write that is going on: newer than a local copy whose end is still under way.
            if token.is_none() {
                engine.forget(key);
            }
        }
        Ok(loads.into_iter().zip(entries).map(|((at, ..), entry)| (at, entry.map(|entry| entry.value))).collect())
    }

    async fn all_degraded(&self, missing: &[Missing], rules: &Rules) -> Result<Vec<Option<Bytes>>> {
        self.engine.counters.bypassed.add(missing.len() as u64);
        let keys: Vec<Key> = missing.iter().map(|missing| missing.key.clone()).collect();
        let entries = self.entries(&keys, rules).await?;
        let mut values = Vec::with_capacity(entries.len());
        for (missing, entry) in missing.iter().zip(entries) {
            match &entry {
                Some(entry) if rules.degraded_ttl > 0 => {
                    let ttl = rules.local_ttl.min(rules.degraded_ttl);
                    self.keep(&missing.key, entry, missing.noted, ttl, Lease::Timed);
                }
                _ => self.engine.forget(&missing.key),
            }
            values.push(entry.map(|entry| entry.value));
        }
        Ok(values)
    }

    pub(super) async fn set_all(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        for (_, value, ttl) in items {
            ttl.whole_millis()?;
            ValueCap::HARD.check(value.len())?;
        }
        let keys: Vec<Key> = items.iter().map(|(key, ..)| key.clone()).collect();
        let mut something = false;
        for (rules, places) in self.by_rules(&keys)? {
            let part: Vec<_> = places.iter().map(|at| items[*at].clone()).collect();
            let part_keys: Vec<Key> = part.iter().map(|(key, ..)| key.clone()).collect();
            let done = self
                .write("set_many", &part_keys, &rules, move |store| {
                    Box::pin(async move { store.set_many(&part).await })
                })
                .await;
            done.map_err(|error| if something { error.with_kind(ErrorKind::Indeterminate) } else { error })?;
            something = true;
        }
        Ok(())
    }

    pub(super) async fn delete_all(&self, keys: &[Key]) -> Result<u64> {
        let mut deleted = 0;
        for (rules, places) in self.by_rules(keys)? {
            let part: Vec<Key> = places.iter().map(|at| keys[*at].clone()).collect();
            let asked = part.clone();
            let done = self
                .write("delete_many", &part, &rules, move |store| {
                    Box::pin(async move { store.delete_many(&asked).await })
                })
                .await;
            let something = deleted > 0;
            deleted +=
                done.map_err(|error| if something { error.with_kind(ErrorKind::Indeterminate) } else { error })?;
        }
        Ok(deleted)
    }

    /// Which places of a batch follow which rules, in the order of first appearance.
    fn by_rules(&self, keys: &[Key]) -> Result<Vec<(Arc<Rules>, Vec<usize>)>> {
        let mut parts: Vec<(Arc<Rules>, Vec<usize>)> = Vec::new();
        let mut found: HashMap<*const Rules, usize> = HashMap::new();
        for (at, key) in keys.iter().enumerate() {
            let (rules, _) = self.rules(key)?;
            let part = *found.entry(Arc::as_ptr(rules)).or_insert_with(|| {
                parts.push((Arc::clone(rules), Vec::new()));
                parts.len() - 1
            });
            parts[part].1.push(at);
        }
        Ok(parts)
    }
}
