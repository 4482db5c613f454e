//! Sessions as visitors use them: load, load with a touch that is due, save.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::session::{NewSession, Saved, Session, SessionId, Sessions, SessionsExt as _};
use hallway::{Key, KvStore, Ttl};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::lab::Lab;
use crate::rounds::Cell;

/// How long a session lives that nobody loads: hallway's default, and the T of F15.
pub(super) const IDLE: Duration = Duration::from_secs(30 * 60);
/// Few enough to be made before each measurement, many enough not to be one row.
pub(super) const SESSIONS: usize = 64;
/// A life so short that the next load prolongs it, and so long that nothing ends.
const SHORT: Ttl = Ttl::After(Duration::from_secs(120));

/// How long a step of a call may take: a machine that is measured is busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What a session holds: about 256 bytes as a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visitor {
    number: usize,
    visits: u64,
    cart: String,
}

impl Visitor {
    pub(super) fn new(number: usize) -> Self {
        Self { number, visits: 0, cart: format!("{number:04} and so on ").repeat(10) }
    }

    /// # Errors
    /// If these are the data of another session.
    fn check(&self, number: usize) -> Result<()> {
        let is_own = self.number == number && self.cart == Self::new(number).cart;
        if is_own { Ok(()) } else { Err(format!("session {number} holds the data of {}", self.number).into()) }
    }
}

/// Sessions of a store, all alive.
#[derive(Debug, Clone)]
pub(super) struct Visits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn KvStore>,
    namespace: String,
    sessions: Sessions<Visitor>,
    ids: Vec<SessionId>,
}

impl Visits {
    /// Makes the sessions, in a namespace of their own.
    pub(super) async fn begin(lab: &Lab, store: &Arc<dyn KvStore>) -> Result<Self> {
        let namespace = lab.namespace();
        let store = Arc::clone(store);
        let sessions = open(&store, &namespace)?;
        let mut ids = Vec::with_capacity(SESSIONS);
        for number in 0..SESSIONS {
            ids.push(sessions.create(NewSession::new(Visitor::new(number))).await?);
        }
        // The first load of each asks for the rest of its life; the next ones need not.
        let this = Self(Arc::new(Inner { store, namespace, sessions, ids }));
        for number in 0..SESSIONS {
            this.load(number).await?;
        }
        Ok(this)
    }

    /// Loads a session; it must be there with its data.
    pub(super) async fn load(&self, number: usize) -> Result<Session<Visitor>> {
        loaded(&self.0.sessions, &self.0.ids[number], number).await
    }

    /// Changes and saves what was loaded.
    pub(super) async fn save(&self, session: &mut Session<Visitor>) -> Result<()> {
        session.data_mut().visits += 1;
        match self.0.sessions.save(session).await? {
            Saved::Written => Ok(()),
            other => Err(format!("a session that nobody else saves was not saved: {other:?}").into()),
        }
    }

    /// The write alone that a due touch is.
    pub(super) async fn touch(&self, number: usize) -> Result<()> {
        match self.0.store.touch(&self.key(number)?, Ttl::After(IDLE)).await? {
            true => Ok(()),
            false => Err(format!("session {number} is gone").into()),
        }
    }

    fn key(&self, number: usize) -> Result<Key> {
        let sessions = &self.0.sessions;
        Ok(sessions.namespace().key(&sessions.handle(&self.0.ids[number]).text())?)
    }

    /// Loads that need not touch.
    pub(super) fn loads(&self) -> Cell {
        self.timed(|this, iteration| async move { this.load(iteration as usize % SESSIONS).await.map(drop) })
    }

    /// Saves of sessions that were loaded before.
    pub(super) fn saves(&self) -> Cell {
        let this = self.clone();
        Cell::new(move |iterations| {
            let this = this.clone();
            async move {
                tokio::spawn(async move {
                    let mut session = this.load(0).await?;
                    let start = Instant::now();
                    for _ in 0..iterations {
                        this.save(&mut session).await?;
                    }
                    Ok(start.elapsed())
                })
                .await?
            }
        })
    }

    /// Loads of which each must touch. What makes a touch due again is not timed.
    pub(super) fn slides(&self) -> Cell {
        let this = self.clone();
        Cell::new(move |iterations| {
            let this = this.clone();
            async move {
                tokio::spawn(async move {
                    let mut took = Duration::ZERO;
                    for first in (0..iterations).step_by(SESSIONS) {
                        took += this.slide((iterations - first).min(SESSIONS as u64) as usize).await?;
                    }
                    Ok(took)
                })
                .await?
            }
        })
    }

    async fn slide(&self, count: usize) -> Result<Duration> {
        let Inner { store, namespace, ids, .. } = &*self.0;
        for number in 0..count {
            if !store.touch(&self.key(number)?, SHORT).await? {
                return Err(format!("session {number} is gone").into());
            }
        }
        // As another process would: one that does not know when a session was touched last.
        let sessions = open(store, namespace)?;
        sessions.now().await?;
        let start = Instant::now();
        for (number, id) in ids.iter().enumerate().take(count) {
            loaded(&sessions, id, number).await?;
        }
        let took = start.elapsed();
        match sessions.stats().touched {
            touched if touched == count as u64 => Ok(took),
            touched => Err(format!("{touched} of {count} loads touched; all of them had to").into()),
        }
    }

    fn timed<F>(&self, request: impl Fn(Self, u64) -> F + Clone + Send + Sync + 'static) -> Cell
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let this = self.clone();
        Cell::new(move |iterations| {
            let (this, request) = (this.clone(), request.clone());
            async move {
                tokio::spawn(async move {
                    let start = Instant::now();
                    for iteration in 0..iterations {
                        request(this.clone(), iteration).await?;
                    }
                    Ok(start.elapsed())
                })
                .await?
            }
        })
    }
}

fn open(store: &Arc<dyn KvStore>, namespace: &str) -> Result<Sessions<Visitor>> {
    Ok(store.sessions(namespace).idle(IDLE).deadline(PATIENCE).build()?)
}

async fn loaded(sessions: &Sessions<Visitor>, id: &SessionId, number: usize) -> Result<Session<Visitor>> {
    let session = sessions.load(id).await?.live().ok_or_else(|| format!("session {number} is gone"))?;
    session.data().check(number)?;
    Ok(session)
}
