//! Reading a copy from the shared tier, or getting the right to make one.

use std::time::Duration;

use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{CopyState, Entry, Error, ErrorKind, Key, LeaseOutcome, Result, Token, Ttl};
use tokio::time::Instant;

use super::{Engine, Noted};
use crate::header::Header;
use crate::observe;

/// Pauses between two looks at a busy key, should no push come.
const FIRST_POLL: Duration = Duration::from_millis(20);
const LAST_POLL: Duration = Duration::from_millis(250);

/// How long a reader waits for others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long a lease stands if its holder dies.
    pub(crate) lease: Duration,
    /// How long a reader waits for another's lease or marker before he loads for himself.
    pub(crate) wait: Duration,
}

/// What stands in the shared tier, found without asking for anything.
#[derive(Debug)]
pub(crate) enum Peek {
    /// A copy that may be used.
    Copy { header: Header, payload: Bytes, remaining: Duration, noted: Noted },
    /// Nothing that may be used; the id of a copy that may not.
    Absent(Option<Token>),
    /// Somebody writes or loads, for at most so long.
    Busy(Duration),
}

/// What a reader who keeps nothing found.
#[derive(Debug)]
pub(crate) enum Glance {
    /// A copy that may be used. How old it is, nobody has asked.
    Copy { header: Header, payload: Bytes },
    /// Nothing, or a copy with this id that may not be used.
    Absent(Option<Token>),
    /// A lease, a marker, or what is none of ours.
    Other,
}

/// What the shared tier says about one key.
#[derive(Debug)]
pub(crate) enum Look {
    /// A copy that may be used.
    Copy { header: Header, payload: Bytes, remaining: Duration, noted: Noted },
    /// Nothing, and the right to fill is ours.
    Lease(Token, Noted),
    /// Somebody writes or loads and takes long, or there is no memory for a lease: load, and do not fill.
    Busy(Noted),
    /// No answer: load, and do not fill.
    Down(Error, Noted),
}

impl Engine {
    /// Looks at a copy, waiting for whoever loads it. `usable` says whether a header is still good; a copy that is not is
    /// replaced.
    pub(crate) async fn look(
        &self,
        key: &Key,
        copy_key: &Key,
        patience: Patience,
        usable: impl Fn(&Header) -> bool + Send + Sync,
    ) -> Look {
        self.look_from(key, copy_key, patience, None, usable).await
    }

    /// As [`look`](Self::look) by a caller who has just found no copy, or one that is dead: it asks for the right to fill
    /// at once.
    pub(crate) async fn look_from(
        &self,
        key: &Key,
        copy_key: &Key,
        patience: Patience,
        mut absent: Option<Option<Token>>,
        usable: impl Fn(&Header) -> bool + Send + Sync,
    ) -> Look {
        let began = Instant::now();
        let mut poll = FIRST_POLL;
        let mut waits = false;
        loop {
            let noted = self.note(key);
            // Before the state is read, so that no change in between is missed.
            let woken = if waits { self.waiters.register(noted.slot) } else { None };
            let left = match self.look_once(copy_key, patience, absent.take(), &usable, noted).await {
                Ok(Step::Found(look)) => return look,
                Ok(Step::Busy(left)) => left,
                Err(error) if error.kind() == ErrorKind::OutOfMemory => return Look::Busy(noted),
                Err(error) => return Look::Down(error, noted),
            };
            let waited = began.elapsed();
            // What stands longer than any lease is the marker of a write that has not ended: no use in waiting.
            if waited >= patience.wait || left > patience.lease {
                return Look::Busy(noted);
            }
            if !waits {
                // As a rule nobody is at it. Who has to wait looks once more, now that he would hear of a change.
                waits = true;
                continue;
            }
            let pause = poll.mul_f64(self.random.range(0.5..1.0)).min(patience.wait - waited);
            poll = (poll * 2).min(LAST_POLL);
            match woken {
                Some(woken) => drop(tokio::time::timeout(pause, woken).await),
                None => tokio::time::sleep(pause).await,
            }
        }
    }

    async fn look_once(
        &self,
        copy_key: &Key,
        patience: Patience,
        absent: Option<Option<Token>>,
        usable: &(impl Fn(&Header) -> bool + Send + Sync),
        noted: Noted,
    ) -> Result<Step> {
        let Some(link) = self.link() else {
            return Err(Error::new(ErrorKind::Unavailable, "there is no shared tier"));
        };
        let within = self.settings.shared_deadline;
        let dead = match absent {
            Some(dead) => dead,
            None => match self.peek(copy_key, noted, usable).await? {
                Peek::Copy { header, payload, remaining, noted } => {
                    return Ok(Step::Found(Look::Copy { header, payload, remaining, noted }));
                }
                Peek::Absent(dead) => dead,
                Peek::Busy(left) => return Ok(Step::Busy(left)),
            },
        };
        let token = self.random.token();
        let asked = [(copy_key.clone(), token, dead)];
        match self.ask(link.lease(&asked, patience.lease, within)).await?.pop() {
            Some(LeaseOutcome::Granted) => Ok(Step::Found(Look::Lease(token, noted))),
            Some(LeaseOutcome::Value(entry)) => match self.judge(copy_key, entry, usable, noted).await {
                Judged::Good(look) => Ok(Step::Found(look)),
                // Filled and invalidated in between; the next look says more.
                Judged::Dead(_) | Judged::Damaged => Ok(Step::Busy(Duration::ZERO)),
            },
            Some(LeaseOutcome::Busy(left)) => Ok(Step::Busy(left)),
            None => Ok(Step::Busy(Duration::ZERO)),
        }
    }

