//! Many values at once: one round trip per tier, one call of the loader for all that are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hallway_core::{ErrorKind, Key, Result};
use tokio::sync::oneshot;

use super::core::{Answer, Core};
use super::flight::{Opened, Start};
use super::outcome::{IntoLoad, Load, ServedBy, of_loader};
use super::read::Verdict;
use crate::engine::Peek;
use crate::flights::{Kind, Ticket};
use crate::header::Header;
use crate::observe;

/// A loader of many values of any type.
pub(super) type ManyLoader<V> =
    Box<dyn FnOnce(Vec<String>) -> BoxFuture<'static, Result<BTreeMap<String, Load<V>>>> + Send>;

pub(super) fn boxed<V, L, M, E, F, Fut>(loader: F) -> ManyLoader<V>
where
    L: IntoLoad<V>,
    M: IntoIterator<Item = (String, L)>,
    E: Into<Box<dyn StdError + Send + Sync>>,
    F: FnOnce(Vec<String>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<M, E>> + Send + 'static,
{
    Box::new(move |ids| {
        async move {
            let found = loader(ids).await.map_err(of_loader)?;
            Ok(found.into_iter().map(|(id, load)| (id, load.into_load())).collect())
        }
        .boxed()
    })
}

/// One of the values that were asked for.
struct Asked<V> {
    id: String,
    key: Key,
    answer: Option<Result<Answer<V>>>,
}

/// One that this caller loads.
pub(super) struct Missing<V> {
    pub(super) id: String,
    pub(super) key: Key,
    pub(super) start: Start,
    /// To those who wait for it.
    pub(super) answer: oneshot::Sender<Result<Answer<V>>>,
}

impl<V: Send + Sync + 'static> Core<V> {
    /// The values in the order of their ids, loaded together if they must be.
    pub(super) async fn fetch_many(
        self: &Arc<Self>,
        ids: Vec<String>,
        loader: ManyLoader<V>,
    ) -> Result<Vec<Option<Arc<V>>>> {
        let mut places = BTreeMap::new();
        let mut asked = Vec::new();
        let mut order = Vec::with_capacity(ids.len());
        for id in ids {
            let place = *places.entry(id).or_insert_with_key(|id| {
                asked.push(id.clone());
                asked.len() - 1
            });
            order.push(place);
        }
        let mut asked = asked
            .into_iter()
            .map(|id| Ok(Asked { key: self.key(&id)?, id, answer: None }))
            .collect::<Result<Vec<Asked<V>>>>()?;
        let mut waits = self.near_by(&mut asked);
        let starts = self.far_off(&mut asked, &waits).await?;
        self.load_missing(&asked, starts, &mut waits, loader)?;
        let answers = join_all(waits.into_iter().map(|(place, ticket)| async move {
            let leads = ticket.leads;
            (place, leads, ticket.wait().await)
        }));
        for (place, leads, answer) in answers.await {
            let answer = self.accept(&asked[place].key, leads, answer).await;
            asked[place].answer = Some(answer);
        }
        let mut values = Vec::with_capacity(asked.len());
        for asked in asked {
            values.push(asked.answer.unwrap_or_else(|| Err(self.lost()))?.value);
        }
        Ok(order.into_iter().map(|place| values[place].clone()).collect())
    }

    /// What this process has, and the loads that can be joined.
    fn near_by(self: &Arc<Self>, asked: &mut [Asked<V>]) -> Vec<(usize, Ticket<Answer<V>>)> {
        let now = self.now();
        let mut waits = Vec::new();
        for (place, asked) in asked.iter_mut().enumerate() {
            if let Some(copy) = self.nearby(&asked.key, now)
                && self.answers_many(&asked.key, &copy, now)
            {
                asked.answer = Some(Ok(self.hit(&copy, ServedBy::Local, now)));
            } else if let Some(ticket) = self.flights.join(&asked.key) {
                self.counters.joined.one();
                waits.push((place, ticket));
            }
        }
        waits
    }

    /// A copy past its TTL is loaded with the others rather than refreshed on its own.
    fn answers_many(&self, key: &Key, copy: &super::core::CacheCopy<V>, now: u64) -> bool {
        match self.judge(key, copy, now) {
            Verdict::Good => true,
            Verdict::Refresh => copy.is_fresh(now),
            Verdict::Late => false,
        }
    }

    /// What the shared tier has, in one round trip; how the load of the others begins.
    async fn far_off(
        &self,
        asked: &mut [Asked<V>],
        waits: &[(usize, Ticket<Answer<V>>)],
    ) -> Result<Vec<(usize, Start)>> {
        let waiting: BTreeSet<usize> = waits.iter().map(|(place, _)| *place).collect();
        let open: Vec<usize> =
            (0..asked.len()).filter(|place| asked[*place].answer.is_none() && !waiting.contains(place)).collect();
        let all = |start: Start| open.iter().map(|place| (*place, start)).collect::<Vec<_>>();
        if open.is_empty() || !self.is_linked() {
            return Ok(all(Start::Alone));
        }
        for place in &open {
            self.written(&asked[*place].key).await;
        }
        match self.read_many(asked, &open).await {
            Ok(starts) => Ok(starts),
            Err(error) if self.options.fail_fast => Err(error.with_namespace(&self.namespace)),
            Err(_) => Ok(all(Start::Down)),
        }
    }

    async fn read_many(&self, asked: &mut [Asked<V>], open: &[usize]) -> Result<Vec<(usize, Start)>> {
        let engine = &self.engine;
        let noted: Vec<_> = open.iter().map(|place| engine.note(&asked[*place].key)).collect();
        let id = self.generation_now().await?;
        let copy_keys = open.iter().map(|place| engine.copy_key(&asked[*place].key)).collect::<Result<Vec<_>>>()?;
        let states = engine.read_copies(&copy_keys).await?;
        let mut starts = Vec::new();
        for (((place, noted), copy_key), state) in open.iter().zip(noted).zip(&copy_keys).zip(states) {
            let key = asked[*place].key.clone();
            let usable = |header: &Header| self.usable_in(header, true, id);
            let start = match engine.weigh(copy_key, state, noted, &usable).await {
                Peek::Copy { header, payload, remaining, noted } => {
                    match self.open(&key, header, &payload, remaining, noted, self.promotes(&key)).await? {
                        Opened::Copy(copy) => {
                            let now = self.now();
                            if self.answers_many(&key, &copy, now) {
                                asked[*place].answer = Some(Ok(self.hit(&copy, ServedBy::Shared, now)));
                                continue;
                            }
                            Start::Stale { seen: copy.id, cost: copy.cost, waits: true, noted: copy.guard.noted }
                        }
                        Opened::Dead(id) => Start::Absent(Some(id)),
                    }
                }
                Peek::Absent(dead) => Start::Absent(dead),
                Peek::Busy(_) => Start::Busy,
            };
            starts.push((*place, start));
        }
        Ok(starts)
    }

    /// Begins the one load of all that nobody else is loading.
    fn load_missing(
        self: &Arc<Self>,
        asked: &[Asked<V>],
        starts: Vec<(usize, Start)>,
        waits: &mut Vec<(usize, Ticket<Answer<V>>)>,
        loader: ManyLoader<V>,
    ) -> Result<()> {
        let mut missing: Vec<Missing<V>> = Vec::new();
        for (place, start) in starts {
            self.counters.misses.one();
            let Asked { id, key, .. } = &asked[place];
            let (sender, receiver) = oneshot::channel();
            let given_up = self.error(ErrorKind::Unavailable, "the load was given up");
            let boarded = self.flights.board(key, Kind::Waited, self.may_join(key, start), |_| async move {
                receiver.await.unwrap_or(Err(given_up))
            });
            match boarded {
                Ok(ticket) if ticket.leads => {
                    missing.push(Missing { id: id.clone(), key: key.clone(), start, answer: sender });
                    waits.push((place, ticket));
                }
                Ok(ticket) => {
                    self.counters.joined.one();
                    waits.push((place, ticket));
                }
                Err(error) => {
                    self.counters.overloaded.one();
                    let error = error.with_namespace(&self.namespace);
                    for missing in missing {
                        // Whoever has joined meanwhile hears the same.
                        let _ = missing.answer.send(Err(error.clone()));
                    }
                    return Err(error);
                }
            }
        }
        if !missing.is_empty() {
            let span = observe::of_load("load", self.namespace.as_str(), missing.len());
            tokio::spawn(observe::traced(span, Arc::clone(self).load_batch(missing, loader)));
        }
        Ok(())
    }

    /// The answer of a load, or what is served instead.
    async fn accept(&self, key: &Key, leads: bool, answer: Result<Answer<V>>) -> Result<Answer<V>> {
        let error = match answer {
            Ok(answer) if leads || answer.certain => return Ok(answer),
            // Something that it depends on was replaced while another caller loaded it: only a newer copy will do.
            Ok(_) => match self.look(&asked_id(key), true, false).await? {
                Some(answer) => return Ok(answer),
                None => self.lost(),
            },
            Err(error) => {
                if leads {
                    self.leave_alone(key);
                }
                error
            }
        };
        self.instead(key, error, true).await
    }
}

fn asked_id(key: &Key) -> String {
    key.id().into_owned()
}
