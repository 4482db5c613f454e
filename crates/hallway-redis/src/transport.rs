//! One attempt to connect and log in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Error, ErrorKind};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::fault::{DriverError, Fault};
use crate::guard::Guarded;
use crate::pulse::Pulse;
use crate::target::{Address, Target};

/// Unanswered bytes end the connection after this long; without it a black hole lasts a quarter of an hour.
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// Commands that wait for the driver. What does not fit makes callers wait inside their deadline.
const PIPELINE_BUFFER: usize = 512;

/// The future that moves bytes. The connection lives as long as it runs.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the target and logs in. The server has answered when this returns: an accepted connection alone says
/// nothing, because the kernel accepts for a stopped server too.
pub(crate) async fn connect(
    target: &Target,
    value_cap: usize,
    pulse: Arc<Pulse>,
) -> Result<(MultiplexedConnection, Driver), Error> {
    let address = target.resolve();
    let stream = open(target, address).await?;
    // The caller's deadline is the only one; the driver's would count twice.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(PIPELINE_BUFFER);
    let stream = Guarded::new(stream, value_cap, pulse);
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&target.login.to_redis(), stream, config).await.map_err(|error| {
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
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| refused(address, error))?;
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
