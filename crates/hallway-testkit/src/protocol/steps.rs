//! What can happen next in a state.
//!
//! The order in which the possibilities are listed is that of the specification: the number of states seen before a
//! violation depends on it.

use std::fmt;

use super::state::{Began, Command, Copy, Message, Process, Read, State, Write};
use super::variants::{Fault, Property, Variant};

/// One step, to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AcknowledgeEarly { process: usize, value: u8 },
    BeginWrite { process: usize, token: u8 },
    Collide { process: usize },
    Commit { process: usize, value: u8, dies: bool },
    Execute { process: usize, command: Command, reply: Message },
    Hit { process: usize, value: u8 },
    Insert { process: usize, value: u8 },
    LeaseExpires,
    Load { process: usize, value: u8 },
    LoseMarker,
    Receive { process: usize, message: Message, returned: Option<u8> },
    SendGetl { process: usize, token: u8 },
}

/// A state that may come next, the step to it, and the property that a read of this step broke.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next<const N: usize> {
    pub(super) state: State<N>,
    pub(super) step: Step,
    pub(super) broken: Option<Property>,
}

impl<const N: usize> State<N> {
    /// Everything that can happen next, into `out`.
    pub(super) fn next(&self, variant: &Variant, out: &mut Vec<Next<N>>) {
        for at in 0..N {
            let process = &self.processes[at];
            self.read(variant, at, process, out);
            self.write(variant, at, process, out);
            if !process.commands.is_empty() {
                self.execute(variant, at, out);
            }
            if !process.messages.is_empty() {
                self.receive(variant, at, out);
            }
            if let Read::Inserting(began, value) = process.read {
                let mut state = *self;
                state.processes[at].local = Some((value, began.stamp));
                state.processes[at].read = Read::Idle;
                state.returns(variant, at, value, began, false, Step::Insert { process: at, value }, out);
            }
        }
        self.expire(out);
        self.collide(out);
    }

    fn read(&self, variant: &Variant, at: usize, process: &Process, out: &mut Vec<Next<N>>) {
        match process.read {
            Read::Idle if process.gets > 0 => {
                let mut state = *self;
                state.processes[at].gets -= 1;
                let valid = |stamp: u8| !variant.stamps || (stamp == process.stamp && process.writers == 0);
                let mut began = Began {
                    stamp: process.stamp,
                    token: 0,
                    acknowledged: self.acknowledged,
                    by_process: process.newest,
                    by_any: self.newest,
                };
                if let Some((value, stamp)) = process.local
                    && valid(stamp)
                {
                    state.returns(variant, at, value, began, true, Step::Hit { process: at, value }, out);
                } else {
                    let token = state.next_token();
                    began.token = token;
                    state.processes[at].read = Read::Asked(began);
                    state.processes[at].send(Command::Getl { token });
                    out.push(Next { state, step: Step::SendGetl { process: at, token }, broken: None });
                }
            }
            Read::Leased(began) => {
                let mut state = *self;
                state.processes[at].read = Read::Filling(began, self.sql);
                state.processes[at].send(Command::Fill { token: began.token, value: self.sql });
                out.push(Next { state, step: Step::Load { process: at, value: self.sql }, broken: None });
            }
            Read::Idle | Read::Asked(_) | Read::Filling(..) | Read::Inserting(..) => {}
        }
    }

    fn write(&self, variant: &Variant, at: usize, process: &Process, out: &mut Vec<Next<N>>) {
        match process.write {
            Write::Idle if process.puts > 0 => {
                let mut state = *self;
                let token = state.next_token();
                let process = &mut state.processes[at];
                process.stamp += 1;
                process.writers += 1;
                process.puts -= 1;
                if variant.marker {
                    process.send(Command::Mark { token });
                    process.write = Write::Marking { token };
                } else {
                    process.write = Write::Committing { token };
                }
                out.push(Next { state, step: Step::BeginWrite { process: at, token }, broken: None });
            }
            Write::Committing { token } => {
                let mut state = *self;
                state.sql += 1;
                let value = state.sql;
                let mut dead = state;
                state.processes[at].send(Command::Unmark { token, value });
                state.processes[at].write = Write::Unmarking { token, value };
                out.push(Next { state, step: Step::Commit { process: at, value, dies: false }, broken: None });
                if dead.take_fault(Fault::WriterDies) {
                    dead.processes[at].end_write();
                    out.push(Next { state: dead, step: Step::Commit { process: at, value, dies: true }, broken: None });
                }
            }
            Write::Unmarking { value, .. } => {
                let mut state = *self;
                if state.take_fault(Fault::AcknowledgedEarly) {
                    state.processes[at].end_write();
                    state.acknowledged = state.acknowledged.max(value);
                    out.push(Next { state, step: Step::AcknowledgeEarly { process: at, value }, broken: None });
                }
            }
            Write::Idle | Write::Marking { .. } => {}
        }
    }

