//! A shared tier in memory, for what a cache does with it: leases, markers, copies, pushes. Its clock is moved by hand, and
//! it can be cut off.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use hallway_core::{
    Bytes, Capabilities, Clock, CopyState, Cursor, DeleteIf, Entry, Error, ErrorKind, Freshness, InvalidationSink, Key,
    KvStore, LeaseOutcome, LinkOptions, LinkState, Page, Prefix, Result, SetOptions, SetOutcome, SharedLink,
    SharedTier, Timestamp, Token, Ttl,
};
use hallway_moka::{MokaConfig, MokaStore};
use hallway_testkit::ManualClock;
use hallway_tiered::{TieredBuilder, TieredStore};
use tokio::sync::watch;

/// Processes that share it.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<State>);

#[derive(Debug)]
struct State {
    plain: MokaStore,
    clock: ManualClock,
    keys: Mutex<BTreeMap<Key, Stands>>,
    sinks: Mutex<Vec<Arc<dyn InvalidationSink>>>,
    down: AtomicBool,
    unlinked: AtomicBool,
    mute: AtomicBool,
    slow: AtomicBool,
    /// Whether replies stay on their way.
    held: watch::Sender<bool>,
    /// Whether copies to be written stay on their way.
    stalled: watch::Sender<bool>,
    /// So many calls that end markers fail.
    lost: AtomicUsize,
    calls: [AtomicUsize; 8],
}

/// A shared tier, and the clock of all processes over it.
pub(crate) fn world() -> (Shared, ManualClock) {
    let clock = ManualClock::new();
    (Shared::new(&clock), clock)
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    Read,
    Lease,
    Fill,
    Claim,
    Mark,
    Renew,
    /// Any of those that change something.
    Change,
    /// Those reads whose result is not kept.
    ReadOnce,
}

#[derive(Debug, Clone)]
enum Stands {
    Copy(Bytes, u64),
    Lease(Token, u64),
    Marks(BTreeMap<u64, u64>),
    Generation(u64),
}

