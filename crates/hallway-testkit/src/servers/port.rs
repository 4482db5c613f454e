//! Ports for private servers.

use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt;

use super::ServerError;

/// Below Linux' ephemeral range, so that no outgoing connection takes the port of a server that is down for a moment.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// How often a server is started on another port when somebody was faster.
pub(super) const ATTEMPTS: usize = 8;

/// A port of 127.0.0.1 that is free now.
pub(super) fn free() -> Result<u16, ServerError> {
    let mut rng = rand::rng();
    (0..1_000)
        .map(|_| rng.random_range(RANGE))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| ServerError::new("no free port on 127.0.0.1"))
}
