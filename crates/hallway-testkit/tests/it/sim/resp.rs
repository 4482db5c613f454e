//! A plain client of RESP: what is sent and what comes back, as bytes.

use hallway_testkit::sim::{SimLink, SimStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A command as bytes.
pub(super) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The length of the first whole frame, if there is one.
pub(super) fn frame(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let number = || std::str::from_utf8(&bytes[1..end - 2]).ok()?.parse::<i64>().ok();
    match bytes[0] {
        b'$' | b'=' => match number()? {
            length @ 0.. => Some(end + length as usize + 2).filter(|end| bytes.len() >= *end),
            _ => Some(end),
        },
        kind @ (b'*' | b'>' | b'~' | b'%') => {
            let count = number()?.max(0) * if kind == b'%' { 2 } else { 1 };
            let mut at = end;
            for _ in 0..count {
                at += frame(&bytes[at..])?;
            }
            Some(at)
        }
        _ => Some(end),
    }
}

/// A connection in the simulated world that speaks text.
pub(super) struct Client {
    stream: SimStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects and says HELLO 3.
    pub(super) async fn connect(link: &SimLink) -> Self {
        let mut client = Self { stream: link.connect().await.unwrap(), buffer: Vec::new() };
        let hello = client.ask("HELLO 3").await;
        assert!(hello.starts_with("%7"), "{hello}");
        client
    }

    /// Sends words that blanks separate.
    pub(super) async fn send(&mut self, words: &str) {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        self.stream.write_all(&command(&words)).await.unwrap();
    }

    /// The next reply or push, its lines joined by blanks.
    pub(super) async fn hear(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(length) = frame(&self.buffer) {
                let frame: Vec<u8> = self.buffer.drain(..length).collect();
                return Ok(String::from_utf8(frame).unwrap().trim_end().replace("\r\n", " "));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends a command and waits for what comes next.
    pub(super) async fn ask(&mut self, words: &str) -> String {
        self.send(words).await;
        self.hear().await.unwrap()
    }
}
