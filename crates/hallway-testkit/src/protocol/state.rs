//! One state of the model.

use std::fmt;

use super::fingerprint::Fingerprint;

/// A command on its way from a process to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Getl { token: u8 },
    Fill { token: u8, value: u8 },
    Mark { token: u8 },
    Unmark { token: u8, value: u8 },
}

/// A reply or a push on its way from Redis to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Busy,
    Filled(bool),
    Invalidate,
    Lease { token: u8 },
    Marked,
    Unmarked,
    Value(u8),
}

/// What Redis holds of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copy {
    Absent,
    Lease {
        token: u8,
    },
    /// The tokens of the writers, as bits.
    Marked {
        writers: u16,
    },
    Value(u8),
}

/// What a read noted when it began: the newest acknowledged write, what its process had read, and what any had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Began {
    pub(super) stamp: u8,
    pub(super) token: u8,
    pub(super) acknowledged: u8,
    pub(super) by_process: u8,
    pub(super) by_any: u8,
}

/// Where a read of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Idle,
    Asked(Began),
    Leased(Began),
    Filling(Began, u8),
    Inserting(Began, u8),
}

/// Where a write of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Idle,
    Marking { token: u8 },
    Committing { token: u8 },
    Unmarking { token: u8, value: u8 },
}

/// Messages in order, the first in the lowest bits; none is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queue(u128);

/// One process and its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) commands: Queue,
    pub(super) messages: Queue,
    /// The local copy: value and stamp.
    pub(super) local: Option<(u8, u8)>,
    pub(super) stamp: u8,
    pub(super) writers: u8,
    pub(super) read: Read,
    pub(super) write: Write,
    pub(super) gets: u8,
    pub(super) puts: u8,
    /// The newest value that it returned.
    pub(super) newest: u8,
}

/// One state. Versions of the value count from 0; a commit makes the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State<const N: usize> {
    pub(super) sql: u8,
    pub(super) redis: Copy,
    /// The processes that Redis will push to, as bits.
    pub(super) tracked: u8,
    pub(super) processes: [Process; N],
    pub(super) acknowledged: u8,
    /// The last token handed out.
    pub(super) token: u8,
    /// The faults that may still come.
    pub(super) faults: u8,
    /// The newest value that any process returned.
    pub(super) newest: u8,
}

impl Queue {
    pub(super) const EMPTY: Self = Self(0);

    const fn push(&mut self, code: u16, width: u32) {
        // The highest bit that is set tells how many there are.
        let used = (128 - self.0.leading_zeros()).div_ceil(width) * width;
        assert!(used + width <= 128, "a queue of the model holds few messages");
        self.0 |= (code as u128) << used;
    }