    /// Redis executes the next command of a process.
    fn execute(&self, variant: &Variant, at: usize, out: &mut Vec<Next<N>>) {
        let mut state = *self;
        let command = state.processes[at].execute();
        let before = self.redis;
        let mut modified = false;
        let reply = match command {
            Command::Getl { token } => {
                state.tracked |= 1 << at;
                match before {
                    Copy::Absent => {
                        if variant.lease {
                            state.redis = Copy::Lease { token };
                            modified = true;
                        }
                        Message::Lease { token }
                    }
                    Copy::Value(value) => Message::Value(value),
                    Copy::Lease { .. } | Copy::Marked { .. } => Message::Busy,
                }
            }
            Command::Fill { token, value } => {
                let may = if variant.lease {
                    before == Copy::Lease { token }
                } else {
                    matches!(before, Copy::Absent | Copy::Value(_))
                };
                if may {
                    state.redis = Copy::Value(value);
                    modified = true;
                }
                Message::Filled(may)
            }
            Command::Mark { token } => {
                let others = if let Copy::Marked { writers } = before { writers } else { 0 };
                state.redis = Copy::Marked { writers: others | 1 << token };
                modified = true;
                Message::Marked
            }
            Command::Unmark { token, .. } => {
                let others = if let Copy::Marked { writers } = before { writers & !(1 << token) } else { 0 };
                state.redis = if others == 0 { Copy::Absent } else { Copy::Marked { writers: others } };
                modified = before != Copy::Absent;
                Message::Unmarked
            }
        };
        state.processes[at].deliver(reply);
        if modified {
            state.push_invalidations(variant.no_loop.then_some(at));
        }
        out.push(Next { state, step: Step::Execute { process: at, command, reply }, broken: None });
    }

    /// A process receives its next message.
    fn receive(&self, variant: &Variant, at: usize, out: &mut Vec<Next<N>>) {
        let mut state = *self;
        let process = &mut state.processes[at];
        let message = process.receive();
        let mut returned = None;
        match (message, process.read) {
            (Message::Invalidate, _) => {
                if !variant.stamps {
                    process.local = None;
                }
                process.stamp += 1;
            }
            // The task that inserts may run after later messages: a step of its own.
            // The token has done its work: states that differ in it alone are one.
            (Message::Value(value), Read::Asked(began)) => {
                process.read = Read::Inserting(Began { token: 0, ..began }, value);
            }
            (Message::Lease { .. }, Read::Asked(began)) => process.read = Read::Leased(began),
            (Message::Busy, Read::Asked(began)) => {
                process.read = Read::Idle;
                returned = Some((self.sql, began));
            }
            (Message::Filled(done), Read::Filling(began, value)) => {
                if done && variant.local_from_own_fill {
                    process.local = Some((value, began.stamp));
                }
                process.read = Read::Idle;
                returned = Some((value, began));
            }
            (Message::Marked, _) => {
                if let Write::Marking { token } = process.write {
                    process.write = Write::Committing { token };
                }
            }
            (Message::Unmarked, _) => {
                if let Write::Unmarking { value, .. } = process.write {
                    process.end_write();
                    state.acknowledged = state.acknowledged.max(value);
                }
            }
            (reply, read) => unreachable!("{reply:?} is not an answer to {read:?}"),
        }
        let step = Step::Receive { process: at, message, returned: returned.map(|(value, _)| value) };
        match returned {
            Some((value, began)) => state.returns(variant, at, value, began, false, step, out),
            None => out.push(Next { state, step, broken: None }),
        }
    }

