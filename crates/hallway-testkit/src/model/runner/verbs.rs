//! Each verb: called, its answer checked, the model brought up to date.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hallway_core::{
    Bytes, Capability, DeleteIf, Entry, Error, ErrorKind, Key, SetIf, SetOptions, Ttl, parse_canonical_i64,
};

use super::super::describe::{foreign, name};
use super::super::operation::{Guess, Item, When};
use super::super::state::{Life, Presence, Span};
use super::{Checked, Runner};

/// The default body of `increment` re-states the rest of a life in whole milliseconds, so it may cut it by one for
/// each of its two roundings, and it counts an entry with less than one left as expired.
const INCREMENT_CUTS: u64 = 2_000;

/// More pages than any scan of so few keys needs, even one that walks a large database in steps of one key.
const MAX_PAGES: usize = 200_000;

impl Runner {
    pub(super) async fn ping(&self) -> Checked {
        self.store.ping().await.map_err(broke)?;
        self.store.time().await.map_err(broke)?;
        Ok("ok".to_owned())
    }

    pub(super) async fn get(&mut self, key: usize) -> Checked {
        let from = self.watch.now();
        let seen = self.store.get(&self.keys[key]).await.map_err(broke)?;
        let span = self.until_now(from);
        self.saw(key, seen.as_deref(), span)
    }

    pub(super) fn try_get(&mut self, key: usize) -> Checked {
        let from = self.watch.now();
        let seen = self.store.try_get(&self.keys[key]);
        let span = self.until_now(from);
        match seen {
            // It says nothing about the entry.
            None => Ok("None".to_owned()),
            Some(_) if !self.can.has(Capability::LocalRead) => Err("a hit without the capability LocalRead".to_owned()),
            Some(seen) => self.saw(key, Some(&seen), span),
        }
    }

    pub(super) async fn get_entry(&mut self, key: usize) -> Checked {
        let from = self.watch.now();
        let seen = self.store.get_entry(&self.keys[key]).await.map_err(broke)?;
        let span = self.until_now(from);
        let Some(Entry { value, remaining }) = seen else { return self.saw(key, None, span) };
        let life = self.state.held(key).map(|held| held.life);
        let said = self.saw(key, Some(&value), span)?;
        let life = life.unwrap_or(Life::FOREVER);
        let slack = self.state.slack();
        // Rounded down to a millisecond.
        let least = life.earliest.saturating_sub(span.to + slack + 1_000);
        let most = life.latest.saturating_sub(span.from).saturating_add(slack);
        let holds = match remaining {
            Ttl::Forever => life.latest == u64::MAX,
            Ttl::After(rest) => life.earliest < u64::MAX && (least..=most).contains(&(rest.as_micros() as u64)),
        };
        if holds {
            return Ok(said);
        }
        let expected = if life.earliest == u64::MAX {
            "that it lives forever".to_owned()
        } else {
            format!("{:?} to {:?} left to live", Duration::from_micros(least), Duration::from_micros(most))
        };
        Err(format!("expected {expected}, got {remaining:?}"))
    }

    pub(super) async fn get_many(&mut self, keys: &[usize]) -> Checked {
        let from = self.watch.now();
        let seen = self.store.get_many(&self.named(keys)).await.map_err(broke)?;
        let span = self.until_now(from);
        if seen.len() != keys.len() {
            return Err(format!("{} answers to {} keys", seen.len(), keys.len()));
        }
        self.saw_all(keys.iter().copied().zip(seen), span)
    }

    pub(super) async fn get_burst(&mut self, keys: &[usize]) -> Checked {
        let from = self.watch.now();
        let seen = join_all(keys.iter().map(|key| self.store.get(&self.keys[*key]))).await;
        let span = self.until_now(from);
        let seen = seen.into_iter().collect::<Result<Vec<_>, Error>>().map_err(broke)?;
        self.saw_all(keys.iter().copied().zip(seen), span)
    }

