//! Faults of a store, made to order.

mod call;
mod link;
mod store;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hallway_core::ErrorKind;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub use self::store::FaultStore;

/// More faults at once than a test can mean; the oldest goes.
const MAX_FAULTS: usize = 64;

/// The chances of [`Fault::with_probability`] come from this seed unless [`Faults::with_seed`] gives another, so that
/// a test fails twice in the same way.
const SEED: u64 = 0x6861_6c6c_7761_7921;

/// One way in which calls of a [`FaultStore`] go wrong.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use hallway_core::ErrorKind;
/// use hallway_testkit::Fault;
///
/// let down = Fault::error(ErrorKind::Unavailable);
/// let torn = Fault::lost_reply().on_writes().times(1);
/// let slow = Fault::latency(Duration::from_millis(20)).on_reads().with_probability(0.1);
/// # let _ = (down, torn, slow);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    effect: Effect,
    calls: Calls,
    /// Calls that it lets pass first.
    after: u64,
    times: Option<u64>,
    probability: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    BlackHole,
    Error(ErrorKind),
    Latency(Duration),
    LostReply,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calls {
    All,
    Reads,
    Writes,
}

impl Fault {
    /// Every call fails at once with an error of this kind; the store is not asked and nothing is written.
    #[must_use]
    pub fn error(kind: ErrorKind) -> Self {
        Self::new(Effect::Error(kind))
    }

    /// Every call starts so much later. One that cannot end by the deadline of the store ends there. Latencies add up
    /// with each other and with another fault.
    #[must_use]
    pub fn latency(latency: Duration) -> Self {
        Self::new(Effect::Latency(latency))
    }

    /// The call happens and its answer is lost: a write is done and answers `Indeterminate`, a read `Unavailable`.
    #[must_use]
    pub fn lost_reply() -> Self {
        Self::new(Effect::LostReply)
    }

    /// Nothing answers: the call hangs until the deadline of the store, then a read is `Unavailable` and a write
    /// `Indeterminate`. Nothing is written.
    #[must_use]
    pub fn black_hole() -> Self {
        Self::new(Effect::BlackHole)
    }

    /// Only verbs that change nothing: `get*`, `scan`, `time`, `ping`.
    ///
    /// Default: all verbs.
    #[must_use]
    pub fn on_reads(mut self) -> Self {
        self.calls = Calls::Reads;
        self
    }

    /// Only verbs that may change something.
    ///
    /// Default: all verbs.
    #[must_use]
    pub fn on_writes(mut self) -> Self {
        self.calls = Calls::Writes;
        self
    }

    /// Only the next `calls` calls that it hits.
    ///
    /// Default: until [`Faults::heal`].
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.times = Some(calls);
        self
    }

    /// Lets so many of the calls that it concerns pass first: for a fault in the middle of something that takes several.
    ///
    /// Default: 0.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Hits a call with this probability, drawn from the seed of the [`Faults`].
    ///
    /// Default: 1.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    fn new(effect: Effect) -> Self {
        Self { effect, calls: Calls::All, after: 0, times: None, probability: 1.0 }
    }

    fn concerns(&self, access: Access) -> bool {
        self.times != Some(0)
            && match self.calls {
                Calls::All => true,
                Calls::Reads => access == Access::Read,
                Calls::Writes => access == Access::Write,
            }
    }
}

/// The switch of a [`FaultStore`]: faults in force, and counts of the calls. A clone is another handle to the same.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    // So that a hit without waiting stays one while all is well.
    any: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    faulted: AtomicU64,
}

struct State {
    faults: Vec<Fault>,
    rng: StdRng,
}

/// How often a [`FaultStore`] was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallCounts {
    /// Calls of verbs that change nothing.
    pub reads: u64,
    /// Calls of verbs that may change something.
    pub writes: u64,
    /// Calls of either sort that a fault hit.
    pub faulted: u64,
}

/// Whether a verb may change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Verdict {
    latency: Duration,
    effect: Option<Effect>,
}

impl Faults {
    /// A switch without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(SEED)
    }

    /// A switch whose chances are drawn from another seed.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State { faults: Vec::new(), rng: StdRng::seed_from_u64(seed) }),
            any: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            faulted: AtomicU64::new(0),
        }))
    }

    /// Puts a fault in force, after those that are. Of several that hit one call, latencies add up and the first other
    /// one decides.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.state();
        if state.faults.len() == MAX_FAULTS {
            state.faults.remove(0);
        }
        state.faults.push(fault);
        self.0.any.store(true, Ordering::SeqCst);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.state().faults.clear();
        self.0.any.store(false, Ordering::SeqCst);
    }

    /// How often the store was called so far.
    #[must_use]
    pub fn calls(&self) -> CallCounts {
        CallCounts {
            reads: self.0.reads.load(Ordering::SeqCst),
            writes: self.0.writes.load(Ordering::SeqCst),
            faulted: self.0.faulted.load(Ordering::SeqCst),
        }
    }

    fn judge(&self, access: Access) -> Verdict {
        let counter = match access {
            Access::Read => &self.0.reads,
            Access::Write => &self.0.writes,
        };
        counter.fetch_add(1, Ordering::SeqCst);
        let mut verdict = Verdict::default();
        if !self.0.any.load(Ordering::SeqCst) {
            return verdict;
        }
        let mut state = self.state();
        let State { faults, rng } = &mut *state;
        for fault in faults.iter_mut().filter(|fault| fault.concerns(access)) {
            // A fault that could change nothing any more is not used up.
            let decides = !matches!(fault.effect, Effect::Latency(_));
            if decides && verdict.effect.is_some() || !rng.random_bool(fault.probability.clamp(0.0, 1.0)) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            match fault.effect {
                Effect::Latency(latency) => verdict.latency += latency,
                effect => verdict.effect = Some(effect),
            }
        }
        faults.retain(|fault| fault.times != Some(0));
        self.0.any.store(!faults.is_empty(), Ordering::SeqCst);
        if verdict != Verdict::default() {
            self.0.faulted.fetch_add(1, Ordering::SeqCst);
        }
        verdict
    }

    /// Whether some fault in force could hit a read.
    fn could_hit_reads(&self) -> bool {
        self.0.any.load(Ordering::SeqCst) && self.state().faults.iter().any(|fault| fault.concerns(Access::Read))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A list of faults has no half-done state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("faults", &self.state().faults).field("calls", &self.calls()).finish()
    }
}