impl Stands {
    fn until(&self) -> u64 {
        match self {
            Self::Copy(_, until) | Self::Lease(_, until) => *until,
            Self::Marks(marks) => marks.values().copied().max().unwrap_or(0),
            Self::Generation(_) => u64::MAX,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

impl Shared {
    pub(crate) fn new(clock: &ManualClock) -> Self {
        let plain = MokaConfig::default().with_clock(Arc::new(clock.clone())).build().unwrap();
        Self(Arc::new(State {
            plain,
            clock: clock.clone(),
            keys: Mutex::default(),
            sinks: Mutex::default(),
            down: AtomicBool::new(false),
            unlinked: AtomicBool::new(false),
            mute: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            held: watch::Sender::new(false),
            stalled: watch::Sender::new(false),
            lost: AtomicUsize::new(0),
            calls: Default::default(),
        }))
    }

    /// One process with a local tier of its own.
    pub(crate) fn process(&self, seed: u64) -> TieredStore {
        let local = MokaConfig::default().with_clock(Arc::new(self.0.clock.clone())).build().unwrap();
        self.process_with(local, seed)
    }

    pub(crate) fn process_with(&self, local: MokaStore, seed: u64) -> TieredStore {
        TieredStore::builder().local(local).shared(self.clone()).seed(seed).build().unwrap()
    }

    /// One process with a local tier of its own, over an authority.
    pub(crate) fn process_over(&self, seed: u64, authority: impl KvStore) -> TieredStore {
        let local = MokaConfig::default().with_clock(Arc::new(self.0.clock.clone())).build().unwrap();
        TieredStore::builder().local(local).shared(self.clone()).consistent(authority).seed(seed).build().unwrap()
    }

    pub(crate) fn process_without_local(&self, seed: u64) -> TieredStore {
        let builder: TieredBuilder<_, _, _> = TieredStore::builder().shared(self.clone());
        builder.clock(Arc::new(self.0.clock.clone())).seed(seed).build().unwrap()
    }

    /// No call is answered, and the links know it.
    pub(crate) fn cut(&self) {
        self.0.down.store(true, Ordering::SeqCst);
        for sink in self.sinks() {
            sink.link_changed(LinkState::Down);
        }
    }

    /// As [`cut`](Self::cut), but the other connections of the store go on.
    pub(crate) fn cut_links(&self) {
        self.0.unlinked.store(true, Ordering::SeqCst);
        for sink in self.sinks() {
            sink.link_changed(LinkState::Down);
        }
    }

    pub(crate) fn mend(&self) {
        self.0.down.store(false, Ordering::SeqCst);
        for sink in self.sinks() {
            sink.everything_changed();
            sink.link_changed(LinkState::Tracked);
        }
    }

    /// Calls are answered, but changes are told nobody and nothing proves that none is missing.
    pub(crate) fn mute(&self) {
        self.0.mute.store(true, Ordering::SeqCst);
    }

    /// Invalidations take 100 ms to arrive.
    pub(crate) fn slow_down(&self) {
        self.0.slow.store(true, Ordering::SeqCst);
    }

    /// Replies to reads are made, and stay on their way until they are let go.
    pub(crate) fn hold_replies(&self) {
        self.0.held.send_replace(true);
    }

    pub(crate) fn let_go(&self) {
        self.0.held.send_replace(false);
    }

    /// Copies to be written stay on their way until this is called with `false`.
    pub(crate) fn hold_fills(&self, hold: bool) {
        self.0.stalled.send_replace(hold);
    }

    async fn reply<T>(&self, reply: T) -> T {
        self.0.held.subscribe().wait_for(|held| !held).await.unwrap();
        reply
    }

    /// The next calls that end markers are lost.
    pub(crate) fn lose_unmarks(&self, calls: usize) {
        self.0.lost.store(calls, Ordering::SeqCst);
    }

    /// Tells everybody that a key has changed.
    pub(crate) fn tell(&self, physical: &[u8]) {
        for sink in self.sinks() {
            sink.changed(physical);
        }
    }

    async fn travel(&self) {
        if self.0.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn calls(&self, call: Call) -> usize {
        self.0.calls[call as usize].load(Ordering::SeqCst)
    }

    /// Overwrites the payload of a copy with something else under a good header.
    pub(crate) fn write_raw(&self, physical: &str, copy: &[u8], life: Duration) {
        let key = Key::from_physical(physical).unwrap();
        let until = self.0.clock.now() + micros(life);
        self.0.keys.lock().unwrap().insert(key.clone(), Stands::Copy(Bytes::copy_from_slice(copy), until));
        self.push(&key);
    }

    /// The header line of a copy.
    pub(crate) fn header(&self, physical: &str) -> Option<String> {
        match self.0.keys.lock().unwrap().get(physical)? {
            Stands::Copy(copy, _) => {
                let line = copy.split(|byte| *byte == b'\n').next()?;
                Some(String::from_utf8(line.to_vec()).unwrap())
            }
            _ => None,
        }
    }

    /// Forgets everything of one kind, as an eviction does.
    pub(crate) fn evict(&self, prefix: &str) {
        let gone: Vec<Key> = {
            let mut keys = self.0.keys.lock().unwrap();
            let gone: Vec<Key> = keys.keys().filter(|key| key.as_str().starts_with(prefix)).cloned().collect();
            for key in &gone {
                keys.remove(key);
            }
            gone
        };
        for key in gone {
            self.push(&key);
        }
    }

    fn sinks(&self) -> Vec<Arc<dyn InvalidationSink>> {
        self.0.sinks.lock().unwrap().clone()
    }

    fn push(&self, key: &Key) {
        if !self.0.mute.load(Ordering::SeqCst) {
            for sink in self.sinks() {
                sink.changed(key.as_bytes());
            }
        }
    }

    fn check(&self) -> Result<()> {
        if self.0.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "cut off"));
        }
        Ok(())
    }

    fn count(&self, call: Call) {
        self.0.calls[call as usize].fetch_add(1, Ordering::SeqCst);
    }

    /// The states, without what is past its time.
    fn live(&self) -> MutexGuard<'_, BTreeMap<Key, Stands>> {
        let now = self.0.clock.now();
        let mut keys = self.0.keys.lock().unwrap();
        keys.retain(|_, stands| stands.until() > now);
        keys
    }

