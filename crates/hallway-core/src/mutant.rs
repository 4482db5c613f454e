//! Deliberate mistakes in the coherence protocol, to prove that the simulation would notice them.
//!
//! Without feature `mutants` every question here is the constant `false` and compiles to nothing. With it one mistake at
//! a time can be switched on for the whole process, which only `cargo xtask mutants` does.

macro_rules! mutants {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// One mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Mutant {
            $($(#[$doc])* $variant,)+
        }

        impl Mutant {
            /// Every one, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name, `mutant_…`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

mutants! {
    /// No write marker is placed.
    NoMark = "mutant_no_mark",
    /// A fill is accepted under anybody's lease.
    NoLeaseCompare = "mutant_no_lease_compare",
    /// A fill is a plain SET.
    PlainSetFill = "mutant_plain_set_fill",
    /// A local copy carries the stamp read after the reply.
    StampAfterReply = "mutant_stamp_after_reply",
    /// The local tier is filled from the process's own fill.
    LocalFromOwnFill = "mutant_local_from_own_fill",
    /// A reconnect does not bump the epoch.
    NoEpochOnReconnect = "mutant_no_epoch_on_reconnect",
    /// An invalidation of everything is ignored.
    NullPushIgnored = "mutant_null_push_ignored",
    /// Freshness counts from the ping that was answered, not from the one before.
    HeartbeatPingN = "mutant_heartbeat_ping_n",
    /// UNMARK does nothing unless the caller's own marker stands.
    UnmarkOnlyOwn = "mutant_unmark_only_own",
    /// UNMARK also after a commit of unknown outcome.
    UnmarkAfterUnknown = "mutant_unmark_after_unknown",
    /// Reads use another connection than the one that carries invalidations.
    RedirectPool = "mutant_redirect_pool",
    /// A conditional save writes whatever stands there.
    SessionUpsert = "mutant_session_upsert",
    /// A copy's deadline is counted by this process from when it was written down, not from what the server has left.
    ClientClockTtl = "mutant_client_clock_ttl",
    /// A write that is not idempotent is sent again after a timeout.
    RetryWrite = "mutant_retry_write",
}

impl Mutant {
    /// Whether this mistake is to be made.
    #[cfg(not(feature = "mutants"))]
    #[inline]
    #[must_use]
    pub const fn is_on(self) -> bool {
        false
    }

    /// Whether this mistake is to be made.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn is_on(self) -> bool {
        switch::ON.load(std::sync::atomic::Ordering::Relaxed) == self as u8
    }

    /// Makes this mistake, and no other, from now on in the whole process.
    #[cfg(feature = "mutants")]
    pub fn switch_on(self) {
        switch::ON.store(self as u8, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::atomic::AtomicU8;

    /// 255: none.
    pub(super) static ON: AtomicU8 = AtomicU8::new(u8::MAX);
}
