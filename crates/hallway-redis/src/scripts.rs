//! The Lua scripts. Each touches one key, so that all of them work in a cluster.

use std::sync::LazyLock;

/// A script and the hash the server knows it by.
pub(crate) struct Script {
    pub(crate) code: &'static str,
    pub(crate) hash: String,
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));
    };
}

script!(DELETE_IF, "../scripts/delete_if.lua");
script!(INCREMENT, "../scripts/increment.lua");
script!(SET_IF, "../scripts/set_if.lua");
script!(TAKE, "../scripts/take.lua");
script!(TOUCH, "../scripts/touch.lua");

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    /// The command by hash: what is sent first.
    pub(crate) fn by_hash(&self, key: &[u8], args: &[&[u8]]) -> redis::Cmd {
        self.command("EVALSHA", self.hash.as_bytes(), key, args)
    }

    /// The command with the whole text, after `NOSCRIPT`: the server runs the script and keeps it.
    pub(crate) fn by_text(&self, key: &[u8], args: &[&[u8]]) -> redis::Cmd {
        self.command("EVAL", self.code.as_bytes(), key, args)
    }

    fn command(&self, verb: &str, script: &[u8], key: &[u8], args: &[&[u8]]) -> redis::Cmd {
        let bytes = script.len() + key.len() + args.iter().map(|arg| arg.len()).sum::<usize>() + 16;
        let mut command = redis::Cmd::with_capacity(4 + args.len(), bytes);
        command.arg(verb).arg(script).arg(1).arg(key);
        for arg in args {
            command.arg(*arg);
        }
        command
    }
}
