//! Random commands: everything that hallway sends, and whatever could get in between.

use std::path::Path;
use std::time::{Duration, Instant};

use hallway_testkit::sim::SimRng;

use super::pair::{Pair, Word};

/// More than the tolerance of lives apart, and long past the end of the test.
const LIVES: [&str; 3] = ["100000", "200000", "5000000"];

/// A life that ends within the test.
const SHORT: Duration = Duration::from_millis(200);

const TOKENS: [&str; 3] = ["00000000000000aa", "00000000000000bb", "cccccccccccccccc"];

const VALUES: [&str; 11] = [
    "",
    "1",
    "-7",
    "007",
    "9223372036854775807",
    "text",
    "V1 id=00000000000000aa x\npayload id=00000000000000bb",
    "V1 id=00000000000000bb",
    "V no header",
    "L00000000000000aa",
    "Mzz",
];

/// Every script of the Redis store, as it is sent.
pub(super) fn scripts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hallway-redis/scripts");
    let mut files = Vec::new();
    for folder in [folder.clone(), folder.join("mutants")] {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|ext| ext == "lua")));
    }
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Connections that do anything.
pub(super) const TALKERS: usize = 4;

/// One more, to which others redirect their invalidations. It does nothing with keys: where a real server puts what is
/// redirected to the very connection whose command runs is different for every command.
const EAR: usize = TALKERS;

pub(super) struct Steps {
    rng: SimRng,
    scripts: Vec<(String, String)>,
    out_of_memory: bool,
    read_only: bool,
}

fn text(word: impl AsRef<str>) -> Word {
    Word::Text(word.as_ref().as_bytes().to_vec())
}

fn words(line: &str) -> Vec<Word> {
    line.split(' ').map(text).collect()
}

impl Steps {
    pub(super) fn new(rng: SimRng) -> Self {
        let name = |script: &String| {
            let line = script.lines().next().unwrap_or_default();
            line.trim_start_matches("-- hallway:").trim_start_matches("-- ").to_owned()
        };
        let scripts = scripts().into_iter().map(|script| (name(&script), script)).collect();
        Self { rng, scripts, out_of_memory: false, read_only: false }
    }

    /// Switches tracking on.
    pub(super) fn begin(&mut self, pair: &mut Pair) {
        for at in 0..=EAR {
            pair.send(at, &[words("HELLO 3"), words("CLIENT TRACKING ON")]);
        }
    }

    /// Does one thing on any connection. `false`: the machine is too busy, and the two servers may differ now.
    #[must_use]
    pub(super) fn one(&mut self, pair: &mut Pair) -> bool {
        let at = self.rng.index(TALKERS);
        match self.rng.weighted(&[600, 6, 40, 1, 6, 4, 6]) {
            0 => {
                let count = if self.rng.chance(0.3) { 1 + self.rng.index(4) } else { 1 };
                let commands: Vec<_> = (0..count).map(|_| self.command()).collect();
                pair.send(at, &commands);
            }
            1 if self.rng.chance(0.5) => pair.reconnect(EAR),
            1 => {
                pair.reconnect(at);
                pair.send(at, &[words("HELLO 3"), words("CLIENT TRACKING ON")]);
            }
            2 => pair.send(EAR, &[words(self.any(&["HELLO 3", "HELLO 3", "HELLO 2", "PING", "CLIENT TRACKING ON"]))]),
            // A short life ends between two steps. One: in which order two end, a server does not say.
            3 => {
                let (began, key) = (Instant::now(), self.key());
                for _ in 0..3 {
                    let set = words(&format!("SET {key} short PX {}", SHORT.as_millis()));
                    pair.send(self.rng.index(TALKERS), &[words("DISCARD"), set]);
                }
                for at in 0..TALKERS {
                    pair.send(at, &[words(&format!("MGET {}", self.keys())), words(&format!("GET {}", self.key()))]);
                }
                // Too close to tell whether both servers saw the same.
                if began.elapsed() > SHORT / 2 {
                    return false;
                }
                pair.wait(SHORT + Duration::from_millis(20));
            }
            4 if !self.read_only => {
                self.out_of_memory = !self.out_of_memory;
                let limit = if self.out_of_memory { "1" } else { "0" };
                pair.send(at, &[words("DISCARD"), words(&format!("CONFIG SET maxmemory {limit}"))]);
            }
            5 if !self.out_of_memory => self.turn_read_only(pair, !self.read_only),
            _ => {
                if self.read_only {
                    self.turn_read_only(pair, false);
                }
                let transaction: Vec<_> = (0..self.rng.index(5)).map(|_| self.plain()).collect();
                let ends = words(if self.rng.chance(0.9) { "EXEC" } else { "DISCARD" });
                let whole = [words("DISCARD"), words("MULTI")].into_iter().chain(transaction).chain([ends]);
                pair.send(at, &whole.collect::<Vec<_>>());
            }
        }
        true
    }

