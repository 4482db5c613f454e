//! What is searched: the protocol with or without its parts, how much happens, and what may go wrong.

use std::fmt;

/// Something that goes wrong, at most once in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// A write is acknowledged although its UNMARK was not answered in time; the command is still on its way.
    AcknowledgedEarly = 1,
    /// A lease ends before its holder has filled.
    LeaseExpires = 2,
    /// The markers of a key are lost: evicted, or expired too soon.
    MarkerLost = 4,
    /// Another key that shares the stamp is invalidated in some process. With stamps of their own, keys have nothing in
    /// common but the order of messages of a connection, and what happens to one of them is a run of this model.
    StampCollides = 16,
    /// A writer dies right after its commit.
    WriterDies = 8,
}

/// What every read is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Property {
    /// P1: it returns the newest write that was acknowledged before it began, or a newer one.
    Acknowledged = 1,
    /// P2: it is not older than what its process had read before.
    Process = 2,
    /// P3: unless it hit the local tier, it is not older than what any process had read before.
    Order = 4,
}

/// What a variant is expected to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Every state was seen, and nothing was wrong in any: so many states.
    Holds(u64),
    /// The shortest way to a violation was found after so many states.
    Violated(Property, u64),
}

/// A variant of the protocol, and how much happens in it.
///
/// Default: the full protocol, two processes that read twice and write once each, no fault, all properties.
#[derive(Debug, Clone)]
#[must_use]
pub struct Variant {
    /// What it is called.
    pub name: &'static str,
    /// What it is expected to show, if that is known.
    pub expected: Option<Expected>,
    pub(super) stamps: bool,
    pub(super) lease: bool,
    pub(super) marker: bool,
    pub(super) local_from_own_fill: bool,
    pub(super) no_loop: bool,
    pub(super) gets: Vec<u8>,
    pub(super) puts: Vec<u8>,
    pub(super) faults: u8,
    pub(super) properties: u8,
    pub(super) most_states: u64,
}

impl Variant {
    /// The full protocol.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            expected: None,
            stamps: true,
            lease: true,
            marker: true,
            local_from_own_fill: false,
            no_loop: false,
            gets: vec![2, 2],
            puts: vec![1, 1],
            faults: 0,
            properties: Property::Acknowledged as u8 | Property::Process as u8 | Property::Order as u8,
            most_states: 50_000_000,
        }
    }

    /// Local copies carry no stamp and are only dropped by pushes.
    pub fn without_stamps(mut self) -> Self {
        self.stamps = false;
        self
    }

    /// Whoever missed may fill.
    pub fn without_lease(mut self) -> Self {
        self.lease = false;
        self
    }

    /// Writes leave no marker before the commit, and delete the copy after it.
    pub fn without_marker(mut self) -> Self {
        self.marker = false;
        self
    }

    /// The local tier takes what its own process filled, on a connection without pushes for what it does itself.
    pub fn with_local_from_own_fill(mut self) -> Self {
        self.local_from_own_fill = true;
        self.no_loop = true;
        self
    }

    /// How often each process reads. Two or three processes.
    pub fn with_gets(mut self, gets: &[u8]) -> Self {
        self.gets = gets.to_vec();
        self
    }

    /// How often each process writes.
    pub fn with_puts(mut self, puts: &[u8]) -> Self {
        self.puts = puts.to_vec();
        self
    }

    /// What may go wrong, each once.
    pub fn with_faults(mut self, faults: &[Fault]) -> Self {
        self.faults = faults.iter().fold(0, |all, &fault| all | fault as u8);
        self
    }

    /// What reads are judged by.
    pub fn with_properties(mut self, properties: &[Property]) -> Self {
        self.properties = properties.iter().fold(0, |all, &property| all | property as u8);
        self
    }

    /// Gives up beyond so many states. Default: 50,000,000, at about 50 bytes each.
    pub fn with_most_states(mut self, states: u64) -> Self {
        self.most_states = states;
        self
    }

    fn expecting(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }
}

