//! Just enough HTTP/1.1 to ask a server or a driver on this machine, and to stand between them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer takes longer: not that of a loader, not that of a browser which starts.
const PATIENCE: Duration = Duration::from_secs(60);

/// A head longer than this is none of ours.
const LONGEST_HEAD: usize = 64 << 10;

/// A request or an answer: first line, headers, body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// What follows the head.
    pub body: Vec<u8>,
}

impl Message {
    /// A request over a connection of its own.
    #[must_use]
    pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self { start: format!("{method} {path} HTTP/1.1"), headers, body: body.as_bytes().to_vec() }
    }

    /// The value of the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Sets a header, in the place of those of this name.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_string()));
    }

    /// The word of the first line: 0 is the method of a request, 1 its path or the status of an answer.
    #[must_use]
    pub fn word(&self, at: usize) -> &str {
        self.start.split(' ').nth(at).unwrap_or_default()
    }

    /// The status of an answer.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_else(|_| panic!("no status in `{}`", self.start))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The next message of a connection; `None` if it ended before one began.
    ///
    /// # Errors
    /// If the connection fails or ends within a message, or its head has no end.
    pub async fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return if bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            if bytes.len() > LONGEST_HEAD {
                return Err(io::Error::other("a head without end"));
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let mut message = Self { start, headers, body: bytes.split_off(end + 4) };
        let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0_usize);
        let had = message.body.len();
        message.body.resize(length.max(had), 0);
        stream.read_exact(&mut message.body[had..]).await?;
        Ok(Some(message))
    }

    /// Writes it as the last of a connection.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn write(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        self.set("Content-Length", self.body.len());
        self.set("Connection", "close");
        let mut bytes = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        stream.write_all(&[bytes.as_bytes(), &self.body].concat()).await
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If there is no answer, or none within a minute.
    pub async fn exchange(mut self, to: SocketAddr) -> io::Result<Self> {
        let ask = async {
            let mut stream = TcpStream::connect(to).await?;
            self.write(&mut stream).await?;
            Self::read(&mut stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        };
        tokio::time::timeout(PATIENCE, ask).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
