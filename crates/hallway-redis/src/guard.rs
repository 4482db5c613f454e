//! Bounds what a server can make this process buffer.
//!
//! The driver's parser believes any declared length. This stream reads the headers as they pass and puts a short error
//! in the place of a string that is longer than the cap, swallowing its bytes, so that one huge value costs neither
//! memory nor the connection. A reply as a whole is bounded as well: past [`WHOLE`] bytes its larger strings are left out
//! in the same way, to be asked for again in smaller batches, and past twice that the connection ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pulse::Pulse;

/// Longest line that is not a string: errors, numbers, headers.
const MAX_LINE: usize = 64 << 10;

/// Most elements that an array may declare: far above any page or batch of ours.
const MAX_ELEMENTS: u64 = 1 << 20;

/// Stands in for a string over the cap. Not longer than the shortest header it replaces.
const REPLACEMENT: &[u8] = b"-HWSIZE\r\n";

/// Stands in for a string that fits the cap, but no longer its reply. As long as [`REPLACEMENT`].
const LEFT_OUT: &[u8] = b"-HWFULL\r\n";

/// Strings from this size on may be left out: their headers are at least as long as [`LEFT_OUT`].
const LEAVABLE: u64 = 100_000;

/// Bytes of one reply before strings are left out.
pub(crate) const WHOLE: usize = 64 << 20;

/// Bytes of one reply before the connection ends. What is too small to be left out comes to less in any batch of ours.
const MAX_REPLY: u64 = 2 * WHOLE as u64;

/// What the parser needs for each element beside its bytes.
const ELEMENT: u64 = 64;

/// Longest string that a server can have, unless it is set up for more.
const MAX_STRING: u64 = 512 << 20;

/// Bytes of one reply that are swallowed before the connection ends.
const MAX_SWALLOWED: u64 = 1 << 30;

/// Caps start here, so that every header over the cap is at least as long as [`REPLACEMENT`].
pub(crate) const MIN_CAP: usize = 1 << 20;

/// Longest header that may be held back: type byte, 20 digits, line end.
const MAX_HEADER: usize = 24;

/// Room below which a read takes the slow path. The driver offers whatever is left in its buffer, down to one byte.
const SMALL: usize = 64;

/// Bytes of a read on the slow path.
const SCRATCH: usize = 1024;

pub(crate) struct Guarded<S> {
    stream: S,
    pulse: Arc<Pulse>,
    filter: Filter,
    /// A header whose end has not come yet: the driver must not see it before we know its length.
    held: Vec<u8>,
    /// Filtered bytes that wait for room, from `taken` on.
    ready: Vec<u8>,
    taken: usize,
    /// Whether anything has come yet.
    greeted: bool,
}

