//! A real and a simulated server that are told the same.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hallway_testkit::sim::BareRedis;

use super::frame::Frame;
use crate::sim::resp::command;

/// A word of a command; ids of connections differ between the two servers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// The id of this connection.
    Id(usize),
    Text(Vec<u8>),
}

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    real_id: i64,
    sim_id: u64,
    real: VecDeque<Frame>,
    sim: VecDeque<Frame>,
}

/// Both servers and their connections.
pub(super) struct Pair {
    addr: SocketAddr,
    pub(super) sim: BareRedis,
    connections: Vec<Connection>,
    began: Instant,
    log: VecDeque<String>,
    seed: u64,
    pub(super) commands: usize,
    pub(super) pushes: usize,
}

impl Pair {
    pub(super) fn new(addr: SocketAddr, connections: usize, seed: u64) -> Self {
        let mut pair = Self {
            addr,
            sim: BareRedis::new(),
            connections: Vec::new(),
            began: Instant::now(),
            log: VecDeque::new(),
            seed,
            commands: 0,
            pushes: 0,
        };
        for _ in 0..connections {
            let connection = pair.open();
            pair.connections.push(connection);
        }
        pair
    }

    fn open(&mut self) -> Connection {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"CLIENT ID\r\n").unwrap();
        let mut unread = Vec::new();
        let Frame::Line(b':', id) = read(&mut stream, &mut unread) else { panic!("no id") };
        Connection {
            stream,
            unread,
            real_id: id.parse().unwrap(),
            sim_id: self.sim.connect(),
            real: VecDeque::new(),
            sim: VecDeque::new(),
        }
    }

    /// Sends commands together over one connection and compares whatever has come over it so far.
    pub(super) fn ask<W: AsRef<[u8]>>(&mut self, at: usize, commands: &[&[W]]) {
        let words = |words: &&[W]| words.iter().map(|word| Word::Text(word.as_ref().to_vec())).collect();
        let commands: Vec<Vec<Word>> = commands.iter().map(words).collect();
        self.send(at, &commands);
    }

    /// The same with words that may be ids.
    pub(super) fn send(&mut self, at: usize, commands: &[Vec<Word>]) {
        for words in commands {
            self.note(format!("{at}: {}", show(words)));
        }
        self.commands += commands.len();
        let bytes = |id: &dyn Fn(usize) -> i64| -> Vec<u8> {
            let one = |words: &Vec<Word>| {
                let words: Vec<Vec<u8>> = words
                    .iter()
                    .map(|word| match word {
                        Word::Id(of) => id(*of).to_string().into_bytes(),
                        Word::Text(text) => text.clone(),
                    })
                    .collect();
                command(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
            };
            commands.iter().flat_map(one).collect()
        };
        let to_sim = bytes(&|of| self.connections[of].sim_id as i64);
        let to_real = bytes(&|of| self.connections[of].real_id);

        self.connections[at].stream.write_all(&to_real).unwrap();
        let outputs = self.sim.receive(self.connections[at].sim_id, &to_sim, self.began.elapsed());
        for (client, bytes) in outputs {
            let connection = self.connections.iter_mut().find(|connection| connection.sim_id == client).unwrap();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (frame, length) = Frame::read(rest).unwrap();
                connection.sim.push_back(frame);
                rest = &rest[length..];
            }
        }
        let connection = &mut self.connections[at];
        let mut replies = 0;
        while replies < commands.len() {
            let frame = read(&mut connection.stream, &mut connection.unread);
            replies += usize::from(!frame.is_push());
            connection.real.push_back(frame);
        }
        self.compare(at);
    }

    /// Ends a connection on both and makes another in its place.
    pub(super) fn reconnect(&mut self, at: usize) {
        self.ask(at, &[&[b"QUIT"]]);
        let mut rest = Vec::new();
        self.connections[at].stream.read_to_end(&mut rest).unwrap();
        let sim_id = self.connections[at].sim_id;
        self.sim.hang_up(sim_id);
        self.note(format!("{at}: connects again"));
        self.connections[at] = self.open();
    }

    /// Makes both a replica that lost its primary, or a primary again.
    pub(super) fn set_read_only(&mut self, read_only: bool) {
        self.note(format!("read-only: {read_only}"));
        let words: &[&[u8]] =
            if read_only { &[b"REPLICAOF", b"127.0.0.1", b"1"] } else { &[b"REPLICAOF", b"NO", b"ONE"] };
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.write_all(&command(words)).unwrap();
        assert_eq!(read(&mut stream, &mut Vec::new()), Frame::Line(b'+', "OK".into()));
        self.sim.set_read_only(read_only);
    }

    /// Lets short lives end on both.
    pub(super) fn wait(&mut self, span: Duration) {
        self.note(format!("wait {span:?}"));
        std::thread::sleep(span);
    }

    /// Nothing may be left on either side that the other has not said.
    pub(super) fn finish(&mut self) {
        for at in 0..self.connections.len() {
            self.ask(at, &[&[&b"PING"[..], b"the end"]]);
            let connection = &self.connections[at];
            if !(connection.real.is_empty() && connection.sim.is_empty() && connection.unread.is_empty()) {
                self.fail(at, &format!("real has {:?} more, sim {:?}", connection.real, connection.sim));
            }
        }
        assert_eq!(self.sim.beyond(), None);
    }

    fn compare(&mut self, at: usize) {
        loop {
            let connection = &mut self.connections[at];
            if connection.real.is_empty() || connection.sim.is_empty() {
                // A push that follows the last reply is on its way from the real server.
                return;
            }
            let (real, sim) = (connection.real.pop_front(), connection.sim.pop_front());
            let (real, sim) = (real.unwrap(), sim.unwrap());
            self.pushes += usize::from(real.is_push());
            let name = |id: Option<usize>| id.map_or("gone".to_owned(), |at| at.to_string());
            let real = real.comparable(&|id| name(self.connections.iter().position(|at| at.real_id == id)));
            let sim = sim.comparable(&|id| name(self.connections.iter().position(|at| at.sim_id as i64 == id)));
            if !real.means(&sim) {
                self.fail(at, &format!("real {real:?}\nsim  {sim:?}"));
            }
        }
    }

    fn note(&mut self, step: String) {
        if self.log.len() == 100 {
            self.log.pop_front();
        }
        self.log.push_back(step);
    }

    fn fail(&self, at: usize, difference: &str) -> ! {
        let log: Vec<&str> = self.log.iter().map(String::as_str).collect();
        panic!("seed {}, connection {at}:\n{difference}\nafter\n{}", self.seed, log.join("\n"));
    }
}

fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Frame {
    loop {
        if let Some((frame, length)) = Frame::read(unread) {
            unread.drain(..length);
            return frame;
        }
        let mut chunk = [0; 4_096];
        let length = stream.read(&mut chunk).unwrap();
        assert!(length > 0, "the server ended the connection");
        unread.extend_from_slice(&chunk[..length]);
    }
}

fn show(words: &[Word]) -> String {
    let word = |word: &Word| match word {
        Word::Id(of) => format!("<id of {of}>"),
        Word::Text(text) => {
            let text = String::from_utf8_lossy(text);
            text.lines().next().unwrap_or_default().chars().take(60).collect()
        }
    };
    words.iter().map(word).collect::<Vec<String>>().join(" ")
}
