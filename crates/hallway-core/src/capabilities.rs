//! What a store can do, said without asking a server.

use std::fmt;

/// One thing that a store may or may not be able to do.
///
/// A verb whose capability is absent answers [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), and the
/// conformance suite fails if words and deeds disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum Capability {
    /// `delete_if` with `Equals`.
    ConditionalDelete = 1,
    /// `set` with `Absent`, `Present` or `Equals`.
    ConditionalSet = 1 << 1,
    /// Entries survive the end of every process that uses them.
    Durable = 1 << 2,
    /// [`Ttl::Forever`](crate::Ttl::Forever) is accepted.
    Forever = 1 << 3,
    /// `try_get` answers a hit without waiting.
    LocalRead = 1 << 4,
    /// `scan` returns keys in the order of their bytes.
    OrderedScan = 1 << 5,
    /// `scan` and `clear`.
    Scan = 1 << 6,
    /// Other processes see the same entries.
    Shared = 1 << 7,
    /// `touch`.
    Touch = 1 << 8,
}

impl Capability {
    /// Every capability there is.
    pub const ALL: [Self; 9] = [
        Self::ConditionalDelete,
        Self::ConditionalSet,
        Self::Durable,
        Self::Forever,
        Self::LocalRead,
        Self::OrderedScan,
        Self::Scan,
        Self::Shared,
        Self::Touch,
    ];
}

/// The set of things a store can do. Static: it never depends on a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(u16);

impl Capabilities {
    /// Nothing beyond get, set and delete.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        let mut set = Self(0);
        let mut at = 0;
        while at < Capability::ALL.len() {
            set = set.with(Capability::ALL[at]);
            at += 1;
        }
        set
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability as u16)
    }

    /// This set without one.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(capability as u16))
    }

    /// Whether the store can do it.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability as u16 != 0
    }

    /// What is in the set, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }

    /// What is not in the set.
    #[must_use]
    pub const fn denied(self) -> Self {
        Self(Self::all().0 & !self.0)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::none(), Self::with)
    }
}
