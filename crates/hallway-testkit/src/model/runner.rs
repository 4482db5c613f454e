//! Runs operations on the store and says where it differs from the model.

mod expect;
mod verbs;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Capabilities, Capability, Error, Key, KvStore, Namespace, Prefix};
use rand::RngExt;

use super::operation::{KEYS, Operation, PREFIXES};
use super::state::State;
use super::{SHOWN, Watch};

/// The longest real wait for one deadline; later ones are left to come by themselves.
const LONGEST_WAIT: u64 = 20_000;

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
}

fn within(run: &str, below: &str) -> Result<Namespace, Error> {
    Namespace::new(&joined(run, below))
}

fn joined(run: &str, below: &str) -> String {
    if below.is_empty() { run.to_owned() } else { format!("{run}:{below}") }
}