impl<S> Guarded<S> {
    /// Lets strings of up to `cap` bytes pass, at least [`MIN_CAP`].
    pub(crate) fn new(stream: S, cap: usize, pulse: Arc<Pulse>) -> Self {
        let held = Vec::with_capacity(MAX_HEADER);
        Self { stream, pulse, filter: Filter::new(cap), held, ready: Vec::new(), taken: 0, greeted: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Round and round, because an empty read would mean the end of the stream.
        loop {
            if this.taken < this.ready.len() {
                let step = buf.remaining().min(this.ready.len() - this.taken);
                buf.put_slice(&this.ready[this.taken..this.taken + step]);
                this.taken += step;
                return Poll::Ready(Ok(()));
            }
            if this.held.is_empty() && buf.remaining() >= SMALL {
                let start = buf.filled().len();
                ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
                if buf.filled().len() == start {
                    return Poll::Ready(Ok(()));
                }
                this.pulse.beat();
                if !std::mem::replace(&mut this.greeted, true) {
                    this.pulse.greeted(&buf.filled()[start..]);
                }
                let kept = this.filter.run(&mut buf.filled_mut()[start..], &mut this.held)?;
                buf.set_filled(start + kept);
                if kept > 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let mut scratch = [0; SCRATCH];
                let mut more = ReadBuf::new(&mut scratch);
                ready!(Pin::new(&mut this.stream).poll_read(cx, &mut more))?;
                if more.filled().is_empty() {
                    // Half a header is of no use to anybody.
                    return Poll::Ready(Ok(()));
                }
                this.pulse.beat();
                this.ready.clear();
                this.ready.append(&mut this.held);
                this.ready.extend_from_slice(more.filled());
                this.taken = 0;
                let kept = this.filter.run(&mut this.ready, &mut this.held)?;
                this.ready.truncate(kept);
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)) {
            // Left to the reading side, which ends as well: it may still hold why the server closed the connection.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                Poll::Ready(Ok(bytes.len()))
            }
            done => Poll::Ready(done),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Where in the stream of replies we are. Arrays need no nesting: their elements are the next headers, and how many are
/// still to come says when the reply ends.
enum At {
    /// Before or inside a line whose first `seen` bytes have passed.
    Line { seen: usize },
    /// Inside a string that passes.
    Passing { left: u64 },
    /// Inside a string that is swallowed.
    Swallowing { left: u64 },
}

struct Filter {
    cap: u64,
    at: At,
    /// Elements of the reply in progress that have not ended yet; 0 between replies.
    pending: u64,
    /// Bytes of the reply in progress that passed, and that did not.
    passed: u64,
    swallowed: u64,
}

impl Filter {
    fn new(cap: usize) -> Self {
        Self { cap: cap.max(MIN_CAP) as u64, at: At::Line { seen: 0 }, pending: 0, passed: 0, swallowed: 0 }
    }

    /// An element begins, and with the first one a reply.
    fn begin(&mut self) {
        if self.pending == 0 {
            (self.pending, self.passed, self.swallowed) = (1, 0, 0);
        }
    }

    /// An element has ended.
    fn end(&mut self) {
        self.pending = self.pending.saturating_sub(1);
        self.at = At::Line { seen: 0 };
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        self.passed += bytes;
        if self.passed > MAX_REPLY { Err(garbage("a reply that is too long")) } else { Ok(()) }
    }

    fn swallow(&mut self, bytes: u64) -> io::Result<()> {
        self.swallowed += bytes;
        let most = MAX_SWALLOWED.max(self.cap * hallway_core::BATCH_KEYS as u64);
        if self.swallowed > most { Err(garbage("a reply that is too long")) } else { Ok(()) }
    }

    /// Filters `bytes` in place and says how many are left; an unfinished header goes to `held`.
    fn run(&mut self, bytes: &mut [u8], held: &mut Vec<u8>) -> io::Result<usize> {
        let mut read = 0;
        let mut write = 0;
        while read < bytes.len() {
            match self.at {
                At::Passing { left } => {
                    let step = left.min((bytes.len() - read) as u64) as usize;
                    keep(bytes, read, &mut write, step);
                    read += step;
                    match left - step as u64 {
                        0 => self.end(),
                        left => self.at = At::Passing { left },
                    }
                }
                At::Swallowing { left } => {
                    let step = left.min((bytes.len() - read) as u64) as usize;
                    read += step;
                    match left - step as u64 {
                        0 => self.end(),
                        left => self.at = At::Swallowing { left },
                    }
                }
                At::Line { seen } => {
                    let rest = &bytes[read..];
                    let end = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
                    let header = seen == 0 && matches!(rest[0], b'$' | b'=' | b'!' | b'*' | b'%' | b'~' | b'>' | b'|');
                    match end {
                        None if header => {
                            if rest.len() > MAX_HEADER {
                                return Err(garbage("a header without end"));
                            }
                            held.extend_from_slice(rest);
                            return Ok(write);
                        }
                        None => {
                            let length = rest.len();
                            if seen + length > MAX_LINE {
                                return Err(garbage("a line without end"));
                            }
                            self.begin();
                            self.pass(length as u64)?;
                            keep(bytes, read, &mut write, length);
                            read += length;
                            self.at = At::Line { seen: seen + length };
                        }
                        Some(length) if header => {
                            let kind = rest[0];
                            let declared = declared_length(&rest[1..length])?;
                            let string = matches!(kind, b'$' | b'=' | b'!');
                            self.begin();
                            match declared {
                                Some(declared) if string && declared > MAX_STRING => {
                                    return Err(garbage("a string longer than any server has"));
                                }
                                Some(declared) if string && self.must_go(declared) => {
                                    let instead = if declared > self.cap { REPLACEMENT } else { LEFT_OUT };
                                    bytes[read..read + instead.len()].copy_from_slice(instead);
                                    keep(bytes, read, &mut write, instead.len());
                                    self.swallow(declared)?;
                                    self.at = At::Swallowing { left: declared + 2 };
                                }
                                Some(declared) if string => {
                                    self.pass(declared)?;
                                    keep(bytes, read, &mut write, length);
                                    self.at = At::Passing { left: declared + 2 };
                                }
                                Some(declared) if declared > MAX_ELEMENTS => {
                                    return Err(garbage("an array with too many elements"));
                                }
                                Some(declared) => {
                                    let elements = match kind {
                                        b'%' => 2 * declared,
                                        // Attributes come before the element that they belong to.
                                        b'|' => 2 * declared + 1,
                                        _ => declared,
                                    };
                                    self.pending += elements;
                                    self.pass(elements * ELEMENT)?;
                                    keep(bytes, read, &mut write, length);
                                    self.end();
                                }
                                None => {
                                    keep(bytes, read, &mut write, length);
                                    self.end();
                                }
                            }
                            read += length;
                        }
                        Some(length) => {
                            self.begin();
                            self.pass(length as u64)?;
                            keep(bytes, read, &mut write, length);
                            read += length;
                            self.end();
                        }
                    }
                }
            }
        }
        Ok(write)
    }

    /// Whether a string of this length is swallowed.
    fn must_go(&self, declared: u64) -> bool {
        declared > self.cap || (declared >= LEAVABLE && self.passed + declared > WHOLE as u64)
    }
}

/// Moves the next `length` bytes to where they are kept; nothing moves until something was swallowed.
fn keep(bytes: &mut [u8], read: usize, write: &mut usize, length: usize) {
    if *write != read {
        bytes.copy_within(read..read + length, *write);
    }
    *write += length;
}

/// The number in a header; `None` for the -1 of a missing value.
fn declared_length(text: &[u8]) -> io::Result<Option<u64>> {
    let digits = text.strip_suffix(b"\r\n").ok_or_else(|| garbage("a header that is no number"))?;
    if digits == b"-1" {
        return Ok(None);
    }
    if digits.is_empty() || digits.len() > 18 {
        return Err(garbage("a header that is no number"));
    }
    digits
        .iter()
        .try_fold(0u64, |sum, digit| match digit {
            b'0'..=b'9' => Ok(sum * 10 + u64::from(digit - b'0')),
            _ => Err(garbage("a header that is no number")),
        })
        .map(Some)
}

fn garbage(what: &'static str) -> io::Error {
    // A kind the driver takes for a lost connection, which this is from now on.
    io::Error::new(io::ErrorKind::ConnectionAborted, what)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Feeds `input` in pieces of `step` bytes, as `poll_read` would.
    fn filtered(input: &[u8], cap: usize, step: usize) -> io::Result<Vec<u8>> {
        let mut filter = Filter { cap: cap as u64, ..Filter::new(0) };
        let mut held = Vec::new();
        let mut out = Vec::new();
        for piece in input.chunks(step) {
            let mut bytes = std::mem::take(&mut held);
            bytes.extend_from_slice(piece);
            let kept = filter.run(&mut bytes, &mut held)?;
            out.extend_from_slice(&bytes[..kept]);
        }
        Ok(out)
    }

    fn check(input: &[u8], cap: usize, expected: &[u8]) {
        for step in [1, 2, 3, 7, 64, input.len().max(1)] {
            let out = filtered(input, cap, step).unwrap();
            assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string(), "step {step}");
        }
    }

    #[test]
    fn ordinary_replies_pass_unchanged() {
        let replies =
            b"+OK\r\n:7\r\n$5\r\nhello\r\n*2\r\n$-1\r\n$4\r\n\r\n$9\r\n_\r\n%1\r\n$1\r\na\r\n#t\r\n-ERR x\r\n";
        check(replies, 100_000_000, replies);
    }

    #[test]
    fn a_string_over_the_cap_becomes_an_error_and_its_bytes_vanish() {
        let mut input = b"*3\r\n$1\r\na\r\n$1000000\r\n".to_vec();
        input.extend(std::iter::repeat_n(b'$', 1_000_000));
        input.extend_from_slice(b"\r\n$1\r\nb\r\n:5\r\n");
        check(&input, 999_999, b"*3\r\n$1\r\na\r\n-HWSIZE\r\n$1\r\nb\r\n:5\r\n");
        check(&input, 1_000_000, &input);
    }

    #[test]
    fn impossible_headers_end_the_connection() {
        for input in [
            &b"*99999999\r\n"[..],
            b"$x\r\n",
            b"$-2\r\n",
            b"$99999999999999999999999999",
            b"$18446744073709551615\r\n",
            b"$536870913\r\n",
        ] {
            assert!(filtered(input, 1 << 20, 64).is_err(), "{}", input.escape_ascii());
        }
        assert!(filtered(&vec![b'+'; MAX_LINE + 1], 1 << 20, 4096).is_err());
    }

    #[test]
    fn larger_strings_of_a_reply_that_grows_too_long_are_left_out() {
        let string = [&b"$1000000\r\n"[..], &[b'x'; 1_000_000], b"\r\n"].concat();
        let mut input = b"*100\r\n".to_vec();
        (0..100).for_each(|_| input.extend_from_slice(&string));
        // The next reply starts anew.
        input.extend_from_slice(b"%1\r\n+a\r\n*2\r\n$-1\r\n");
        input.extend_from_slice(&string);
        input.extend_from_slice(&string);
        let out = filtered(&input, 1 << 20, 8_192).unwrap();
        let left_out = out.windows(LEFT_OUT.len()).filter(|window| *window == LEFT_OUT).count();
        assert!((30..40).contains(&left_out), "{left_out}");
        assert_eq!(out.len(), input.len() - left_out * (string.len() - LEFT_OUT.len()));
        assert!(out.ends_with(&[&b"$-1\r\n"[..], &string, &string].concat()));
    }

    #[test]
    fn a_reply_without_end_ends_the_connection() {
        for (head, element) in [
            ("*1048576\r\n", [&b"$90000\r\n"[..], &[b'x'; 90_000], b"\r\n"].concat()),
            ("*1048576\r\n", [&b"+"[..], &[b'x'; 60_000], b"\r\n"].concat()),
            ("", b"*1048576\r\n".to_vec()),
        ] {
            let mut filter = Filter::new(0);
            let mut held = Vec::new();
            filter.run(&mut head.as_bytes().to_vec(), &mut held).unwrap();
            let mut fed = 0;
            while filter.run(&mut element.clone(), &mut held).is_ok() {
                fed += element.len() as u64;
                assert!(fed <= MAX_REPLY, "{}", element[..10].escape_ascii());
            }
        }
        // Ordinary replies have no end either, taken together.
        let mut filter = Filter::new(0);
        let mut reply = [&b"*2\r\n$90000\r\n"[..], &[b'x'; 90_000], b"\r\n:1\r\n"].concat();
        for _ in 0..2 * MAX_REPLY / 90_000 {
            filter.run(&mut reply, &mut Vec::new()).unwrap();
        }
    }

    #[test]
    fn what_is_swallowed_is_bounded_too() {
        let mut filter = Filter::new(0);
        filter.run(&mut b"*1048576\r\n".to_vec(), &mut Vec::new()).unwrap();
        let swallowed = (0..10).take_while(|_| {
            let ran = filter.run(&mut format!("${MAX_STRING}\r\n").into_bytes(), &mut Vec::new());
            filter.end();
            ran.is_ok()
        });
        assert_eq!(swallowed.count(), 2);
    }

    #[tokio::test]
    async fn any_room_to_read_into_is_enough() {
        let mut input = Vec::new();
        for length in 0..300 {
            input.extend_from_slice(format!("*2\r\n${length}\r\n{}\r\n:1\r\n", "x".repeat(length)).as_bytes());
        }
        input.extend_from_slice(format!("${}\r\n", MIN_CAP + 1).as_bytes());
        let expected = [&input[..input.len() - 10], REPLACEMENT, b"+OK\r\n"].concat();
        input.extend(std::iter::repeat_n(b'x', MIN_CAP + 1));
        input.extend_from_slice(b"\r\n+OK\r\n");
        for room in [1, 2, 5, 63, 64, 65, 100, 1_000, 8_192] {
            let mut guarded = Guarded::new(&input[..], 0, Arc::new(Pulse::new(std::time::Duration::ZERO)));
            let mut out = Vec::new();
            let mut buffer = vec![0; room];
            loop {
                match guarded.read(&mut buffer).await.unwrap() {
                    0 => break,
                    read => out.extend_from_slice(&buffer[..read]),
                }
            }
            assert!(out == expected, "room {room}");
        }
    }

    #[test]
    fn the_smallest_cap_leaves_room_for_the_replacement() {
        assert!(format!("${MIN_CAP}\r\n").len() >= REPLACEMENT.len());
        assert!(format!("${LEAVABLE}\r\n").len() >= LEFT_OUT.len());
    }
}