    fn expire(&self, out: &mut Vec<Next<N>>) {
        let (fault, step) = match self.redis {
            Copy::Lease { .. } => (Fault::LeaseExpires, Step::LeaseExpires),
            Copy::Marked { .. } => (Fault::MarkerLost, Step::LoseMarker),
            Copy::Absent | Copy::Value(_) => return,
        };
        let mut state = *self;
        if state.take_fault(fault) {
            // Nobody's own doing: everybody is told.
            state.redis = Copy::Absent;
            state.push_invalidations(None);
            out.push(Next { state, step, broken: None });
        }
    }

    /// Another key that has the same stamp is invalidated in one process.
    fn collide(&self, out: &mut Vec<Next<N>>) {
        for at in 0..N {
            let mut state = *self;
            if state.take_fault(Fault::StampCollides) {
                state.processes[at].stamp += 1;
                out.push(Next { state, step: Step::Collide { process: at }, broken: None });
            }
        }
    }

    /// A read of a process returns.
    #[expect(
        clippy::too_many_arguments,
        reason = "a step of the model, told apart by name at each of its three callers"
    )]
    fn returns(
        mut self,
        variant: &Variant,
        at: usize,
        value: u8,
        began: Began,
        hit: bool,
        step: Step,
        out: &mut Vec<Next<N>>,
    ) {
        let process = &mut self.processes[at];
        let excused = hit && process.is_invalidation_on_its_way();
        let judged = |property: Property| variant.properties & property as u8 != 0;
        let broken = if judged(Property::Order) && !hit && value < began.by_any {
            Some(Property::Order)
        } else if judged(Property::Process) && value < began.by_process && !excused {
            Some(Property::Process)
        } else if judged(Property::Acknowledged) && value < began.acknowledged && !excused {
            Some(Property::Acknowledged)
        } else {
            None
        };
        process.newest = process.newest.max(value);
        self.newest = self.newest.max(value);
        out.push(Next { state: self, step, broken });
    }

    /// Tells everybody who read the key, and forgets them. `except` is not told, only forgotten.
    fn push_invalidations(&mut self, except: Option<usize>) {
        for (at, process) in self.processes.iter_mut().enumerate() {
            if self.tracked & 1 << at != 0 && except != Some(at) {
                process.deliver(Message::Invalidate);
            }
        }
        self.tracked = 0;
    }

    const fn next_token(&mut self) -> u8 {
        self.token += 1;
        self.token
    }

    const fn take_fault(&mut self, fault: Fault) -> bool {
        let may = self.faults & fault as u8 != 0;
        self.faults &= !(fault as u8);
        may
    }
}

impl Process {
    const fn end_write(&mut self) {
        self.stamp += 1;
        self.writers -= 1;
        self.write = Write::Idle;
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcknowledgeEarly { process, value } => write!(f, "p{process} UNMARK timeout, ack v{value}"),
            Self::BeginWrite { process, token } => write!(f, "p{process} begin write w{token}"),
            Self::Collide { process } => write!(f, "p{process} another key of the same stamp is invalidated"),
            Self::Commit { process, value, dies: false } => write!(f, "p{process} commit v{value}, send UNMARK"),
            Self::Commit { process, value, dies: true } => {
                write!(f, "p{process} commit v{value}, then the writer dies")
            }
            Self::Execute { process, command, reply } => write!(f, "redis exec p{process} {command} -> {reply}"),
            Self::Hit { process, value } => write!(f, "p{process} L1 hit v{value}"),
            Self::Insert { process, value } => write!(f, "p{process} insert L1 v{value}, return"),
            Self::LeaseExpires => f.write_str("lease expires"),
            Self::Load { process, value } => write!(f, "p{process} load v{value}, send FILL"),
            Self::LoseMarker => f.write_str("marker lost"),
            Self::Receive { process, message, returned: None } => write!(f, "p{process} recv {message}"),
            Self::Receive { process, message, returned: Some(value) } => {
                write!(f, "p{process} recv {message}, return v{value}")
            }
            Self::SendGetl { process, token } => write!(f, "p{process} send GETL t{token}"),
        }
    }
}
