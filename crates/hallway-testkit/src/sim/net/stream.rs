//! The client's end of a connection.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::SimNet;

/// A connection of a process to a server. Writing never waits; what is lost is lost without a word, as in a kernel's
/// buffer.
pub struct SimStream {
    net: SimNet,
    connection: usize,
}

impl SimStream {
    pub(super) fn new(net: SimNet, connection: usize) -> Self {
        Self { net, connection }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.net.0.lock();
        let connection = state.connection(self.connection);
        if !connection.inbox.is_empty() {
            let length = connection.inbox.len().min(buf.remaining());
            buf.put_slice(&connection.inbox.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if connection.is_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if connection.is_ended {
            return Poll::Ready(Ok(()));
        }
        connection.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let now = self.net.0.clock.micros();
        let mut state = self.net.0.lock();
        let connection = state.connection(self.connection);
        if connection.is_reset || connection.is_shut {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        state.send(self.connection, bytes, now);
        self.net.0.settle(state);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.hang_up();
        Poll::Ready(Ok(()))
    }
}

impl SimStream {
    fn hang_up(&self) {
        let now = self.net.0.clock.micros();
        let mut state = self.net.0.lock();
        state.hang_up(self.connection, now);
        self.net.0.settle(state);
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        // A runtime that ends drops streams when there is no time any more; nobody is left to hear of it.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.hang_up();
        }
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}