    fn entry(&self, copy: &Bytes, until: u64) -> Entry {
        Entry::new(copy.clone(), Ttl::After(Duration::from_micros(until - self.0.clock.now())))
    }
}

fn id_of(copy: &[u8]) -> Option<Token> {
    let line = std::str::from_utf8(copy.split(|byte| *byte == b'\n').next()?).ok()?;
    let id = line.split(' ').find_map(|word| word.strip_prefix("id="))?;
    Some(Token(u64::from_str_radix(id, 16).ok()?))
}

#[derive(Debug)]
struct Link {
    shared: Shared,
    freshness: Freshness,
}

impl SharedTier for Shared {
    fn link(&self, options: LinkOptions) -> Arc<dyn SharedLink> {
        options.sink.everything_changed();
        options.sink.link_changed(LinkState::Tracked);
        self.0.sinks.lock().unwrap().push(options.sink);
        Arc::new(Link { shared: self.clone(), freshness: Freshness::default() })
    }
}

impl Link {
    fn check(&self) -> Result<()> {
        if self.shared.0.unlinked.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the link is cut"));
        }
        self.shared.check()
    }
}

#[async_trait]
impl SharedLink for Link {
    fn freshness(&self) -> &Freshness {
        if self.check().is_ok() && !self.shared.0.mute.load(Ordering::SeqCst) {
            self.freshness.prove(self.shared.0.clock.now());
        }
        &self.freshness
    }

    fn state(&self) -> LinkState {
        if self.check().is_ok() { LinkState::Tracked } else { LinkState::Down }
    }

    async fn read(&self, keys: &[Key], _: Duration) -> Result<Vec<CopyState>> {
        self.shared.count(Call::Read);
        tokio::task::yield_now().await;
        self.check()?;
        let states = {
            let (now, live) = (self.shared.0.clock.now(), self.shared.live());
            let state = |key: &Key| match live.get(key) {
                Some(Stands::Copy(copy, until)) => CopyState::Value(self.shared.entry(copy, *until)),
                Some(other) => CopyState::Busy(Duration::from_micros(other.until() - now)),
                None => CopyState::Absent,
            };
            keys.iter().map(state).collect()
        };
        Ok(self.shared.reply(states).await)
    }

    async fn read_once(&self, keys: &[Key], _: Duration) -> Result<Vec<Option<Bytes>>> {
        self.shared.count(Call::Read);
        self.shared.count(Call::ReadOnce);
        tokio::task::yield_now().await;
        self.check()?;
        let copies = {
            let live = self.shared.live();
            let standing = |key: &Key| match live.get(key)? {
                Stands::Copy(copy, _) => Some(copy.clone()),
                Stands::Lease(token, _) => Some(Bytes::from(format!("L{token}"))),
                Stands::Marks(_) => Some(Bytes::from_static(b"M")),
                Stands::Generation(id) => Some(Bytes::from(format!("{id:016x}"))),
            };
            keys.iter().map(standing).collect()
        };
        Ok(self.shared.reply(copies).await)
    }

    async fn read_entries(&self, keys: &[Key], _: Duration) -> Result<Vec<Option<Entry>>> {
        self.check()?;
        let entries = self.shared.0.plain.get_entries(keys).await?;
        Ok(self.shared.reply(entries).await)
    }

