//! Just enough HTTP/1.1 to ask an instance or a driver on this machine, and to stand between them.

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
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A request over a connection of its own.
    pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self { start: format!("{method} {path} HTTP/1.1"), headers, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_string()));
    }

    /// The word of the first line: 0 is the method of a request, 1 its path or the status of an answer.
    pub(crate) fn word(&self, at: usize) -> &str {
        self.start.split(' ').nth(at).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_else(|_| panic!("no status in `{}`", self.start))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The next message of a connection; `None` if it ended before one began.
    pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
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

    pub(crate) async fn write(&mut self, stream: &mut TcpStream) -> io::Result<()> {
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
    pub(crate) async fn exchange(mut self, to: SocketAddr) -> io::Result<Self> {
        let ask = async {
            let mut stream = TcpStream::connect(to).await?;
            self.write(&mut stream).await?;
            Self::read(&mut stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        };
        tokio::time::timeout(PATIENCE, ask).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// Asks for a page, with the cookie of a session if there is one.
pub(crate) async fn get(to: SocketAddr, path: &str, cookie: Option<&str>) -> Message {
    let host = to.to_string();
    let mut request = Message::request("GET", path, &[("Host", &host)], "");
    if let Some(cookie) = cookie {
        request.set("Cookie", cookie);
    }
    request.exchange(to).await.unwrap_or_else(|error| panic!("GET {path} from {to}: {error}"))
}

/// Sends a form as a browser on a page of `origin` would.
pub(crate) async fn post(
    to: SocketAddr,
    path: &str,
    origin: Option<&str>,
    cookie: Option<&str>,
    form: &str,
) -> Message {
    let host = to.to_string();
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let kind = "application/x-www-form-urlencoded";
    let headers = [("Host", host.as_str()), ("User-Agent", agent), ("Content-Type", kind)];
    let mut request = Message::request("POST", path, &headers, form);
    if let Some(origin) = origin {
        request.set("Origin", origin);
    }
    if let Some(cookie) = cookie {
        request.set("Cookie", cookie);
    }
    request.exchange(to).await.unwrap_or_else(|error| panic!("POST {path} to {to}: {error}"))
}

/// Logs in at an instance and gives the cookie.
pub(crate) async fn login(to: SocketAddr, user: &str) -> String {
    let origin = format!("http://{to}");
    let answer = post(to, "/login", Some(&origin), None, &format!("user={user}&password=marker")).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let cookie = answer.header("set-cookie").expect("a login sets a cookie");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// Whether an instance knows who comes with this cookie.
pub(crate) async fn is_logged_in(at: SocketAddr, cookie: &str) -> bool {
    let answer = get(at, "/profile", Some(cookie)).await;
    match (answer.status(), answer.header("location")) {
        (200, None) => {
            assert!(answer.text().contains("<h1 id=\"name\">"), "neither a profile nor a login: {}", answer.text());
            true
        }
        (303, Some("/login")) => false,
        other => panic!("{other:?}"),
    }
}
