//! Which tiers a mode uses: the table of 7 tier sets x 3 modes, as data.

use hallway_core::{Error, Result};

use crate::Mode;

/// Which tiers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TierSet {
    /// An in-process tier.
    pub local: bool,
    /// A tier that all instances share.
    pub shared: bool,
    /// A tier that is the truth.
    pub consistent: bool,
}

/// The store that decides, and that every write goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// The map of this process.
    Local,
    /// The shared tier.
    Shared,
    /// The consistent tier.
    Consistent,
}

/// Where a namespace is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What its readers are promised.
    pub mode: Mode,
    /// Where its truth lies.
    pub authority: Authority,
    /// Whether reads may be answered by a local copy.
    pub local_copies: bool,
    /// Whether reads may be answered by a copy in the shared tier, so that writes must announce themselves there.
    pub shared_copies: bool,
}

impl TierSet {
    /// All seven.
    pub const ALL: [Self; 7] = [
        Self::new(true, false, false),
        Self::new(false, true, false),
        Self::new(false, false, true),
        Self::new(true, true, false),
        Self::new(true, false, true),
        Self::new(false, true, true),
        Self::new(true, true, true),
    ];

    /// A set of tiers.
    #[must_use]
    pub const fn new(local: bool, shared: bool, consistent: bool) -> Self {
        Self { local, shared, consistent }
    }

    /// Where a namespace of this mode is read and written with these tiers.
    ///
    /// # Errors
    /// `InvalidConfig` naming what is missing: a mode is never silently weakened.
    pub fn plan(self, mode: Mode, single_instance: bool) -> Result<Plan> {
        let plan = |authority, local_copies, shared_copies| Ok(Plan { mode, authority, local_copies, shared_copies });
        match (mode, self.local, self.shared, self.consistent) {
            (_, false, false, false) => Err(Error::invalid_config("a tiered store needs at least one tier")),
            (Mode::Local, true, ..) => plan(Authority::Local, false, false),
            (Mode::Local, false, ..) => Err(Error::invalid_config(
                "mode `local` needs a local tier; add one, or choose `shared` or `consistent`",
            )),
            (Mode::Shared, local, shared, true) => plan(Authority::Consistent, local, shared),
            (Mode::Shared, local, true, false) => plan(Authority::Shared, local, false),
            (Mode::Shared, true, false, false) if single_instance => plan(Authority::Local, false, false),
            (Mode::Shared, true, false, false) => Err(Error::invalid_config(
                "mode `shared` with a local tier alone holds in one process only: add a shared or consistent tier, or \
                 say that there is one instance (`single_instance()`, HALLWAY_SINGLE_INSTANCE=1)",
            )),
            (Mode::Consistent, .., true) => plan(Authority::Consistent, false, false),
            (Mode::Consistent, .., false) => {
                Err(Error::invalid_config("mode `consistent` needs a consistent tier: SQLite or PostgreSQL"))
            }
        }
    }

    /// The mode of namespaces that choose none: the strongest that keeps copies.
    #[must_use]
    pub const fn default_mode(self) -> Mode {
        if self.shared || self.consistent { Mode::Shared } else { Mode::Local }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line per tier set and mode: authority, copies, or why not.
    fn line(tiers: TierSet, mode: Mode) -> String {
        match tiers.plan(mode, false) {
            Ok(plan) => {
                let copies = match (plan.local_copies, plan.shared_copies) {
                    (false, false) => "",
                    (true, false) => " +local",
                    (false, true) => " +shared",
                    (true, true) => " +local+shared",
                };
                format!("{:?}{copies}", plan.authority)
            }
            Err(error) => {
                assert_eq!(error.kind(), hallway_core::ErrorKind::InvalidConfig);
                "-".into()
            }
        }
    }

    #[test]
    fn the_whole_table() {
        let expected = [
            // local, shared, consistent
            ["Local", "-", "-"],
            ["-", "Shared", "-"],
            ["-", "Consistent", "Consistent"],
            ["Local", "Shared +local", "-"],
            ["Local", "Consistent +local", "Consistent"],
            ["-", "Consistent +shared", "Consistent"],
            ["Local", "Consistent +local+shared", "Consistent"],
        ];
        for (tiers, expected) in TierSet::ALL.into_iter().zip(expected) {
            let found = [Mode::Local, Mode::Shared, Mode::Consistent].map(|mode| line(tiers, mode));
            assert_eq!(found, expected, "{tiers:?}");
        }
    }

    #[test]
    fn one_instance_may_call_its_own_map_shared() {
        let plan = TierSet::new(true, false, false).plan(Mode::Shared, true).unwrap();
        assert_eq!((plan.authority, plan.local_copies, plan.shared_copies), (Authority::Local, false, false));
    }

    #[test]
    fn no_tiers_are_no_store() {
        for mode in [Mode::Local, Mode::Shared, Mode::Consistent] {
            assert!(TierSet::new(false, false, false).plan(mode, true).is_err());
        }
    }
}