    async fn lease(
        &self,
        keys: &[(Key, Token, Option<Token>)],
        life: Duration,
        _: Duration,
    ) -> Result<Vec<LeaseOutcome>> {
        self.check()?;
        self.shared.count(Call::Lease);
        self.shared.count(Call::Change);
        tokio::task::yield_now().await;
        let mut pushes = Vec::new();
        let outcomes = {
            let (now, mut live) = (self.shared.0.clock.now(), self.shared.live());
            let mut one = |(key, token, dead): &(Key, Token, Option<Token>)| match live.get(key) {
                Some(Stands::Copy(copy, until)) if dead.is_none() || id_of(copy) != *dead => {
                    LeaseOutcome::Value(self.shared.entry(copy, *until))
                }
                Some(Stands::Copy(..)) | None => {
                    live.insert(key.clone(), Stands::Lease(*token, now + micros(life)));
                    pushes.push(key.clone());
                    LeaseOutcome::Granted
                }
                Some(other) => LeaseOutcome::Busy(Duration::from_micros(other.until() - now)),
            };
            keys.iter().map(&mut one).collect()
        };
        pushes.iter().for_each(|key| self.shared.push(key));
        Ok(outcomes)
    }

    async fn fill(&self, copies: &[(Key, Token, Bytes, Ttl)], _: Duration, _: Duration) -> Result<Vec<bool>> {
        self.check()?;
        self.shared.count(Call::Fill);
        self.shared.count(Call::Change);
        self.shared.0.stalled.subscribe().wait_for(|stalled| !stalled).await.unwrap();
        tokio::task::yield_now().await;
        let mut filled = Vec::new();
        for (key, token, copy, ttl) in copies {
            let until = self.shared.0.clock.now() + micros(ttl.duration().unwrap());
            let mine = {
                let mut live = self.shared.live();
                let mine = matches!(live.get(key), Some(Stands::Lease(holder, _)) if holder == token);
                if mine {
                    live.insert(key.clone(), Stands::Copy(copy.clone(), until));
                }
                mine
            };
            if mine {
                self.shared.push(key);
            }
            filled.push(mine);
        }
        Ok(filled)
    }

    async fn release(&self, tokens: &[(Key, Token)], _: Duration) -> Result<()> {
        self.check()?;
        self.shared.count(Call::Change);
        for (key, token) in tokens {
            let mine = {
                let mut live = self.shared.live();
                let (mine, last) = match live.get_mut(key) {
                    Some(Stands::Lease(holder, _)) => (holder == token, holder == token),
                    Some(Stands::Marks(marks)) => (marks.remove(&token.0).is_some(), marks.is_empty()),
                    _ => (false, false),
                };
                if last {
                    live.remove(key);
                }
                mine
            };
            if mine {
                self.shared.push(key);
            }
        }
        Ok(())
    }

    async fn renew(&self, leases: &[(Key, Token)], life: Duration, _: Duration) -> Result<Vec<bool>> {
        self.check()?;
        self.shared.count(Call::Renew);
        let (now, mut live) = (self.shared.0.clock.now(), self.shared.live());
        let mut one = |(key, token): &(Key, Token)| match live.get_mut(key) {
            Some(Stands::Lease(holder, until)) if holder == token => {
                *until = now + micros(life);
                true
            }
            _ => false,
        };
        Ok(leases.iter().map(&mut one).collect())
    }

    async fn claim_refresh(&self, key: &Key, token: Token, life: Duration, _: Duration) -> Result<bool> {
        self.check()?;
        self.shared.count(Call::Claim);
        self.shared.count(Call::Change);
        let side = Key::from_physical(&format!("refresh:{}", key.as_str()))?;
        let until = self.shared.0.clock.now() + micros(life);
        let mut live = self.shared.live();
        let free = !live.contains_key(&side);
        if free {
            live.insert(side, Stands::Lease(token, until));
        }
        Ok(free)
    }

    async fn replace(&self, key: &Key, seen: Token, copy: Bytes, ttl: Ttl, _: Duration) -> Result<bool> {
        self.check()?;
        self.shared.count(Call::Fill);
        self.shared.count(Call::Change);
        let until = self.shared.0.clock.now() + micros(ttl.duration().unwrap());
        let same = {
            let mut live = self.shared.live();
            let same = matches!(live.get(key), Some(Stands::Copy(old, _)) if id_of(old) == Some(seen));
            if same {
                live.insert(key.clone(), Stands::Copy(copy, until));
            }
            same
        };
        if same {
            self.shared.push(key);
        }
        Ok(same)
    }