/// The variants of the specification, with what they are known to show: first those that a part of the protocol is
/// missing from and two faults at once, then the full protocol alone and with single faults.
#[must_use]
pub fn variants() -> Vec<Variant> {
    use Expected::{Holds, Violated};
    use Fault::{AcknowledgedEarly, LeaseExpires, MarkerLost, WriterDies};
    use Property::{Acknowledged, Order, Process};
    let single = |name| Variant::new(name).with_gets(&[2, 1]).with_puts(&[1, 0]);
    vec![
        Variant::new("naive cache-aside: SET on fill, DEL after commit")
            .without_lease()
            .without_marker()
            .with_gets(&[1, 1])
            .with_puts(&[1, 0])
            .with_properties(&[Acknowledged])
            .expecting(Violated(Acknowledged, 2_912)),
        Variant::new("L1 without stamps (entry dropped on push only)")
            .without_stamps()
            .with_gets(&[2, 1])
            .with_puts(&[0, 1])
            .with_properties(&[Acknowledged])
            .expecting(Violated(Acknowledged, 12_991)),
        Variant::new("L1 filled from the process's own FILL, NOLOOP")
            .with_local_from_own_fill()
            .with_gets(&[2, 1])
            .with_puts(&[0, 1])
            .with_properties(&[Acknowledged])
            .expecting(Violated(Acknowledged, 3_213)),
        single("no marker + acknowledged before the DEL ran")
            .without_marker()
            .with_faults(&[AcknowledgedEarly])
            .with_properties(&[Acknowledged])
            .expecting(Violated(Acknowledged, 6_203)),
        single("no marker + writer dies after commit")
            .without_marker()
            .with_gets(&[3, 1])
            .with_faults(&[WriterDies])
            .expecting(Violated(Order, 11_905)),
        single("full protocol, marker lost AND acknowledged before UNMARK ran")
            .with_faults(&[MarkerLost, AcknowledgedEarly])
            .with_properties(&[Acknowledged])
            .expecting(Violated(Acknowledged, 27_581)),
        Variant::new("full protocol, no fault").with_gets(&[2, 1]).expecting(Holds(631_093)),
        single("full protocol + lease expires").with_faults(&[LeaseExpires]).expecting(Holds(40_118)),
        single("full protocol + writer dies after commit").with_faults(&[WriterDies]).expecting(Holds(17_915)),
        single("full protocol + acknowledged before UNMARK ran")
            .with_faults(&[AcknowledgedEarly])
            .expecting(Holds(30_632)),
        single("full protocol + marker lost")
            .with_faults(&[MarkerLost])
            .with_properties(&[Acknowledged, Process])
            .expecting(Holds(51_696)),
        single("full protocol + lease expires + marker lost")
            .with_faults(&[LeaseExpires, MarkerLost])
            .with_properties(&[Acknowledged, Process])
            .expecting(Holds(122_488)),
        Variant::new("full protocol, two writers + acknowledged before UNMARK ran")
            .with_gets(&[1, 1])
            .with_faults(&[AcknowledgedEarly])
            .with_properties(&[Acknowledged, Process])
            .expecting(Holds(269_918)),
    ]
}

/// Variants of the full protocol beyond the specification, which all hold: up to 11.5 million states, about 600 MB and
/// a minute of an optimised build.
#[must_use]
pub fn larger_variants() -> Vec<Variant> {
    use Expected::Holds;
    use Fault::{AcknowledgedEarly, LeaseExpires, StampCollides, WriterDies};
    use Property::{Acknowledged, Process};
    vec![
        Variant::new("two keys of one stamp")
            .with_gets(&[2, 1])
            .with_faults(&[StampCollides])
            .expecting(Holds(2_724_316)),
        Variant::new("two reads each").with_gets(&[2, 2]).expecting(Holds(3_381_784)),
        Variant::new("two writes of one process").with_gets(&[2, 1]).with_puts(&[2, 1]).expecting(Holds(3_334_409)),
        Variant::new("lease expires, two writers")
            .with_gets(&[2, 1])
            .with_faults(&[LeaseExpires])
            .expecting(Holds(1_308_297)),
        Variant::new("writer dies, two writers")
            .with_gets(&[2, 1])
            .with_faults(&[WriterDies])
            .expecting(Holds(876_602)),
        Variant::new("acknowledged early, two writers")
            .with_gets(&[2, 1])
            .with_faults(&[AcknowledgedEarly])
            .with_properties(&[Acknowledged, Process])
            .expecting(Holds(1_567_820)),
        Variant::new("three processes, one writer")
            .with_gets(&[1, 1, 1])
            .with_puts(&[1, 0, 0])
            .expecting(Holds(230_778)),
        Variant::new("three processes, two writers")
            .with_gets(&[1, 1, 1])
            .with_puts(&[1, 1, 0])
            .expecting(Holds(11_515_813)),
        Variant::new("three processes, one writer, first reads twice")
            .with_gets(&[2, 1, 1])
            .with_puts(&[0, 1, 0])
            .expecting(Holds(1_030_565)),
    ]
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acknowledged => "P1 stale: an acknowledged write is missing",
            Self::Process => "P2 a process went back",
            Self::Order => "P3 a read that did not hit the local tier went back",
        })
    }
}
