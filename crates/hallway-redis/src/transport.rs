//! One attempt to connect and log in.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use hallway_core::{Error, ErrorKind};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use redis::{AsyncConnectionConfig, PushInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use crate::fault::{DriverError, Fault};
use crate::guard::Guarded;
use crate::pulse::Pulse;
use crate::target::{Address, Target};

/// Unanswered bytes end the connection after this long; without it a black hole lasts a quarter of an hour.
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// Commands that wait for the driver. What does not fit makes callers wait inside their deadline.
const PIPELINE_BUFFER: usize = 512;

/// How long an address of a name is tried alone, before the next one joins.
const STAGGER: Duration = Duration::from_millis(100);

/// The future that moves bytes. The connection lives as long as it runs.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Opens a stream to the server.
pub(crate) type Connect = dyn Fn() -> Opening + Send + Sync;

/// Takes what the server sends unasked, in the driver's task and in the order of the wire.
pub(crate) type Pushes = Box<dyn Fn(PushInfo) -> Result<(), Infallible> + Send + Sync>;

/// Connects to the target and logs in. The server has answered when this returns: an accepted connection alone says
/// nothing, because the kernel accepts for a stopped server too.
pub(crate) async fn connect(
    target: &Target,
    value_cap: usize,
    pulse: Arc<Pulse>,
    pushes: Option<Pushes>,
) -> Result<(MultiplexedConnection, Driver), Error> {
    let address = target.resolve();
    let stream = open(target, address).await?;
    // The caller's deadline is the only one; the driver's would count twice.
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(PIPELINE_BUFFER);
    if let Some(pushes) = pushes {
        config = config.set_push_sender(pushes);
    }
    let stream = Guarded::new(stream, value_cap, Arc::clone(&pulse));
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&target.login.to_redis(), stream, config).await.map_err(|error| {
            if pulse.is_crowded() {
                return Fault::crowded().error;
            }
            let fault = Fault::driver(&error);
            if !fault.may_have_run {
                return fault.error;
            }
            // With TLS 1.3 the server looks at our certificate only after we think that all is well.
            let hint = if target.is_tls() { ", and whether it wants a client certificate (`cert`, `key`)" } else { "" };
            Error::new(
                ErrorKind::Unavailable,
                format!("{address} closed the connection during login: check that it is a Redis server{hint}"),
            )
            .with_source(DriverError(format!("{:?}", error.kind())))
        })?;
    Ok((connection, Box::pin(driver)))
}

/// The error of an attempt that took too long.
pub(crate) fn too_slow(target: &Target, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("{} did not answer within {timeout:?}: check that Redis is up and reachable", target.resolve()),
    )
}

async fn open(target: &Target, address: &Address) -> Result<Box<dyn Stream>, Error> {
    match address {
        Address::Given(connect) => connect().await.map_err(|error| refused(address, error)),
        Address::Tcp { host, port } => {
            let found = lookup_host((host.as_str(), *port)).await.map_err(|error| refused(address, error))?;
            let stream = race(found.collect(), TcpStream::connect).await.map_err(|error| refused(address, error))?;
            tune(&stream).map_err(|error| refused(address, error))?;
            #[cfg(feature = "tls")]
            if let Some(tls) = &target.tls {
                return Ok(Box::new(tls.handshake(host, address, stream).await?));
            }
            #[cfg(not(feature = "tls"))]
            let _ = target;
            Ok(Box::new(stream))
        }
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(|error| refused(address, error))?)),
    }
}

/// Connects to the first address that answers, so that one that swallows everything does not use up the time of the
/// others. The families take turns, as a whole one may be unreachable.
async fn race<S, F: Future<Output = io::Result<S>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<S> {
    let (mut v4, mut v6) = (0, 0);
    let mut ranked: Vec<(usize, SocketAddr)> = Vec::with_capacity(addresses.len());
    for address in addresses {
        let rank = if address.is_ipv4() { &mut v4 } else { &mut v6 };
        ranked.push((*rank, address));
        *rank += 1;
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut left = ranked.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut first_error = None;
    loop {
        if let Some((_, address)) = left.next() {
            attempts.push(connect(address));
        } else if attempts.is_empty() {
            return Err(first_error.unwrap_or_else(|| io::Error::other("the name has no address")));
        }
        let ended = if left.len() > 0 { timeout(STAGGER, attempts.next()).await } else { Ok(attempts.next().await) };
        match ended {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => drop(first_error.get_or_insert(error)),
            Ok(None) | Err(_) => {}
        }
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    // Without NODELAY a second small write waits for the answer to the first, on a real network a whole round trip.
    // Reads are coalesced, so that a packet carries a batch and the cost of many small packets does not arise.
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(5));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

fn refused(address: &Address, error: io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Error::new(ErrorKind::Unavailable, format!("no Redis to reach; start it or fix the URL: {why} at {address}"))
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Port 1 swallows everything, port 2 refuses, others answer.
    async fn connect(address: SocketAddr) -> io::Result<SocketAddr> {
        match address.port() {
            1 => std::future::pending().await,
            2 => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(address),
        }
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_costs_the_next_one_little() {
        let start = Instant::now();
        let found = race(addresses(&["[::1]:1", "[::1]:1", "[::1]:1", "10.0.0.1:3"]), connect).await.unwrap();
        assert_eq!(found.to_string(), "10.0.0.1:3");
        assert!(start.elapsed() >= STAGGER && start.elapsed() < 2 * STAGGER, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn one_that_refuses_costs_nothing_and_is_reported_if_all_fail() {
        let start = Instant::now();
        assert!(race(addresses(&["[::1]:2", "10.0.0.1:2", "10.0.0.2:3"]), connect).await.is_ok());
        assert!(start.elapsed() < STAGGER);
        let error = race(addresses(&["[::1]:2", "10.0.0.1:2"]), connect).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(Vec::new(), connect).await.is_err());
    }
}
