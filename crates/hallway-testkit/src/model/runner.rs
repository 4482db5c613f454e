//! Runs operations on the store and says where it differs from the model.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hallway_core::{
    Bytes, Capabilities, Capability, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, Namespace, Prefix, SetIf,
    SetOptions, Ttl, parse_canonical_i64,
};
use rand::RngExt;

use super::describe::{bytes, foreign, maybe, name};
use super::operation::{Guess, Item, KEYS, Operation, PREFIXES, When};
use super::state::{Life, Presence, Span, State};
use super::{SHOWN, Watch};

/// The default body of `increment` re-states the rest of a life in whole milliseconds, so it may cut it by one for
/// each of its two roundings; it gives up on an entry with less than that left.
const INCREMENT_CUTS: u64 = 2_000;

/// The longest real wait for one deadline; later ones are left to come by themselves.
const LONGEST_WAIT: u64 = 20_000;

/// More pages than any scan of so few keys needs, even one that walks a large database in steps of one key.
const MAX_PAGES: usize = 200_000;

/// Where and how the store differs, with the last operations and their answers.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) history: Vec<String>,
}

/// What operations met.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) alive: u64,
    pub(super) expired: u64,
    pub(super) undecided: u64,
}

pub(super) struct Runner {
    store: Arc<dyn KvStore>,
    can: Capabilities,
    watch: Watch,
    state: State,
    keys: Vec<Key>,
    numbers: HashMap<Key, usize>,
    prefixes: Vec<Prefix>,
    history: VecDeque<String>,
    pub(super) counts: Counts,
}

/// The answer in words, or what was expected instead.
type Checked = Result<String, String>;

impl Runner {
    pub(super) fn new(store: Arc<dyn KvStore>, watch: Watch, tolerance: Duration) -> Result<Self, String> {
        // Fresh each time: a durable store keeps what a failed run has left behind.
        let run = format!("model-{:016x}", rand::rng().random::<u64>());
        let keys = KEYS
            .iter()
            .map(|(below, id)| Key::new(&within(&run, below)?, id))
            .collect::<Result<Vec<Key>, Error>>()
            .map_err(|error| error.to_string())?;
        let prefixes = PREFIXES
            .iter()
            .map(|below| Prefix::new(&joined(&run, below)))
            .collect::<Result<Vec<Prefix>, Error>>()
            .map_err(|error| error.to_string())?;
        let slack = if watch.clock.is_some() { 0 } else { tolerance.as_micros() as u64 };
        Ok(Self {
            can: store.capabilities(),
            store,
            watch,
            state: State::new(slack),
            numbers: keys.iter().cloned().enumerate().map(|(number, key)| (key, number)).collect(),
            keys,
            prefixes,
            history: VecDeque::with_capacity(SHOWN),
            counts: Counts::default(),
        })
    }

    pub(super) async fn step(&mut self, at: usize, operation: &Operation) -> Result<(), Difference> {
        let checked = self.run(operation).await;
        let (answer, failed) = match checked {
            Ok(answer) => (answer, None),
            Err(text) => ("differs".to_owned(), Some(text)),
        };
        if self.history.len() == SHOWN {
            self.history.pop_front();
        }
        self.history.push_back(format!("{operation} -> {answer}"));
        match failed {
            None => Ok(()),
            Some(text) => Err(self.difference(at, format!("{operation}: {text}"))),
        }
    }

    /// Every key once more, then the namespace is emptied.
    pub(super) async fn finish(&mut self, at: usize) -> Result<(), Difference> {
        for key in 0..KEYS.len() {
            let look = Operation::GetEntry(key);
            self.run(&look).await.map_err(|text| self.difference(at, format!("in the end, {look}: {text}")))?;
        }
        let emptied = if self.can.has(Capability::Scan) {
            self.run(&Operation::Clear(0)).await
        } else {
            self.run(&Operation::DeleteMany((0..KEYS.len()).collect())).await
        };
        emptied.map(drop).map_err(|text| self.difference(at, format!("emptying the namespace: {text}")))
    }

