//! The one load of many keys: the rights to fill in one round trip, the loader once, the fills in one round trip.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hallway_core::{ErrorKind, Key, LeaseOutcome, Result, Token, Ttl};

use super::core::{Answer, Core};
use super::fill::{Began, Fresh, Target};
use super::flight::{Opened, Start};
use super::many::{ManyLoader, Missing};
use super::outcome::{Load, ServedBy};
use crate::engine::{Look, Noted, Patience, Peek};
use crate::header::Header;
use crate::observe;

/// One that is to be loaded, and where it goes.
struct Loading<V> {
    missing: Missing<V>,
    target: Target,
    noted: Noted,
}

/// One that was loaded, with what is written for it, if it is to be.
struct Settled<V> {
    missing: Missing<V>,
    answer: Answer<V>,
    fresh: Option<Fresh<V>>,
}

/// What is to be done about one key.
enum Step<V> {
    Answer(Result<Answer<V>>),
    Load(Target, Noted),
}

impl<V: Send + Sync + 'static> Core<V> {
    /// Loads these, and tells whoever waits for one of them.
    ///
    /// # Errors
    /// The loader's, which they have been told.
    pub(super) async fn load_batch(self: Arc<Self>, missing: Vec<Missing<V>>, loader: ManyLoader<V>) -> Result<()> {
        let steps = self.steps(&missing).await;
        let mut loads = Vec::new();
        for (missing, step) in missing.into_iter().zip(steps) {
            match step {
                // Whoever waited may have left.
                Step::Answer(answer) => drop(missing.answer.send(answer)),
                Step::Load(target, noted) => loads.push(Loading { missing, target, noted }),
            }
        }
        if loads.is_empty() {
            return Ok(());
        }
        let shared = loads.iter().any(|load| matches!(load.target, Target::Lease(_) | Target::Replace(_)));
        let generation = match self.generation.id() {
            // Whoever has just made it does not know it for a moment. Without an answer nothing is kept.
            0 if shared => self.generation_now().await.unwrap_or_default(),
            id => id,
        };
        let began = |load: &Loading<V>| Began { generation, ..self.begin(load.noted) };
        let began: Vec<Began> = loads.iter().map(began).collect();
        let ids = loads.iter().map(|load| load.missing.id.clone()).collect();
        let held = self.hold(loads.iter().map(|load| (&load.missing.key, load.target)));
        let loaded = self.run(loader(ids)).await;
        drop(held);
        match loaded {
            Ok((found, cost)) => {
                // One call of the loader answers all of them, also with nothing.
                self.engine.counters.authority_reads.add(loads.len() as u64);
                self.settle_batch(loads, began, found, cost).await;
                Ok(())
            }
            Err(error) => {
                self.release_batch(&loads.iter().map(|load| (&load.missing.key, load.target)).collect::<Vec<_>>())
                    .await;
                for load in loads {
                    let _ = load.missing.answer.send(Err(error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Where each goes, or its answer if another process has just loaded it.
    async fn steps(&self, missing: &[Missing<V>]) -> Vec<Step<V>> {
        let noted: Vec<Noted> = missing.iter().map(|missing| self.engine.note(&missing.key)).collect();
        let mut steps: Vec<Option<Step<V>>> = missing
            .iter()
            .zip(&noted)
            .map(|(missing, noted)| match missing.start {
                Start::Alone => Some(self.step_alone(&missing.key, *noted)),
                Start::Down => Some(self.step_down(*noted)),
                Start::Stale { seen, .. } => Some(Step::Load(Target::Replace(seen), *noted)),
                Start::Absent(_) | Start::Unread | Start::Busy | Start::Again => None,
            })
            .collect();
        if missing.iter().any(|missing| matches!(missing.start, Start::Alone)) {
            // Of this process alone: always known.
            let _ = self.engine.current(std::slice::from_ref(&self.generation)).await;
        }
        self.lease_batch(missing, &noted, &mut steps).await;
        // Those that another process loads or writes just now. It may have to wait for others before it loads.
        let leased = missing.iter().zip(&steps).filter_map(|(missing, step)| match step {
            Some(Step::Load(target @ Target::Lease(_), _)) => Some((&missing.key, *target)),
            _ => None,
        });
        let leased: Vec<_> = leased.collect();
        let wait = self.options.batch_wait(!leased.is_empty());
        let held = self.hold(leased);
        let waits = missing.iter().zip(&mut steps).filter(|(_, step)| step.is_none()).map(|(missing, step)| async {
            let planned = self.step_busy(&missing.key, wait).await;
            let held = match &planned {
                Step::Load(target, _) => self.hold([(&missing.key, *target)]),
                Step::Answer(_) => self.hold([]),
            };
            *step = Some(planned);
            held
        });
        let gained = join_all(waits).await;
        drop((held, gained));
        let unplanned = || Step::Answer(Err(self.lost()));
        steps.into_iter().map(|step| step.unwrap_or_else(unplanned)).collect()
    }

    fn step_alone(&self, key: &Key, noted: Noted) -> Step<V> {
        let now = self.now();
        match self.nearby(key, now) {
            // Loaded since this caller looked.
            Some(copy) if copy.is_fresh(now) => Step::Answer(Ok(self.hit(&copy, ServedBy::Local, now))),
            _ => Step::Load(Target::Here, noted),
        }
    }

    fn step_down(&self, noted: Noted) -> Step<V> {
        self.counters.bypassed.one();
        self.engine.counters.bypassed.one();
        Step::Load(Target::Meanwhile(self.meanwhile()), noted)
    }

    /// Asks for the rights to fill. What stays open is busy elsewhere.
    async fn lease_batch(&self, missing: &[Missing<V>], noted: &[Noted], steps: &mut [Option<Step<V>>]) {
        let engine = &self.engine;
        let mut places = Vec::new();
        let mut asked: Vec<(Key, Token, Option<Token>)> = Vec::new();
        for (place, missing) in missing.iter().enumerate() {
            if let (Start::Absent(dead), Ok(copy_key)) = (missing.start, engine.copy_key(&missing.key)) {
                places.push(place);
                asked.push((copy_key, engine.random.token(), dead));
            }
        }
        let Some(link) = engine.link().filter(|_| !asked.is_empty()) else { return };
        let life = self.options.lease;
        let outcomes = match engine.ask(link.lease(&asked, life, engine.settings.shared_deadline)).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                for place in places {
                    steps[place] = Some(match error.kind() {
                        ErrorKind::OutOfMemory => Step::Load(Target::Nowhere, noted[place]),
                        _ if self.options.fail_fast => Step::Answer(Err(error.clone().with_namespace(&self.namespace))),
                        _ => self.step_down(noted[place]),
                    });
                }
                return;
            }
        };
        for ((place, (copy_key, token, _)), outcome) in places.into_iter().zip(&asked).zip(outcomes) {
            steps[place] = match outcome {
                LeaseOutcome::Granted => Some(Step::Load(Target::Lease(*token), noted[place])),
                LeaseOutcome::Busy(_) => None,
                LeaseOutcome::Value(entry) => {
                    let usable = |header: &Header| self.usable(header, true);
                    let state = hallway_core::CopyState::Value(entry);
                    let step = match engine.weigh(copy_key, state, noted[place], &usable).await {
                        Peek::Copy { header, payload, remaining, noted } => {
                            let key = &missing[place].key;
                            match self.open(key, header, &payload, remaining, noted, self.promotes(key)).await {
                                Ok(Opened::Copy(copy)) => {
                                    Some(Step::Answer(Ok(self.hit(&copy, ServedBy::Shared, self.now()))))
                                }
                                Ok(Opened::Dead(_)) | Err(_) => None,
                            }
                        }
                        Peek::Absent(_) | Peek::Busy(_) => None,
                    };
                    Some(step.unwrap_or(Step::Load(Target::Nowhere, noted[place])))
                }
            };
        }
    }

    /// Waits for whoever loads or writes it.
    async fn step_busy(&self, key: &Key, wait: Duration) -> Step<V> {
        let Ok(copy_key) = self.engine.copy_key(key) else {
            return Step::Load(Target::Nowhere, self.engine.note(key));
        };
        let patience = Patience { lease: self.options.lease, wait };
        let usable = |header: &Header| self.usable(header, true);
        match self.engine.look(key, &copy_key, patience, usable).await {
            Look::Copy { header, payload, remaining, noted } => {
                match self.open(key, header, &payload, remaining, noted, self.promotes(key)).await {
                    Ok(Opened::Copy(copy)) => Step::Answer(Ok(self.hit(&copy, ServedBy::Shared, self.now()))),
                    Ok(Opened::Dead(_)) | Err(_) => Step::Load(Target::Nowhere, self.engine.note(key)),
                }
            }
            Look::Lease(token, noted) => Step::Load(Target::Lease(token), noted),
            Look::Busy(noted) => Step::Load(Target::Nowhere, noted),
            Look::Down(error, _) if self.options.fail_fast => Step::Answer(Err(error.with_namespace(&self.namespace))),
            Look::Down(_, noted) => self.step_down(noted),
        }
    }

    async fn settle_batch(
        &self,
        loads: Vec<Loading<V>>,
        began: Vec<Began>,
        mut found: BTreeMap<String, Load<V>>,
        cost: std::time::Duration,
    ) {
        let mut fills = Vec::new();
        let mut unused = Vec::new();
        let mut answers = Vec::new();
        for (load, began) in loads.into_iter().zip(began) {
            let Loading { missing, target, .. } = load;
            let value = found.remove(&missing.id).unwrap_or_else(Load::not_found);
            if let Target::Lease(token) = target {
                let fresh = self.fresh(value, cost, began).await;
                match (self.engine.copy_key(&missing.key), self.seal(&fresh)) {
                    (Ok(copy_key), Some(sealed)) => {
                        fills.push((copy_key, token, sealed.copy, Ttl::After(sealed.ttl)));
                        answers.push(Settled { missing, answer: fresh.answer(), fresh: Some(fresh) });
                    }
                    (Ok(_) | Err(_), _) => {
                        self.counters.unfilled.one();
                        unused.push((missing.key.clone(), target));
                        answers.push(Settled { missing, answer: fresh.answer(), fresh: None });
                    }
                }
            } else {
                let answer = self.settle(&missing.key, value, cost, began, target).await;
                answers.push(Settled { missing, answer, fresh: None });
            }
        }
        self.fill_batch(&fills, &answers).await;
        self.release_batch(&unused.iter().map(|(key, target)| (key, *target)).collect::<Vec<_>>()).await;
        for Settled { missing, answer, .. } in answers {
            self.throttle.lift(&missing.key);
            // Whoever waited may have left.
            let _ = missing.answer.send(Ok(answer));
        }
    }

    async fn fill_batch(&self, fills: &[(Key, Token, bytes::Bytes, Ttl)], answers: &[Settled<V>]) {
        let Some(link) = self.engine.link().filter(|_| !fills.is_empty()) else { return };
        let fill = self.engine.ask(link.fill(fills, Duration::ZERO, self.engine.settings.shared_deadline));
        let filled = observe::traced(observe::of_fill(self.namespace.as_str(), fills.len()), fill).await;
        let sealed = answers.iter().filter_map(|settled| Some((&settled.missing.key, settled.fresh.as_ref()?)));
        for (at, (key, fresh)) in sealed.enumerate() {
            let filled = filled.as_ref().map(|filled| filled.get(at) == Some(&true)).map_err(Clone::clone);
            if !self.filled(key, fresh, filled) {
                self.counters.unfilled.one();
            }
        }
    }

    /// Gives back the rights that were not used.
    async fn release_batch(&self, unused: &[(&Key, Target)]) {
        let leases: Vec<(Key, Token)> = unused
            .iter()
            .filter_map(|(key, target)| match target {
                Target::Lease(token) => Some((self.engine.copy_key(key).ok()?, *token)),
                _ => None,
            })
            .collect();
        let Some(link) = self.engine.link().filter(|_| !leases.is_empty()) else { return };
        if let Err(error) = self.engine.ask(link.release(&leases, self.engine.settings.shared_deadline)).await {
            tracing::debug!(%error, "leases could not be given back; they end by themselves");
        }
    }
}