    pub(super) async fn set(&mut self, key: usize, value: &Bytes, ttl: Ttl, when: &When) -> Checked {
        let condition = match when {
            When::Absent => SetIf::Absent,
            When::Always => SetIf::Always,
            When::Equals(guess) => SetIf::Equals(self.resolve(key, guess)),
            When::Present => SetIf::Present,
        };
        let mut opts = SetOptions::new(ttl);
        opts.condition = condition.clone();
        let mut refusals = self.refusals(ttl);
        if condition != SetIf::Always && !self.can.has(Capability::ConditionalSet) {
            refusals.push(ErrorKind::Unsupported);
        }
        let from = self.watch.now();
        let answer = self.store.set(&self.keys[key], value.clone(), opts).await;
        let span = self.until_now(from);
        if !refusals.is_empty() {
            return refused(answer, &refusals);
        }
        let written = answer.map_err(broke)?.is_written();
        let held = self.state.held(key).map(|held| held.value.clone());
        let over_live = match &condition {
            SetIf::Absent => false,
            SetIf::Always | SetIf::Present => true,
            SetIf::Equals(expected) => held.as_ref() == Some(expected),
        };
        let over_nothing = matches!(condition, SetIf::Absent | SetIf::Always);
        self.decide(key, written, over_live, over_nothing, span)?;
        if written {
            self.state.put(key, value.clone(), life(ttl, span)?);
        }
        Ok(if written { "written" } else { "not met" }.to_owned())
    }

    pub(super) async fn set_many(&mut self, items: &[Item]) -> Checked {
        let batch: Vec<_> =
            items.iter().map(|(key, value, ttl)| (self.keys[*key].clone(), value.clone(), *ttl)).collect();
        let from = self.watch.now();
        self.store.set_many(&batch).await.map_err(broke)?;
        let span = self.until_now(from);
        for (key, value, ttl) in items {
            self.state.put(*key, value.clone(), life(*ttl, span)?);
        }
        Ok("ok".to_owned())
    }

    pub(super) async fn set_burst(&mut self, items: &[Item]) -> Checked {
        let from = self.watch.now();
        let writes = items
            .iter()
            .map(|(key, value, ttl)| self.store.set(&self.keys[*key], value.clone(), SetOptions::new(*ttl)));
        let answers = join_all(writes).await;
        let span = self.until_now(from);
        for ((key, value, ttl), answer) in items.iter().zip(answers) {
            if !answer.map_err(broke)?.is_written() {
                return Err(format!("expected that {} is written", name(*key)));
            }
            self.state.put(*key, value.clone(), life(*ttl, span)?);
        }
        Ok("written".to_owned())
    }

    pub(super) async fn delete(&mut self, key: usize, guess: Option<&Guess>) -> Checked {
        let expected = guess.map(|guess| self.resolve(key, guess));
        let from = self.watch.now();
        let answer = match &expected {
            None => self.store.delete(&self.keys[key]).await,
            Some(expected) => self.store.delete_if(&self.keys[key], DeleteIf::Equals(expected.clone())).await,
        };
        let span = self.until_now(from);
        if expected.is_some() && !self.can.has(Capability::ConditionalDelete) {
            return refused(answer, &[ErrorKind::Unsupported]);
        }
        let deleted = answer.map_err(broke)?;
        let of_live = match (&expected, self.state.held(key)) {
            (Some(expected), Some(held)) => held.value == *expected,
            _ => true,
        };
        self.decide(key, deleted, of_live, false, span)?;
        if deleted {
            self.state.forget(key);
        }
        Ok(deleted.to_string())
    }

    pub(super) async fn delete_many(&mut self, keys: &[usize]) -> Checked {
        let from = self.watch.now();
        let deleted = self.store.delete_many(&self.named(keys)).await.map_err(broke)?;
        let span = self.until_now(from);
        let distinct: HashSet<usize> = keys.iter().copied().collect();
        self.removed(distinct, deleted, span)
    }