    /// Leaves the server as other runs expect it.
    pub(super) fn end(&mut self, pair: &mut Pair) {
        self.turn_read_only(pair, false);
        pair.send(0, &[words("DISCARD"), words("CONFIG SET maxmemory 0")]);
    }

    fn turn_read_only(&mut self, pair: &mut Pair, read_only: bool) {
        if self.read_only == read_only {
            return;
        }
        self.read_only = read_only;
        pair.set_read_only(read_only);
    }

    fn any(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.rng.index(choices.len())]
    }

    fn key(&mut self) -> String {
        format!("k{}", self.rng.index(6))
    }

    fn keys(&mut self) -> String {
        (0..=self.rng.index(3)).map(|_| self.key()).collect::<Vec<_>>().join(" ")
    }

    fn life(&mut self) -> &'static str {
        self.any(&LIVES)
    }

    fn token(&mut self) -> &'static str {
        self.any(&TOKENS)
    }

    fn value(&mut self) -> Word {
        text(self.any(&VALUES))
    }

    fn command(&mut self) -> Vec<Word> {
        match self.rng.weighted(&[60, 40, 10]) {
            0 => self.plain(),
            1 => self.script(),
            _ => self.session(),
        }
    }

    /// A command on keys.
    fn plain(&mut self) -> Vec<Word> {
        let key = self.key();
        match self.rng.weighted(&[8, 4, 10, 4, 3, 2, 2, 2, 4, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1]) {
            0 => words(&format!("GET {key}")),
            1 => words(&format!("MGET {}", self.keys())),
            2 => self.set(&key),
            3 => words(&format!("PTTL {key}")),
            4 => {
                let life = self.any(&["100000", "200000", "0", "-1", "abc"]);
                words(&format!("PEXPIRE {key} {life}"))
            }
            5 => words(&format!("EXPIRE {key} 100")),
            6 => words(&format!("PERSIST {key}")),
            7 => words(&format!("TTL {key}")),
            8 => words(&format!("DEL {}", self.keys())),
            9 => words(&format!("UNLINK {}", self.keys())),
            10 => words(&format!("EXISTS {}", self.keys())),
            11 => words(&format!("TYPE {key}")),
            12 => words(&format!("STRLEN {key}")),
            13 => words(&format!("INCRBY {key} {}", self.any(&["1", "-5", "9223372036854775807", "x"]))),
            14 => words(&format!("SCAN 0 COUNT 1000 MATCH {}", self.any(&["*", "k*", "k[0-2]", "k?", "x*"]))),
            // A name that is new: the simulation knows how many members there are, not which.
            15 => {
                let new = self.rng.below(1 << 60);
                words(&format!("{} {key} a{new} b{new}", self.any(&["LPUSH", "SADD", "HSET"])))
            }
            16 => words(self.any(&["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "FLUSHDB SYNC"])),
            17 => words("DBSIZE"),
            _ => {
                words(self.any(&["GET", "SET k", "NOPE a b", "PTTL a b", "SCAN x", "SET k0 v PX 0", "SET k0 v NX XX"]))
            }
        }
    }

    fn set(&mut self, key: &str) -> Vec<Word> {
        let mut set = vec![text("SET"), text(key), self.value()];
        if self.rng.chance(0.5) {
            set.extend([text("PX"), text(self.life())]);
        } else if self.rng.chance(0.2) {
            set.push(text("KEEPTTL"));
        }
        if self.rng.chance(0.3) {
            set.push(text(self.any(&["NX", "XX", "nx"])));
        }
        if self.rng.chance(0.2) {
            set.push(text("GET"));
        }
        set
    }

    fn session(&mut self) -> Vec<Word> {
        match self.rng.weighted(&[12, 1, 2, 2, 3, 3, 3, 2, 1, 1, 2, 1, 12]) {
            0 => words(self.any(&["CLIENT TRACKING ON", "CLIENT TRACKING ON OPTOUT", "CLIENT TRACKING ON OPTOUT"])),
            1 => words("CLIENT TRACKING OFF"),
            2 => [words("CLIENT TRACKING ON REDIRECT"), vec![Word::Id(EAR)]].concat(),
            3 => words("CLIENT TRACKING ON NOLOOP"),
            4 => words(self.any(&["HELLO 3", "HELLO 3", "HELLO 3", "HELLO 3", "HELLO 2", "HELLO 4"])),
            5 => words(self.any(&["PING", "PING a", "ECHO b", "ping"])),
            6 => words(self.any(&["MULTI", "EXEC", "DISCARD"])),
            7 => words(self.any(&["SELECT 0", "SELECT 0", "SELECT 1", "SELECT 99", "SELECT x"])),
            8 => words("SCRIPT FLUSH"),
            9 => words("ROLE MASTER"),
            10 => words(self.any(&["AUTH a b c", "AUTH default x", "CLIENT SETNAME me", "CLIENT GETNAME"])),
            11 => words("CLIENT NO-EVICT OFF"),
            _ => {
                words(self.any(&["CLIENT CACHING NO", "CLIENT CACHING NO", "CLIENT CACHING NO", "CLIENT CACHING YES"]))
            }
        }
    }

    /// A script with the arguments that it takes.
    fn script(&mut self) -> Vec<Word> {
        let (name, code) = self.rng.pick(&self.scripts).clone();
        let value = self.value();
        let life = text(self.life());
        let maybe_life = if self.rng.chance(0.3) { text("") } else { life.clone() };
        let token = text(self.token());
        let copy = text(format!("V1 id={} x\n{}", self.token(), self.rng.below(100)));
        let first = name.split([' ', '.', ',']).next().unwrap_or_default();
        let args = match (name.as_str(), first) {
            ("copy:getl", _) => vec![token, life, if self.rng.chance(0.5) { text("") } else { text(self.token()) }],
            // A lease that was given far more than any life has left, so that no millisecond decides.
            ("copy:fill" | "copy:fill:mutant_no_lease_compare", _) => {
                vec![token, copy, maybe_life, text("9000000")]
            }
            ("copy:fill_many", _) => {
                let other = text(format!("V1 id={} y", self.token()));
                vec![token, copy, life.clone(), text(self.token()), other, life]
            }
            ("copy:replace", _) => vec![token, copy, maybe_life],
            ("copy:mark" | "copy:renew", _) => vec![token, life],
            ("copy:release" | "copy:unmark" | "copy:unmark:mutant_unmark_only_own" | "copy:generation", _) => {
                vec![token]
            }
            ("copy:read", _) => vec![],
            (_, "Deletes") if self.rng.chance(0.5) => vec![],
            (_, "Deletes") => vec![value],
            (_, "Adds") => vec![text(self.any(&["1", "-3", "9223372036854775807"])), maybe_life],
            (_, "Replaces") if self.rng.chance(0.5) => vec![value, maybe_life, text("present")],
            (_, "Replaces") => vec![value, maybe_life, text("equals"), self.value()],
            (_, "Reads") => vec![text(self.any(&["5", "1000"]))],
            (_, "Gives") => vec![maybe_life],
            other => panic!("the test does not know what the script {other:?} takes"),
        };
        let call = if self.rng.chance(0.5) {
            [text("EVAL"), text(&code)]
        } else {
            [text("EVALSHA"), text(sha1_smol::Sha1::from(code.as_bytes()).digest().to_string())]
        };
        let keys = if name == "copy:fill_many" {
            vec![text("2"), text(self.key()), text(self.key())]
        } else {
            vec![text("1"), text(self.key())]
        };
        [call.to_vec(), keys, args].concat()
    }
}
