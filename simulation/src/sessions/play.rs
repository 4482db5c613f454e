//! What the instances do.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::Result;
use hallway_session::{Loaded, NewSession, Saved, Sessions};
use hallway_testkit::sim::SimRng;

use super::history::{Call, Changed, Data, Given, History, Recorder};
use super::homes::Stage;
use super::rng;

/// Users. Two, so that there is another one whose data could be seen.
const OWNERS: u64 = 2;

/// Sessions that there are before the race.
const FIRST: usize = 3;

pub(super) async fn play(stage: Stage, seed: u64) -> History {
    let mut chance = rng(seed, 1);
    let recorder = Arc::new(Recorder::default());
    let actors = chance.within(3..=6);
    let calls = chance.within(5..=14);
    let mut first = Actor::new(&stage, Arc::clone(&recorder), seed, 0);
    while recorder.count() < FIRST && first.lineages < 30 {
        first.create().await;
    }
    let mut tasks = Vec::new();
    for number in 1..=actors {
        let mut actor = Actor::new(&stage, Arc::clone(&recorder), seed, number);
        tasks.push(tokio::spawn(async move {
            for _ in 0..calls {
                actor.pause().await;
                actor.call().await;
            }
        }));
    }
    for task in tasks {
        if let Err(error) = task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    // What is left, seen after everything.
    for id in 0..recorder.count() {
        first.load(id).await;
    }
    for owner in 0..OWNERS {
        first.list(owner).await;
    }
    recorder.finish(seed, stage.evicts, stage.is_faulty)
}

/// One request after the other, as of one busy browser.
struct Actor {
    sessions: Sessions<Data>,
    recorder: Arc<Recorder>,
    chance: SimRng,
    number: u64,
    lineages: u64,
    pause: Duration,
}

impl Actor {
    fn new(stage: &Stage, recorder: Arc<Recorder>, seed: u64, number: u64) -> Self {
        let sessions = stage.instances[number as usize % stage.instances.len()].clone();
        Self { sessions, recorder, chance: rng(seed, 10 + number), number, lineages: 0, pause: stage.pause }
    }

    async fn pause(&mut self) {
        let pause = self.chance.duration(Duration::ZERO..=self.pause);
        // Half of the calls follow at once: those are the close races.
        if self.chance.chance(0.5) {
            tokio::time::sleep(pause).await;
        }
    }

    async fn call(&mut self) {
        let owner = self.chance.below(OWNERS);
        // Late ids more often: the others are mostly over.
        let count = self.recorder.count();
        let id = count.saturating_sub(1).saturating_sub(self.chance.index(count.clamp(1, 4)));
        match self.chance.weighted(&[15, 40, 10, 20, 20, 20, 10, 5, 3, 8, 5, 10]) {
            0 => self.create().await,
            _ if count == 0 => self.create().await,
            1 => self.load(id).await,
            2 => self.touch(id).await,
            3 => self.update(id).await,
            4 => self.save(id).await,
            5 => self.rotate(id).await,
            6 => self.delete(id).await,
            7 => self.delete_all(owner, None).await,
            8 => self.delete_all(owner, Some(id)).await,
            9 => self.list(owner).await,
            10 => self.delete_listed(id).await,
            _ => self.login(id).await,
        }
    }

    fn given(&self, id: hallway_session::SessionId, lineage: u64, owner: u64) -> usize {
        let handle = self.sessions.handle(&id);
        self.recorder.give(Given { id, handle, lineage, owner })
    }

    async fn create(&mut self) {
        let owner = self.chance.below(OWNERS);
        let lineage = self.number << 32 | self.lineages;
        self.lineages += 1;
        let begun = self.recorder.moment();
        let new = NewSession::new(Data { lineage, owner, count: 0 }).subject(format!("user {owner}"));
        let given = self.sessions.create(new).await.ok().map(|id| self.given(id, lineage, owner));
        self.recorder.note(begun, Call::Create { given });
    }

    async fn load(&mut self, id: usize) {
        let given = self.recorder.given(id);
        let begun = self.recorder.moment();
        let seen = self.sessions.load(&given.id).await.ok().map(|loaded| loaded.live().map(|live| live.into_data()));
        self.recorder.note(begun, Call::Load { id, seen });
    }

    async fn touch(&mut self, id: usize) {
        let given = self.recorder.given(id);
        let begun = self.recorder.moment();
        let alive = self.sessions.touch(&given.id).await.ok();
        self.recorder.note(begun, Call::Touch { id, alive });
    }

    async fn update(&mut self, id: usize) {
        let given = self.recorder.given(id);
        let begun = self.recorder.moment();
        let (done, seen) = match self.sessions.update(&given.id, |data| data.count += 1).await {
            Ok(Some(session)) => (Some(Changed::Yes), Some(session.into_data())),
            Ok(None) => (Some(Changed::Gone), None),
            Err(_) => (None, None),
        };
        self.recorder.note(begun, Call::Change { id, done, seen });
    }

    /// Loads, thinks, saves: a request that may take long.
    async fn save(&mut self, id: usize) {
        let given = self.recorder.given(id);
        let begun = self.recorder.moment();
        let loaded = match self.sessions.load(&given.id).await {
            Ok(loaded) => loaded,
            // A load that failed is followed by nothing.
            Err(_) => return self.recorder.note(begun, Call::Load { id, seen: None }),
        };
        let Loaded::Live(mut session) = loaded else {
            return self.recorder.note(begun, Call::Load { id, seen: Some(None) });
        };
        self.recorder.note(begun, Call::Load { id, seen: Some(Some(session.data().clone())) });
        self.pause().await;
        session.data_mut().count += 1;
        let begun = self.recorder.moment();
        let merges = self.chance.chance(0.3);
        let saved: Result<Saved> = if merges {
            // Theirs, and one more for what was to be added here.
            let merge = |_: &Data, theirs: Data| Data { count: theirs.count + 1, ..theirs };
            self.sessions.save_or_merge(&mut session, merge).await
        } else {
            self.sessions.save(&mut session).await
        };
        let done = saved.ok().map(|saved| match saved {
            Saved::Conflict => Changed::Lost,
            Saved::Gone => Changed::Gone,
            Saved::Written => Changed::Yes,
        });
        let seen = (done == Some(Changed::Yes)).then(|| session.into_data());
        self.recorder.note(begun, Call::Change { id, done, seen });
    }

    async fn rotate(&mut self, id: usize) {
        let old = self.recorder.given(id);
        let changes = self.chance.chance(0.4);
        let begun = self.recorder.moment();
        let rotated = if changes {
            self.sessions.rotate_with(&old.id, |draft| draft.data.count += 1).await
        } else {
            self.sessions.rotate(&old.id).await
        };
        let given = rotated.ok().map(|new| new.map(|new| self.given(new, old.lineage, old.owner)));
        self.recorder.note(begun, Call::Rotate { id, given, changes });
    }

    /// The same user again, or another one.
    async fn login(&mut self, old: usize) {
        let owner = self.chance.below(OWNERS);
        let lineage = self.number << 32 | self.lineages;
        self.lineages += 1;
        let before = self.recorder.given(old);
        let begun = self.recorder.moment();
        let new = NewSession::new(Data { lineage, owner, count: 0 }).subject(format!("user {owner}"));
        let given = self.sessions.login(Some(&before.id), new).await.ok().map(|id| self.given(id, lineage, owner));
        self.recorder.note(begun, Call::Login { old, given });
    }

    async fn delete(&mut self, id: usize) {
        let given = self.recorder.given(id);
        let begun = self.recorder.moment();
        let ended = self.sessions.delete(&given.id).await.ok();
        self.recorder.note(begun, Call::Delete { id, ended });
    }

    async fn delete_listed(&mut self, id: usize) {
        let given = self.recorder.given(id);
        let begun = self.recorder.moment();
        let other = format!("user {}", (given.owner + 1) % OWNERS);
        // Nobody ends what is another's.
        if let Ok(ended) = self.sessions.delete_listed(&other, &given.handle).await {
            assert!(!ended, "a session was ended by somebody who does not own it");
        }
        let ended = self.sessions.delete_listed(&format!("user {}", given.owner), &given.handle).await.ok();
        self.recorder.note(begun, Call::Delete { id, ended });
    }

    async fn delete_all(&mut self, owner: u64, keep: Option<usize>) {
        let begun = self.recorder.moment();
        let subject = format!("user {owner}");
        let ended = match keep {
            Some(keep) => {
                let keep = self.recorder.given(keep);
                self.sessions.delete_others(&subject, &keep.id).await
            }
            None => self.sessions.delete_all(&subject).await,
        };
        self.recorder.note(begun, Call::DeleteAll { owner, keep, ended: ended.is_ok() });
    }

    async fn list(&mut self, owner: u64) {
        let begun = self.recorder.moment();
        let listed = self.sessions.list(&format!("user {owner}")).await;
        let seen = listed.ok().map(|listed| listed.into_iter().map(|listed| listed.handle).collect());
        self.recorder.note(begun, Call::List { owner, seen });
    }
}