    pub(super) async fn touch(&mut self, key: usize, ttl: Ttl) -> Checked {
        let mut refusals = self.refusals(ttl);
        if !self.can.has(Capability::Touch) {
            refusals.push(ErrorKind::Unsupported);
        }
        let from = self.watch.now();
        let answer = self.store.touch(&self.keys[key], ttl).await;
        let span = self.until_now(from);
        if !refusals.is_empty() {
            return refused(answer, &refusals);
        }
        let touched = answer.map_err(broke)?;
        self.decide(key, touched, true, false, span)?;
        if touched {
            self.state.set_life(key, life(ttl, span)?);
        }
        Ok(touched.to_string())
    }

    pub(super) async fn take(&mut self, key: usize) -> Checked {
        let from = self.watch.now();
        let answer = self.store.take(&self.keys[key]).await;
        let span = self.until_now(from);
        if !self.can.has(Capability::ConditionalDelete)
            && answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported)
        {
            return Ok("refused".to_owned());
        }
        let taken = answer.map_err(broke)?;
        let said = self.saw(key, taken.as_deref(), span)?;
        self.state.forget(key);
        Ok(said)
    }

    pub(super) async fn increment(&mut self, key: usize, by: i64, ttl: Ttl) -> Checked {
        let (from, began) = (self.watch.now(), Instant::now());
        let answer = self.store.increment(&self.keys[key], by, ttl).await;
        let (span, took) = (self.until_now(from), began.elapsed().as_micros() as u64);
        if !self.can.has(Capability::ConditionalSet)
            && answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported)
        {
            return Ok("refused".to_owned());
        }
        let held = self.state.held(key).cloned();
        let cut = INCREMENT_CUTS + took;
        let presence = match self.met(key, span) {
            Presence::Alive if held.as_ref().is_some_and(|held| held.life.earliest <= span.to.saturating_add(cut)) => {
                Presence::Either
            }
            presence => presence,
        };
        let old = match (&held, presence) {
            (Some(held), Presence::Alive | Presence::Either) => Some(held),
            _ => None,
        };
        // `None` is an error of the kind `InvalidInput`.
        let counted = old.map(|held| parse_canonical_i64(&held.value).ok().and_then(|value| value.checked_add(by)));
        let created = (presence != Presence::Alive).then_some(by);
        let fresh = life(ttl, span)?;
        let kept = old.map(|held| match held.life {
            Life::FOREVER => Life::FOREVER,
            Life { earliest, latest } => Life { earliest: earliest.saturating_sub(cut).min(latest), latest },
        });
        match answer {
            Ok(sum) => {
                let life = match (counted == Some(Some(sum)), created == Some(sum)) {
                    (true, true) => kept.unwrap_or(fresh).or(fresh),
                    (true, false) => kept.unwrap_or(fresh),
                    (false, true) => fresh,
                    (false, false) => return Err(format!("expected {}, got {sum}", sums(counted, created))),
                };
                self.state.put(key, Bytes::from(sum.to_string()), life);
                Ok(sum.to_string())
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput && counted == Some(None) => {
                self.state.found(key, span);
                Ok("invalid".to_owned())
            }
            Err(error) => Err(format!("expected {}, got the error {error:?}", sums(counted, created))),
        }
    }

    pub(super) async fn scan(&mut self, prefix: usize, limit: usize) -> Checked {
        let prefix_of = &self.prefixes[prefix];
        let from = self.watch.now();
        let (mut seen, mut after, mut last) = (HashSet::new(), None, None::<Key>);
        for _ in 0..MAX_PAGES {
            let answer = self.store.scan(prefix_of, after.take(), limit).await;
            if !self.can.has(Capability::Scan) {
                return refused(answer, &[ErrorKind::Unsupported]);
            }
            let page = answer.map_err(broke)?;
            if page.keys.len() > limit {
                return Err(format!("{} keys in a page of at most {limit}", page.keys.len()));
            }
            for key in page.keys {
                if !prefix_of.matches(key.as_str()) {
                    return Err(format!("{} does not lie below the prefix", foreign(&key)));
                }
                let Some(number) = self.numbers.get(&key) else {
                    return Err(format!("{} was never written", foreign(&key)));
                };
                if self.can.has(Capability::OrderedScan) && last.as_ref().is_some_and(|last| *last >= key) {
                    return Err(format!("{} is out of order", foreign(&key)));
                }
                last = Some(key);
                seen.insert(*number);
            }
            after = page.next;
            if after.is_none() {
                let span = self.until_now(from);
                return self.listed(prefix, &seen, span);
            }
        }
        Err(format!("the scan does not end within {MAX_PAGES} pages"))
    }

    pub(super) async fn clear(&mut self, prefix: usize) -> Checked {
        let from = self.watch.now();
        let answer = self.store.clear(&self.prefixes[prefix]).await;
        let span = self.until_now(from);
        if !self.can.has(Capability::Scan) {
            return refused(answer, &[ErrorKind::Unsupported]);
        }
        self.removed(self.below(prefix), answer.map_err(broke)?, span)
    }

    pub(super) fn resolve(&self, key: usize, guess: &Guess) -> Bytes {
        let held = self.state.held(key).map(|held| held.value.clone()).unwrap_or_default();
        match guess {
            Guess::Current => held,
            Guess::Other(value) => value.clone(),
            Guess::Almost => {
                let mut almost = held.to_vec();
                match almost.last_mut() {
                    Some(last) => *last = last.wrapping_add(1),
                    None => almost.push(b' '),
                }
                Bytes::from(almost)
            }
        }
    }

    pub(super) fn refusals(&self, ttl: Ttl) -> Vec<ErrorKind> {
        let mut refusals = Vec::new();
        if ttl.whole_millis().is_err() {
            refusals.push(ErrorKind::InvalidInput);
        }
        if ttl.is_forever() && !self.can.has(Capability::Forever) {
            refusals.push(ErrorKind::Unsupported);
        }
        refusals
    }

    pub(super) fn below(&self, prefix: usize) -> Vec<usize> {
        let prefix = &self.prefixes[prefix];
        (0..self.keys.len()).filter(|key| prefix.matches(self.keys[*key].as_str())).collect()
    }

    pub(super) fn named(&self, keys: &[usize]) -> Vec<Key> {
        keys.iter().map(|key| self.keys[*key].clone()).collect()
    }

    pub(super) fn until_now(&self, from: u64) -> Span {
        Span { from, to: self.watch.now() }
    }
}

fn life(ttl: Ttl, span: Span) -> Result<Life, String> {
    let millis = ttl.whole_millis().map_err(|error| format!("accepted although {error}"))?;
    Ok(millis.map_or(Life::FOREVER, |millis| Life::from(span, millis.get() * 1_000)))
}

fn refused<T>(answer: Result<T, Error>, kinds: &[ErrorKind]) -> Checked {
    match answer {
        Err(error) if kinds.contains(&error.kind()) => Ok(format!("{:?}", error.kind())),
        Err(error) => Err(format!("expected an error of {kinds:?}, got {error:?}")),
        Ok(_) => Err(format!("expected an error of {kinds:?}, but it was done")),
    }
}

fn broke(error: Error) -> String {
    format!("an error where none is allowed: {error:?}")
}

fn sums(counted: Option<Option<i64>>, created: Option<i64>) -> String {
    let counted = counted.map(|sum| sum.map_or_else(|| "an InvalidInput".to_owned(), |sum| sum.to_string()));
    let all: Vec<String> = counted.into_iter().chain(created.map(|sum| sum.to_string())).collect();
    all.join(" or ")
}
