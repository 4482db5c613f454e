//! A stream held in memory, for what must see it twice or know its future: 4 bytes a request.

use super::request::{KeyId, Op, Request};

/// What a request does is in the two highest bits; keys stay below them.
const OP_SHIFT: u32 = 30;

/// Requests in their order, without sizes.
#[derive(Debug, Clone, Default)]
pub struct Log {
    packed: Vec<u32>,
}

impl Log {
    /// Without any request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next request.
    ///
    /// # Panics
    /// For a key number of 2^30 or more, which [`super::Interner`] does not give by default.
    pub fn push(&mut self, request: Request) {
        assert!(request.key >> OP_SHIFT == 0, "key number {} is too high for a log in memory", request.key);
        let op = match request.op {
            Op::Read => 0,
            Op::Write => 1,
            Op::Delete => 2,
        };
        self.packed.push(op << OP_SHIFT | request.key);
    }

    /// The requests.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Request> + DoubleEndedIterator + '_ {
        self.packed.iter().map(|packed| {
            let op = match packed >> OP_SHIFT {
                0 => Op::Read,
                1 => Op::Write,
                _ => Op::Delete,
            };
            Request { key: packed & ((1 << OP_SHIFT) - 1), op, bytes: None }
        })
    }

    /// How many requests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }
}

/// Reads of these keys.
impl FromIterator<KeyId> for Log {
    fn from_iter<I: IntoIterator<Item = KeyId>>(keys: I) -> Self {
        keys.into_iter().map(Request::read).collect()
    }
}

impl FromIterator<Request> for Log {
    fn from_iter<I: IntoIterator<Item = Request>>(requests: I) -> Self {
        let mut log = Self::new();
        requests.into_iter().for_each(|request| log.push(request));
        log
    }
}