    /// Reads what stands there. `noted` was taken before.
    pub(crate) async fn peek(
        &self,
        copy_key: &Key,
        noted: Noted,
        usable: &(impl Fn(&Header) -> bool + Send + Sync),
    ) -> Result<Peek> {
        let state = self.read_copies(std::slice::from_ref(copy_key)).await?.pop();
        Ok(self.weigh(copy_key, state.unwrap_or(CopyState::Absent), noted, usable).await)
    }

    /// As [`peek`](Self::peek) by a caller who keeps nothing. It costs half, and tells neither ages nor for how long somebody
    /// is at it.
    pub(crate) async fn glance(
        &self,
        copy_key: &Key,
        usable: &(impl Fn(&Header) -> bool + Send + Sync),
    ) -> Result<Glance> {
        let Some(copy) = self.read_copies_once(std::slice::from_ref(copy_key)).await?.pop().flatten() else {
            return Ok(Glance::Absent(None));
        };
        if copy.first() != Some(&b'V') {
            return Ok(Glance::Other);
        }
        Ok(match Header::open(copy) {
            Ok((header, _)) if !usable(&header) => Glance::Absent(Some(header.id)),
            Ok((header, payload)) => Glance::Copy { header, payload },
            Err(_) => {
                Box::pin(self.discard(copy_key)).await;
                Glance::Absent(None)
            }
        })
    }

    /// What a state that was read says to a reader.
    pub(crate) async fn weigh(
        &self,
        copy_key: &Key,
        state: CopyState,
        noted: Noted,
        usable: &(impl Fn(&Header) -> bool + Send + Sync),
    ) -> Peek {
        match state {
            CopyState::Value(entry) => match self.judge(copy_key, entry, usable, noted).await {
                Judged::Good(Look::Copy { header, payload, remaining, noted }) => {
                    Peek::Copy { header, payload, remaining, noted }
                }
                Judged::Dead(id) => Peek::Absent(Some(id)),
                Judged::Good(_) | Judged::Damaged => Peek::Absent(None),
            },
            CopyState::Busy(left) => Peek::Busy(left),
            CopyState::Absent => Peek::Absent(None),
        }
    }

    async fn judge(
        &self,
        copy_key: &Key,
        entry: Entry,
        usable: &(impl Fn(&Header) -> bool + Send + Sync),
        noted: Noted,
    ) -> Judged {
        let remaining = entry.remaining.duration();
        match Header::open(entry.value) {
            Ok((header, _)) if !usable(&header) => Judged::Dead(header.id),
            Ok((header, payload)) => {
                // A copy without end is none of ours; its own TTL is the most that can be believed.
                let remaining = remaining.unwrap_or(header.ttl).min(header.ttl);
                let noted = if Mutant::StampAfterReply.is_on() { self.note_again(noted) } else { noted };
                Judged::Good(Look::Copy { header, payload, remaining, noted })
            }
            Err(_) => {
                Box::pin(self.discard(copy_key)).await;
                Judged::Damaged
            }
        }
    }

    /// Removes a copy that cannot be read.
    pub(crate) async fn discard(&self, copy_key: &Key) {
        self.counters.poisoned.one();
        tracing::warn!(namespace = copy_key.namespace_str(), "a damaged copy was removed");
        if let Some(link) = self.link() {
            let token = self.random.token();
            // If it stays it is found damaged again.
            let removed = self.ask(link.unmark(std::slice::from_ref(copy_key), token, self.settings.shared_deadline));
            if let Err(error) = removed.await {
                tracing::debug!(%error, "the damaged copy could not be removed");
            }
        }
    }

    /// Writes a copy of a key in this namespace under a lease. A failed fill never fails a caller: it is counted.
    pub(crate) async fn fill(&self, namespace: &str, copy_key: &Key, token: Token, copy: Bytes, ttl: Duration) -> bool {
        let Some(link) = self.link() else { return false };
        let copies = [(copy_key.clone(), token, copy, Ttl::After(ttl))];
        let fill = self.ask(link.fill(&copies, self.settings.lease, self.settings.shared_deadline));
        match observe::traced(observe::of_fill(namespace, 1), fill).await {
            Ok(filled) if filled == [true] => {
                self.counters.fills.one();
                true
            }
            // The lease has gone, as it should when somebody wrote meanwhile.
            Ok(_) => {
                self.counters.failed_fills.one();
                false
            }
            Err(error) => {
                self.counters.failed_fills.one();
                tracing::debug!(%error, "a copy could not be written");
                false
            }
        }
    }

    /// Gives a lease back unused, so that nobody waits for it.
    pub(crate) async fn release(&self, copy_key: &Key, token: Token) {
        if let Some(link) = self.link()
            && let Err(error) =
                self.ask(link.release(&[(copy_key.clone(), token)], self.settings.shared_deadline)).await
        {
            tracing::debug!(%error, "a lease could not be given back; it ends by itself");
        }
    }

    fn note_again(&self, noted: Noted) -> Noted {
        Noted { stamp: self.stamps.note(noted.slot), ..noted }
    }
}

enum Step {
    Found(Look),
    /// For at most so long.
    Busy(Duration),
}

enum Judged {
    Good(Look),
    Dead(Token),
    Damaged,
}
