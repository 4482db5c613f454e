//! The Lua scripts. Each but [`FILL_MANY`] touches one key, so that they work in a cluster.

use std::sync::LazyLock;

#[cfg(feature = "mutants")]
use hallway_core::mutant::Mutant;

use crate::engine::Watch;

/// A script and the hash the server knows it by.
pub(crate) struct Script {
    pub(crate) code: &'static str,
    pub(crate) hash: String,
    pub(crate) watch: Watch,
}

macro_rules! script {
    ($(#[$meta:meta])* $name:ident, $file:literal) => {
        $(#[$meta])*
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file), Watch::Nothing));
    };
    (watched $name:ident, $file:literal) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file), Watch::Changes));
    };
}

script!(DELETE_IF, "../scripts/delete_if.lua");
script!(FILL, "../scripts/fill.lua");
script!(FILL_MANY, "../scripts/fill_many.lua");
script!(watched GENERATION, "../scripts/generation.lua");
script!(watched GETL, "../scripts/getl.lua");
script!(INCREMENT, "../scripts/increment.lua");
script!(MARK, "../scripts/mark.lua");
script!(watched READ, "../scripts/read.lua");
script!(RELEASE, "../scripts/release.lua");
script!(RENEW, "../scripts/renew.lua");
script!(REPLACE, "../scripts/replace.lua");
script!(SET_IF, "../scripts/set_if.lua");
script!(TAKE, "../scripts/take.lua");
script!(TOUCH, "../scripts/touch.lua");
script!(UNMARK, "../scripts/unmark.lua");
script!(
    #[cfg(feature = "mutants")]
    FILL_NO_LEASE_COMPARE,
    "../scripts/mutants/fill_no_lease_compare.lua"
);
script!(
    #[cfg(feature = "mutants")]
    UNMARK_ONLY_OWN,
    "../scripts/mutants/unmark_only_own.lua"
);

/// The script that writes copies.
pub(crate) fn fill() -> &'static Script {
    #[cfg(feature = "mutants")]
    if Mutant::NoLeaseCompare.is_on() {
        return &FILL_NO_LEASE_COMPARE;
    }
    &FILL
}

/// The script that ends markers.
pub(crate) fn unmark() -> &'static Script {
    #[cfg(feature = "mutants")]
    if Mutant::UnmarkOnlyOwn.is_on() {
        return &UNMARK_ONLY_OWN;
    }
    &UNMARK
}

impl Script {
    fn new(code: &'static str, watch: Watch) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned(), watch }
    }

    /// The command by hash: what is sent first.
    pub(crate) fn by_hash(&self, keys: &[&[u8]], args: &[&[u8]]) -> redis::Cmd {
        self.command("EVALSHA", self.hash.as_bytes(), keys, args)
    }

    /// The command with the whole text, after `NOSCRIPT`: the server runs the script and keeps it.
    pub(crate) fn by_text(&self, keys: &[&[u8]], args: &[&[u8]]) -> redis::Cmd {
        self.command("EVAL", self.code.as_bytes(), keys, args)
    }

    #[expect(clippy::unused_self, reason = "a script makes its commands")]
    fn command(&self, verb: &str, script: &[u8], keys: &[&[u8]], args: &[&[u8]]) -> redis::Cmd {
        let bytes = script.len() + keys.iter().chain(args).map(|word| word.len()).sum::<usize>() + 16;
        let mut command = redis::Cmd::with_capacity(3 + keys.len() + args.len(), bytes);
        command.arg(verb).arg(script).arg(keys.len());
        for key in keys {
            command.arg(*key);
        }
        for arg in args {
            command.arg(*arg);
        }
        command
    }
}