    async fn mark(&self, keys: &[Key], writer: Token, life: Duration, _: Duration) -> Result<()> {
        self.check()?;
        self.shared.count(Call::Mark);
        self.shared.count(Call::Change);
        for key in keys {
            {
                let (now, mut live) = (self.shared.0.clock.now(), self.shared.live());
                let mut marks = match live.remove(key) {
                    Some(Stands::Marks(marks)) => marks,
                    _ => BTreeMap::new(),
                };
                marks.insert(writer.0, now + micros(life));
                live.insert(key.clone(), Stands::Marks(marks));
            }
            self.shared.push(key);
        }
        Ok(())
    }

    async fn unmark(&self, keys: &[Key], writer: Token, _: Duration) -> Result<()> {
        self.shared.travel().await;
        self.check()?;
        self.shared.count(Call::Change);
        let lost = self.shared.0.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |calls| calls.checked_sub(1));
        if lost.is_ok() {
            return Err(Error::new(ErrorKind::Unavailable, "lost"));
        }
        for key in keys {
            {
                let mut live = self.shared.live();
                if let Some(Stands::Marks(mut marks)) = live.remove(key) {
                    marks.remove(&writer.0);
                    if !marks.is_empty() {
                        live.insert(key.clone(), Stands::Marks(marks));
                    }
                }
            }
            self.shared.push(key);
        }
        Ok(())
    }

    async fn delete(&self, keys: &[Key], _: Duration) -> Result<()> {
        self.check()?;
        self.shared.count(Call::Change);
        for key in keys {
            self.shared.live().remove(key);
            self.shared.push(key);
        }
        Ok(())
    }

    async fn generations(&self, keys: &[(Key, u64)], _: Duration) -> Result<Vec<u64>> {
        self.check()?;
        let mut made = Vec::new();
        let ids = {
            let mut live = self.shared.live();
            let mut one = |(key, proposed): &(Key, u64)| {
                let stands = live.entry(key.clone()).or_insert_with(|| {
                    made.push(key.clone());
                    Stands::Generation(*proposed)
                });
                match stands {
                    Stands::Generation(id) => Ok(*id),
                    _ => Err(Error::new(ErrorKind::Corrupt, "no generation")),
                }
            };
            keys.iter().map(&mut one).collect()
        };
        // Whoever makes one has just read that it was missing, so he is told as well: after the reply.
        if !made.is_empty() {
            let shared = self.shared.clone();
            tokio::spawn(async move { made.iter().for_each(|key| shared.push(key)) });
        }
        ids
    }

    async fn bump_generation(&self, key: &Key, new: u64, _: Duration) -> Result<()> {
        self.shared.travel().await;
        self.check()?;
        self.shared.count(Call::Change);
        self.shared.live().insert(key.clone(), Stands::Generation(new));
        self.shared.push(key);
        Ok(())
    }

    async fn ping(&self, _: Duration) -> Result<()> {
        self.check()
    }
}

#[async_trait]
impl KvStore for Shared {
    fn capabilities(&self) -> Capabilities {
        self.0.plain.capabilities()
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.check()?;
        self.0.plain.get_entry(key).await
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        self.check()?;
        self.count(Call::Change);
        let outcome = self.0.plain.set(key, value, opts).await?;
        if outcome == SetOutcome::Written {
            self.push(key);
        }
        Ok(outcome)
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.check()?;
        self.count(Call::Change);
        let deleted = self.0.plain.delete_if(key, when).await?;
        if deleted {
            self.push(key);
        }
        Ok(deleted)
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.check()?;
        self.count(Call::Change);
        self.0.plain.touch(key, ttl).await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.check()?;
        self.0.plain.scan(prefix, after, limit).await
    }

    async fn time(&self) -> Result<Timestamp> {
        self.0.plain.time().await
    }

    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        Arc::new(self.clone())
    }

    fn as_shared(&self) -> Option<&dyn SharedTier> {
        Some(self)
    }
}