    fn difference(&self, at: usize, text: String) -> Difference {
        Difference { at, text, history: self.history.iter().cloned().collect() }
    }

    async fn run(&mut self, operation: &Operation) -> Checked {
        match operation {
            Operation::Advance(by) => self.pass(*by).await,
            Operation::AdvanceTo(key, off) => self.pass_to(*key, *off).await,
            Operation::Clear(prefix) => self.clear(*prefix).await,
            Operation::Delete(key) => self.delete(*key, None).await,
            Operation::DeleteIf(key, guess) => self.delete(*key, Some(guess)).await,
            Operation::DeleteMany(keys) => self.delete_many(keys).await,
            Operation::Get(key) => self.get(*key).await,
            Operation::GetBurst(keys) => self.get_burst(keys).await,
            Operation::GetEntry(key) => self.get_entry(*key).await,
            Operation::GetMany(keys) => self.get_many(keys).await,
            Operation::Increment(key, by, ttl) => self.increment(*key, *by, *ttl).await,
            Operation::Ping => self.ping().await,
            Operation::Scan(prefix, limit) => self.scan(*prefix, *limit).await,
            Operation::Set(key, value, ttl, when) => self.set(*key, value, *ttl, when).await,
            Operation::SetBurst(items) => self.set_burst(items).await,
            Operation::SetMany(items) => self.set_many(items).await,
            Operation::StepDate(by) => self.step_date(*by),
            Operation::Take(key) => self.take(*key).await,
            Operation::Touch(key, ttl) => self.touch(*key, *ttl).await,
            Operation::TryGet(key) => self.try_get(*key),
        }
    }

    async fn pass(&self, by: Duration) -> Checked {
        match &self.watch.clock {
            Some(clock) => clock.advance(by),
            None => tokio::time::sleep(by).await,
        }
        Ok("done".to_owned())
    }

    async fn pass_to(&self, key: usize, off: i64) -> Checked {
        let now = self.watch.now();
        let target = self.state.held(key).and_then(|held| held.life.latest.checked_add_signed(off));
        match target.and_then(|target| target.checked_sub(now)) {
            Some(wait) if self.watch.clock.is_some() && wait < u64::MAX / 4 => {
                self.pass(Duration::from_micros(wait)).await
            }
            Some(wait) if wait <= LONGEST_WAIT => self.pass(Duration::from_micros(wait)).await,
            _ => Ok("not near".to_owned()),
        }
    }

    fn step_date(&self, by: i64) -> Checked {
        if let Some(clock) = &self.watch.clock {
            clock.step_date(by);
        }
        Ok("done".to_owned())
    }

    async fn ping(&self) -> Checked {
        self.store.ping().await.map_err(broke)?;
        self.store.time().await.map_err(broke)?;
        Ok("ok".to_owned())
    }

    async fn get(&mut self, key: usize) -> Checked {
        let from = self.watch.now();
        let seen = self.store.get(&self.keys[key]).await.map_err(broke)?;
        let span = self.until_now(from);
        self.saw(key, seen.as_deref(), span)
    }