    const fn pop(&mut self, width: u32) -> u16 {
        let code = (self.0 & ((1 << width) - 1)) as u16;
        self.0 >>= width;
        code
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Bits of a command and of a message: kind, token and value.
const COMMAND: u32 = 10;
const MESSAGE: u32 = 7;

impl Command {
    const fn code(self) -> u16 {
        let (kind, token, value) = match self {
            Self::Getl { token } => (0, token, 0),
            Self::Fill { token, value } => (1, token, value),
            Self::Mark { token } => (2, token, 0),
            Self::Unmark { token, value } => (3, token, value),
        };
        // A token is never zero, so no command is.
        kind | (token as u16) << 2 | (value as u16) << 6
    }

    const fn decode(code: u16) -> Self {
        let (token, value) = ((code >> 2 & 15) as u8, (code >> 6) as u8);
        match code & 3 {
            0 => Self::Getl { token },
            1 => Self::Fill { token, value },
            2 => Self::Mark { token },
            _ => Self::Unmark { token, value },
        }
    }
}

impl Message {
    const fn code(self) -> u16 {
        match self {
            Self::Busy => 1,
            Self::Filled(done) => 2 | (done as u16) << 3,
            Self::Invalidate => 3,
            Self::Lease { token } => 4 | (token as u16) << 3,
            Self::Marked => 5,
            Self::Unmarked => 6,
            Self::Value(value) => 7 | (value as u16) << 3,
        }
    }

    const fn decode(code: u16) -> Self {
        let rest = (code >> 3) as u8;
        match code & 7 {
            1 => Self::Busy,
            2 => Self::Filled(rest == 1),
            3 => Self::Invalidate,
            4 => Self::Lease { token: rest },
            5 => Self::Marked,
            6 => Self::Unmarked,
            _ => Self::Value(rest),
        }
    }
}

impl Process {
    pub(super) const fn new(gets: u8, puts: u8) -> Self {
        Self {
            commands: Queue::EMPTY,
            messages: Queue::EMPTY,
            local: None,
            stamp: 0,
            writers: 0,
            read: Read::Idle,
            write: Write::Idle,
            gets,
            puts,
            newest: 0,
        }
    }

    pub(super) const fn send(&mut self, command: Command) {
        self.commands.push(command.code(), COMMAND);
    }

    pub(super) const fn execute(&mut self) -> Command {
        Command::decode(self.commands.pop(COMMAND))
    }

    pub(super) const fn deliver(&mut self, message: Message) {
        self.messages.push(message.code(), MESSAGE);
    }

    pub(super) const fn receive(&mut self) -> Message {
        Message::decode(self.messages.pop(MESSAGE))
    }

    /// Whether an invalidation is on its way to it.
    pub(super) const fn is_invalidation_on_its_way(&self) -> bool {
        let mut left = self.messages;
        while !left.is_empty() {
            if let Message::Invalidate = Message::decode(left.pop(MESSAGE)) {
                return true;
            }
        }
        false
    }

    fn add_to(&self, fingerprint: &mut Fingerprint) {
        let began = |kind: u64, began: Began, value: u8| {
            kind | u64::from(began.stamp) << 3
                | u64::from(began.token) << 11
                | u64::from(began.acknowledged) << 15
                | u64::from(began.by_process) << 19
                | u64::from(began.by_any) << 23
                | u64::from(value) << 27
        };
        let read = match self.read {
            Read::Idle => 0,
            Read::Asked(read) => began(1, read, 0),
            Read::Leased(read) => began(2, read, 0),
            Read::Filling(read, value) => began(3, read, value),
            Read::Inserting(read, value) => began(4, read, value),
        };
        let write = match self.write {
            Write::Idle => 0,
            Write::Marking { token } => 1 | u64::from(token) << 2,
            Write::Committing { token } => 2 | u64::from(token) << 2,
            Write::Unmarking { token, value } => 3 | u64::from(token) << 2 | u64::from(value) << 6,
        };
        let local = match self.local {
            None => 0,
            Some((value, stamp)) => 1 | u64::from(value) << 1 | u64::from(stamp) << 5,
        };
        let counts = u64::from(self.stamp)
            | u64::from(self.writers) << 8
            | u64::from(self.gets) << 12
            | u64::from(self.puts) << 16
            | u64::from(self.newest) << 20;
        fingerprint.add_wide(self.commands.0);
        fingerprint.add_wide(self.messages.0);
        fingerprint.add(read | write << 31 | local << 42);
        fingerprint.add(counts);
    }
}

impl<const N: usize> State<N> {
    pub(super) fn fingerprint(&self) -> u128 {
        let redis = match self.redis {
            Copy::Absent => 0,
            Copy::Lease { token } => 1 | u64::from(token) << 2,
            Copy::Marked { writers } => 2 | u64::from(writers) << 2,
            Copy::Value(value) => 3 | u64::from(value) << 2,
        };
        let mut fingerprint = Fingerprint::new();
        fingerprint.add(
            redis
                | u64::from(self.sql) << 18
                | u64::from(self.tracked) << 22
                | u64::from(self.acknowledged) << 26
                | u64::from(self.token) << 30
                | u64::from(self.faults) << 34
                | u64::from(self.newest) << 42,
        );
        for process in &self.processes {
            process.add_to(&mut fingerprint);
        }
        fingerprint.finish()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Getl { token } => write!(f, "GETL t{token}"),
            Self::Fill { token, value } => write!(f, "FILL t{token} v{value}"),
            Self::Mark { token } => write!(f, "MARK w{token}"),
            Self::Unmark { token, .. } => write!(f, "UNMARK w{token}"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("busy"),
            Self::Filled(true) => f.write_str("filled"),
            Self::Filled(false) => f.write_str("not filled"),
            Self::Invalidate => f.write_str("invalidate"),
            Self::Lease { token } => write!(f, "lease t{token}"),
            Self::Marked => f.write_str("marked"),
            Self::Unmarked => f.write_str("unmarked"),
            Self::Value(value) => write!(f, "v{value}"),
        }
    }
}
