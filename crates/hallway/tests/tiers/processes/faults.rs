//! What goes wrong with the links, and when: drawn from a seed, one fault at a time.

use std::time::Duration;

use hallway_testkit::{Direction, FaultProxy, LinkFault};
use tokio::time::{Instant, sleep_until};

use super::rng::Rng;

/// How long a fault lasts, in milliseconds: from shorter than a heartbeat to more than twice the bound.
const LASTS: std::ops::Range<u64> = 200..2_500;

/// When the first one begins: copies are there by then.
const BEGINS: std::ops::Range<u64> = 500..900;

/// Between two faults: the link has come back, mostly.
const BETWEEN: u64 = 300;

/// After the last one.
const AFTER: u64 = 500;

/// How long a run is at least.
const LENGTH: u64 = 4_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    BlackHole,
    BlackHoleToServer,
    BlackHoleToClient,
    /// Connections end, and new ones are refused.
    Cut,
    /// Connections are reset after so many bytes of requests.
    Reset(u64),
    /// Replies end in the middle.
    Truncate(u64),
    /// Each way.
    Latency(Duration),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) victim: u32,
    pub(super) trouble: Trouble,
}

/// The faults of one run.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) events: Vec<Event>,
}

impl Schedule {
    /// The first fault goes through all kinds as the seeds go on.
    pub(super) fn from_seed(seed: u64, instances: u32) -> Self {
        let mut rng = Rng::new(seed, 0xfa17);
        let mut events = Vec::new();
        let (mut at, mut kind) = (rng.range(BEGINS), seed);
        while at + LASTS.start + AFTER <= LENGTH {
            let lasts = rng.range(LASTS);
            events.push(Event {
                at: Duration::from_millis(at),
                lasts: Duration::from_millis(lasts),
                victim: u32::try_from(rng.range(0..u64::from(instances))).unwrap(),
                trouble: Trouble::draw(kind, &mut rng),
            });
            at += lasts + BETWEEN;
            kind = rng.next();
        }
        Self { events }
    }

    pub(super) fn length(&self) -> Duration {
        let healed = self.events.iter().map(|event| event.at + event.lasts).max().unwrap_or_default();
        (healed + Duration::from_millis(AFTER)).max(Duration::from_millis(LENGTH))
    }
}

impl Trouble {
    fn draw(kind: u64, rng: &mut Rng) -> Self {
        match kind % 7 {
            0 => Self::BlackHole,
            1 => Self::BlackHoleToClient,
            2 => Self::BlackHoleToServer,
            3 => Self::Cut,
            4 => Self::Latency(Duration::from_millis(rng.range(50..800))),
            5 => Self::Reset(rng.range(1..2_000)),
            _ => Self::Truncate(rng.range(1..2_000)),
        }
    }

    fn strike(self, link: &FaultProxy) {
        match self {
            Self::BlackHole => link.set_both(LinkFault::BlackHole),
            Self::BlackHoleToServer => link.set(Direction::ToServer, LinkFault::BlackHole),
            Self::BlackHoleToClient => link.set(Direction::ToClient, LinkFault::BlackHole),
            Self::Cut => link.refuse(),
            Self::Reset(bytes) => link.set(Direction::ToServer, LinkFault::ResetAfter(bytes)),
            Self::Truncate(bytes) => link.set(Direction::ToClient, LinkFault::CutAfter(bytes)),
            Self::Latency(each_way) => {
                link.set_latency(Direction::ToServer, each_way);
                link.set_latency(Direction::ToClient, each_way);
            }
        }
    }
}

/// Lets everything go wrong as planned, from now on. All links are whole in the end.
pub(super) async fn play(schedule: &Schedule, links: &[FaultProxy]) {
    let began = Instant::now();
    for event in &schedule.events {
        let link = &links[event.victim as usize];
        sleep_until(began + event.at).await;
        event.trouble.strike(link);
        sleep_until(began + event.at + event.lasts).await;
        link.heal();
    }
}
