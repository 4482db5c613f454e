//! The verb `demo`: the whiteboard, served by the command.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::run::{command, hallway};

/// The server ends with the test, however that ends.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// The first thing that a child says, if it says it within a minute.
fn first_line(stdout: impl Read + Send + 'static) -> String {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut line = String::new();
        // Nobody listens any more if this took too long.
        let _heard = sender.send(BufReader::new(stdout).read_line(&mut line).map(|_| line));
    });
    let line = lines.recv_timeout(Duration::from_secs(60)).expect("the child says a line within a minute");
    line.expect("what the child says can be read")
}

#[test]
fn it_says_where_it_serves_and_serves_there() {
    let mut command = command();
    for name in ["PORT", "WHITEBOARD_DB", "WHITEBOARD_HOST"] {
        command.env_remove(name);
    }
    // It is killed, so its temporary files are left to us.
    let folder = tempfile::tempdir().unwrap();
    command.env("TMPDIR", folder.path());
    let mut served = Served(command.args(["demo", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap());
    let line = first_line(served.0.stdout.take().unwrap());
    let address =
        line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{line}"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Log in to the board"), "{answer}");
}

#[test]
fn what_it_cannot_do_it_says() {
    hallway(&["demo", "--json"]).exits(2).complains("no answer in JSON");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    hallway(&["demo", "--port", &port]).exits(2).complains("choose another --port");
}