    fn try_get(&mut self, key: usize) -> Checked {
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

    async fn get_entry(&mut self, key: usize) -> Checked {
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

    async fn get_many(&mut self, keys: &[usize]) -> Checked {
        let from = self.watch.now();
        let seen = self.store.get_many(&self.named(keys)).await.map_err(broke)?;
        let span = self.until_now(from);
        if seen.len() != keys.len() {
            return Err(format!("{} answers to {} keys", seen.len(), keys.len()));
        }
        self.saw_all(keys.iter().copied().zip(seen), span)
    }

    async fn get_burst(&mut self, keys: &[usize]) -> Checked {
        let from = self.watch.now();
        let seen = join_all(keys.iter().map(|key| self.store.get(&self.keys[*key]))).await;
        let span = self.until_now(from);
        let seen = seen.into_iter().collect::<Result<Vec<_>, Error>>().map_err(broke)?;
        self.saw_all(keys.iter().copied().zip(seen), span)
    }

    async fn set(&mut self, key: usize, value: &Bytes, ttl: Ttl, when: &When) -> Checked {
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

    async fn set_many(&mut self, items: &[Item]) -> Checked {
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

    async fn set_burst(&mut self, items: &[Item]) -> Checked {
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

    async fn delete(&mut self, key: usize, guess: Option<&Guess>) -> Checked {
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

    async fn delete_many(&mut self, keys: &[usize]) -> Checked {
        let from = self.watch.now();
        let deleted = self.store.delete_many(&self.named(keys)).await.map_err(broke)?;
        let span = self.until_now(from);
        let distinct: HashSet<usize> = keys.iter().copied().collect();
        self.removed(distinct, deleted, span)
    }

    async fn touch(&mut self, key: usize, ttl: Ttl) -> Checked {
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

    async fn take(&mut self, key: usize) -> Checked {
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

    async fn increment(&mut self, key: usize, by: i64, ttl: Ttl) -> Checked {
        let (from, began) = (self.watch.now(), Instant::now());
        let answer = self.store.increment(&self.keys[key], by, ttl).await;
        let (span, took) = (self.until_now(from), began.elapsed().as_micros() as u64);
        if !self.can.has(Capability::ConditionalSet)
            && answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported)
        {
            return Ok("refused".to_owned());
        }
        let presence = self.met(key, span);
        let held = self.state.held(key).cloned();
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
            Life { earliest, latest } => {
                Life { earliest: earliest.saturating_sub(INCREMENT_CUTS + took).min(latest), latest }
            }
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
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && old.is_some_and(|held| held.life.earliest <= span.to + INCREMENT_CUTS + took) =>
            {
                Ok("too close to the deadline".to_owned())
            }
            Err(error) => Err(format!("expected {}, got the error {error:?}", sums(counted, created))),
        }
    }

    async fn scan(&mut self, prefix: usize, limit: usize) -> Checked {
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

    fn listed(&mut self, prefix: usize, seen: &HashSet<usize>, span: Span) -> Checked {
        for key in self.below(prefix) {
            match (self.met(key, span), seen.contains(&key)) {
                (Presence::Alive, false) => return Err(format!("expected that {} is listed", name(key))),
                (Presence::Absent, true) => {
                    return Err(format!("{} is listed, but {}", name(key), self.why(key, span)));
                }
                (Presence::Either, true) => self.state.found(key, span),
                // Not listed, so it ended before the scan did.
                (Presence::Either, false) => self.state.forget(key),
                _ => {}
            }
        }
        Ok(format!("{} keys", seen.len()))
    }

    async fn clear(&mut self, prefix: usize) -> Checked {
        let from = self.watch.now();
        let answer = self.store.clear(&self.prefixes[prefix]).await;
        let span = self.until_now(from);
        if !self.can.has(Capability::Scan) {
            return refused(answer, &[ErrorKind::Unsupported]);
        }
        self.removed(self.below(prefix), answer.map_err(broke)?, span)
    }

    /// A call removed these keys and said how many of them were alive.
    fn removed(&mut self, keys: impl IntoIterator<Item = usize>, said: u64, span: Span) -> Checked {
        let (mut least, mut most) = (0, 0);
        for key in keys {
            match self.met(key, span) {
                Presence::Absent => {}
                Presence::Alive => (least, most) = (least + 1, most + 1),
                Presence::Either => most += 1,
            }
            self.state.forget(key);
        }
        if (least..=most).contains(&said) {
            Ok(said.to_string())
        } else {
            Err(format!("expected {least} to {most}, got {said}"))
        }
    }

    /// A call that read one key at one moment.
    fn saw(&mut self, key: usize, seen: Option<&[u8]>, span: Span) -> Checked {
        let presence = self.met(key, span);
        let held = self.state.held(key).map(|held| held.value.clone());
        match (presence, seen, held) {
            (Presence::Absent, None, _) => {}
            (Presence::Either, None, _) => self.state.forget(key),
            (Presence::Alive | Presence::Either, Some(seen), Some(held)) if held == seen => self.state.found(key, span),
            (Presence::Absent, Some(seen), _) => {
                return Err(format!(
                    "expected None, because {} {}; got {}",
                    name(key),
                    self.why(key, span),
                    bytes(seen)
                ));
            }
            (_, seen, held) => {
                return Err(format!("expected {} of {}, got {}", maybe(held.as_deref()), name(key), maybe(seen)));
            }
        }
        Ok(maybe(seen))
    }

    /// Concurrent or repeated reads in one span: near a deadline a key may be there for one and gone for another.
    fn saw_all(&mut self, seen: impl Iterator<Item = (usize, Option<Bytes>)>, span: Span) -> Checked {
        let mut gone = Vec::new();
        let mut count = 0;
        for (key, seen) in seen {
            count += usize::from(seen.is_some());
            if seen.is_none() && self.state.presence(key, span) == Presence::Either {
                gone.push(key);
            } else {
                self.saw(key, seen.as_deref(), span)?;
            }
        }
        gone.into_iter().for_each(|key| self.state.forget(key));
        Ok(format!("{count} values"))
    }

    /// A verb that says whether it did something: it does over a live entry if `over_live`, over none if
    /// `over_nothing`. Near a deadline the answer may tell which it was.
    fn decide(&mut self, key: usize, did: bool, over_live: bool, over_nothing: bool, span: Span) -> Result<(), String> {
        let presence = self.met(key, span);
        let right = match presence {
            Presence::Absent => did == over_nothing,
            Presence::Alive => did == over_live,
            Presence::Either => did == over_live || did == over_nothing,
        };
        if !right {
            return Err(format!("expected {}, because {} {}; got {did}", !did, name(key), self.why(key, span)));
        }
        if presence == Presence::Either && over_live != over_nothing {
            if did == over_live { self.state.found(key, span) } else { self.state.forget(key) }
        }
        Ok(())
    }

    fn met(&mut self, key: usize, span: Span) -> Presence {
        let presence = self.state.presence(key, span);
        match presence {
            Presence::Alive => self.counts.alive += 1,
            Presence::Either => self.counts.undecided += 1,
            Presence::Absent if self.state.held(key).is_some() => self.counts.expired += 1,
            Presence::Absent => {}
        }
        presence
    }

    fn why(&self, key: usize, span: Span) -> String {
        match (self.state.held(key), self.state.presence(key, span)) {
            (None, _) => "is not there".to_owned(),
            (Some(held), Presence::Absent) => {
                format!(
                    "expired at least {:?} before",
                    Duration::from_micros(span.from.saturating_sub(held.life.latest))
                )
            }
            (Some(held), _) if held.life.earliest == u64::MAX => format!("holds {} for ever", bytes(&held.value)),
            (Some(held), _) => format!(
                "holds {} for at least {:?} more",
                bytes(&held.value),
                Duration::from_micros(held.life.earliest.saturating_sub(span.to))
            ),
        }
    }

    fn resolve(&self, key: usize, guess: &Guess) -> Bytes {
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

    fn refusals(&self, ttl: Ttl) -> Vec<ErrorKind> {
        let mut refusals = Vec::new();
        if ttl.whole_millis().is_err() {
            refusals.push(ErrorKind::InvalidInput);
        }
        if ttl.is_forever() && !self.can.has(Capability::Forever) {
            refusals.push(ErrorKind::Unsupported);
        }
        refusals
    }

    fn below(&self, prefix: usize) -> Vec<usize> {
        let prefix = &self.prefixes[prefix];
        (0..self.keys.len()).filter(|key| prefix.matches(self.keys[*key].as_str())).collect()
    }

    fn named(&self, keys: &[usize]) -> Vec<Key> {
        keys.iter().map(|key| self.keys[*key].clone()).collect()
    }

    fn until_now(&self, from: u64) -> Span {
        Span { from, to: self.watch.now() }
    }
}

fn within(run: &str, below: &str) -> Result<Namespace, Error> {
    Namespace::new(&joined(run, below))
}

fn joined(run: &str, below: &str) -> String {
    if below.is_empty() { run.to_owned() } else { format!("{run}:{below}") }
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
