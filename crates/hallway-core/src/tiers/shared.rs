//! The shared tier: copies with leases and write markers, and a stream of invalidations.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Clock, Entry, Key, Result, Ttl};

/// A random name for one lease or one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl Token {
    /// Sixteen lower-case hexadecimal digits, as the shared tier stores it.
    ///
    /// ```
    /// use hallway_core::Token;
    ///
    /// assert_eq!(&Token(0x00fe_dcba_9876_5432).digits(), b"00fedcba98765432");
    /// assert_eq!(Token(7).to_string(), "0000000000000007");
    /// ```
    #[must_use]
    pub fn digits(self) -> [u8; 16] {
        std::array::from_fn(|at| b"0123456789abcdef"[(self.0 >> (60 - 4 * at)) as usize & 15])
    }
}

/// As its [digits](Self::digits).
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().into_iter().try_for_each(|digit| f.write_char(digit.into()))
    }
}

/// What stands under the key of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyState {
    /// Nothing, or something that is neither a copy nor a lease nor a marker.
    Absent,
    /// A lease or write markers, gone after the duration at the latest.
    Busy(Duration),
    /// A copy, header and payload.
    Value(Entry),
}

/// What asking for the right to fill a copy answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// Somebody else fills or writes; gone after the duration at the latest.
    Busy(Duration),
    /// The right is ours until the lease ends.
    Granted,
    /// A copy is there already.
    Value(Entry),
}

/// Whether the connection that carries invalidations is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// No connection, or none that has answered.
    Down,
    /// Connected, and the server sends invalidations.
    Tracked,
    /// Connected, but the server sends no invalidations: local copies may only be bounded by their TTL.
    Untracked,
}

/// When the connection last proved that no invalidation is missing. Read on every local hit, so it is one atomic.
///
/// Every invalidation that the server executed before [`proven`](Self::proven) has been delivered to the sink.
#[derive(Debug, Default)]
pub struct Freshness(AtomicU64);

impl Freshness {
    /// Microseconds on the link's clock; 0 before the first proof.
    #[must_use]
    #[inline]
    pub fn proven(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// A later proof. An earlier one changes nothing.
    pub fn prove(&self, at: u64) {
        self.0.fetch_max(at, Ordering::Release);
    }
}

/// Takes invalidations in wire order. It runs in the connection's task: it makes copies unusable before it returns, and
/// never waits.
pub trait InvalidationSink: fmt::Debug + Send + Sync + 'static {
    /// The key of this physical form changed.
    fn changed(&self, physical_key: &[u8]);
    /// Anything may have changed: a (re)connect, a flush, a change of role or topology. Called before any reply of the
    /// new connection can be seen.
    fn everything_changed(&self);
    /// The link came up, went down, or lost its tracking.
    fn link_changed(&self, state: LinkState) {
        let _ = state;
    }
}

/// How a link is made.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Where invalidations go. The link holds it as long as it lives.
    pub sink: Arc<dyn InvalidationSink>,
    /// How often the connection proves itself: H/4.
    pub heartbeat: Duration,
    /// The clock of [`Freshness`].
    pub clock: Arc<dyn Clock>,
}

/// A store that can be the shared tier.
pub trait SharedTier: fmt::Debug + Send + Sync {
    /// A connection of its own that carries reads, invalidations and heartbeat in one order, replaced in the background
    /// when it is lost. Dropping the link ends it.
    fn link(&self, options: LinkOptions) -> Arc<dyn SharedLink>;
}

/// One ordered connection to the shared tier.
///
/// Keys are physical: the engine has put `copy:` before those of copies. `within` is the deadline of a call, counted from
/// now; a read that passes it is `Unavailable`, anything else `Indeterminate` if it may have been sent. Concurrent calls
/// may be sent together. Nothing is retried but reads.
///
/// Token-guarded calls touch one key each, or all of their keys at once where those come in one call or at one time.
#[async_trait]
pub trait SharedLink: fmt::Debug + Send + Sync + 'static {
    /// When the connection last proved itself.
    fn freshness(&self) -> &Freshness;
    /// Whether it is up.
    fn state(&self) -> LinkState;
    /// Reads states and remaining lives, each pair atomically, without changing anything; tracked.
    async fn read(&self, keys: &[Key], within: Duration) -> Result<Vec<CopyState>>;
    /// Reads what stands there, copy, lease or marker, for whoever keeps none of it: without remaining lives, and not
    /// tracked, which costs the server half. `None` for nothing, and for what is no text. From the same server and in the
    /// same order as [`read`](Self::read), and it takes no tracking away from keys that others read.
    async fn read_once(&self, keys: &[Key], within: Duration) -> Result<Vec<Option<Bytes>>>;
    /// Reads plain entries of a shared authority, tracked.
    async fn read_entries(&self, keys: &[Key], within: Duration) -> Result<Vec<Option<Entry>>>;
    /// Asks for the right to fill, each key under its own token. A copy whose header says `id=<dead>` counts as absent:
    /// the caller has found it invalidated by a generation.
    async fn lease(
        &self,
        keys: &[(Key, Token, Option<Token>)],
        life: Duration,
        within: Duration,
    ) -> Result<Vec<LeaseOutcome>>;
    /// Writes copies whose leases still stand; says which. What has passed of `lease`, the life that the leases were given,
    /// is taken off the TTLs by the server's clock, so that no copy outlives an entry that was read after the lease was
    /// granted, however long the fill was under way; a copy with no life left is not written. Zero takes nothing off.
    async fn fill(&self, copies: &[(Key, Token, Bytes, Ttl)], lease: Duration, within: Duration) -> Result<Vec<bool>>;
    /// Gives leases and markers back; only those that still stand under their token, and nothing else that stands there.
    async fn release(&self, tokens: &[(Key, Token)], within: Duration) -> Result<()>;
    /// Prolongs leases that still stand under their token, to `life` from now; says which. One that is gone stays gone:
    /// somebody may have written since.
    async fn renew(&self, leases: &[(Key, Token)], life: Duration, within: Duration) -> Result<Vec<bool>>;
    /// The right to refresh a copy that stays readable meanwhile: one winner per key until `life` has passed.
    async fn claim_refresh(&self, key: &Key, token: Token, life: Duration, within: Duration) -> Result<bool>;
    /// Replaces a copy if its header still says `id=<seen>`.
    async fn replace(&self, key: &Key, seen: Token, copy: Bytes, ttl: Ttl, within: Duration) -> Result<bool>;
    /// Announces a write: no copy may be filled or read until every marker is gone. Also renews a marker.
    async fn mark(&self, keys: &[Key], writer: Token, life: Duration, within: Duration) -> Result<()>;
    /// Ends the announcement and whatever copy or lease stands there; other writers' markers stay. With a token that was
    /// never used it is a plain invalidation.
    async fn unmark(&self, keys: &[Key], writer: Token, within: Duration) -> Result<()>;
    /// Deletes copies by a plain command, which works also when the server has no memory left for scripts.
    async fn delete(&self, keys: &[Key], within: Duration) -> Result<()>;
    /// The generations under these keys, tracked; a missing one is made from its random id.
    async fn generations(&self, keys: &[(Key, u64)], within: Duration) -> Result<Vec<u64>>;
    /// Replaces a generation by a new random id, so that every copy that carries the old one is dead.
    async fn bump_generation(&self, key: &Key, new: u64, within: Duration) -> Result<()>;
    /// Whether the server answers.
    async fn ping(&self, within: Duration) -> Result<()>;
}
