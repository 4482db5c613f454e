//! Ports for private servers and proxies.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt;

/// Below Linux' ephemeral range, so that no outgoing connection takes the port of a server that is down for a moment.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// How often a server is started on another port when somebody was faster.
pub(crate) const ATTEMPTS: usize = 8;

/// A listener on a port of 127.0.0.1 that was free.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let mut rng = rand::rng();
    let mut last = None;
    for _ in 0..1_000 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, rng.random_range(RANGE))) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no free port on 127.0.0.1")))
}

/// A port of 127.0.0.1 that is free now.
pub(crate) fn free() -> io::Result<u16> {
    Ok(listen()?.local_addr()?.port())
}
