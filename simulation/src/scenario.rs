//! What a seed means.

use std::time::Duration;

use hallway_testkit::sim::SimRng;
use hallway_tiered::OnSharedDown;

/// The hard TTL of copies: what bounds staleness when a promise is void.
pub(crate) const COPY_TTL: Duration = Duration::from_secs(6);

/// How many processes there are.
pub(crate) const PROCESSES: u32 = 3;

/// Which tiers a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiers {
    /// Local and shared copies of a database.
    All,
    /// A cache over a loader, with local and shared copies.
    Cache,
    /// Local copies of what Redis holds.
    LocalShared,
    /// Shared copies of a database.
    SharedConsistent,
}

/// The one thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process hears and says nothing for a while.
    BlackHole,
    /// Connections are reset, again and again.
    Cuts,
    /// Copies, leases and markers are evicted.
    Evictions,
    /// Redis forgets everything at once, without a restart.
    Flush,
    /// A process is killed and started again.
    Kill,
    /// The network forgets connections without telling anybody.
    LostConnections,
    /// Nothing.
    None,
    /// What a process sends arrives, but it hears nothing.
    OneWay,
    /// Redis has no memory for a while.
    OutOfMemory,
    /// Redis ends and starts empty.
    Restart,
    /// The database answers late, or not at all, and commits all the same.
    Sql,
    /// A network that takes long.
    Slow,
    /// A process stands still.
    Stall,
}

const FAULTS: [Fault; 13] = [
    Fault::BlackHole,
    Fault::Cuts,
    Fault::Evictions,
    Fault::Flush,
    Fault::Kill,
    Fault::LostConnections,
    Fault::None,
    Fault::OneWay,
    Fault::OutOfMemory,
    Fault::Restart,
    Fault::Sql,
    Fault::Slow,
    Fault::Stall,
];

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is made from.
    pub seed: u64,
    /// Which tiers.
    pub tiers: Tiers,
    /// What a writer does who is cut off from Redis.
    pub policy: OnSharedDown,
    /// How long local copies answer while Redis is down.
    pub degraded_ttl: Duration,
    /// H.
    pub bound: Duration,
    /// Redis tells of changes only at the end of long turns of its event loop, after replies of the same turn.
    pub long_turns: bool,
    /// What goes wrong.
    pub fault: Fault,
    /// Operations of each client.
    pub operations: u64,
    /// Longest pause of a client between two.
    pub pause: Duration,
    /// Whether processes keep copies.
    pub local: bool,
    /// For how long a loader goes on after it has read, at most and now and then.
    pub rest: Duration,
}

impl Scenario {
    /// What this seed means.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = SimRng::new(seed ^ 0x7363_656e_6172_696f);
        let tiers = *rng.pick(&[Tiers::All, Tiers::Cache, Tiers::LocalShared, Tiers::SharedConsistent]);
        let long_turns = rng.chance(0.3);
        let fault = loop {
            // What long turns do only shows when the link ends in the middle of one.
            let holes = long_turns && rng.chance(0.7);
            let fault = if holes { *rng.pick(&[Fault::BlackHole, Fault::OneWay]) } else { *rng.pick(&FAULTS) };
            // Where Redis is the authority, what it loses is lost.
            let loses = matches!(fault, Fault::Evictions | Fault::Flush | Fault::Restart | Fault::Sql);
            if tiers != Tiers::LocalShared || !loses {
                break fault;
            }
        };
        // A turn must end before the next ping, or no proof is one.
        let bound = if long_turns { 1_000 } else { *rng.pick(&[200, 500, 1_000]) };
        Self {
            seed,
            tiers,
            bound: Duration::from_millis(bound),
            long_turns,
            policy: *rng.pick(&[OnSharedDown::Fail, OnSharedDown::Proceed]),
            degraded_ttl: if long_turns {
                Duration::ZERO
            } else {
                *rng.pick(&[Duration::ZERO, Duration::from_secs(2)])
            },
            fault,
            operations: if long_turns { 100 } else { rng.within(20..=60) },
            pause: Duration::from_millis(if long_turns { 100 } else { *rng.pick(&[3, 60, 300]) }),
            // What is read and not kept nobody tells of.
            local: tiers != Tiers::Cache || rng.chance(0.5),
            rest: if tiers == Tiers::Cache { 4 * Duration::from_millis(bound) } else { Duration::ZERO },
        }
    }
}
