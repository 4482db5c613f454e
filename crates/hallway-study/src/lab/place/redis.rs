//! A Redis to measure: what it is asked before anything is written there, and how it is reached.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::redis::aio::MultiplexedConnection;
use hallway::{KvStore, Prefix, StoreUrl};
use hallway_testkit::servers::{RedisOptions, RedisServer};

use super::told::{Told, connect};
use super::{Choice, Origin, PATIENCE, Placed, answers, patient, shown, takes_writes, whole};
use crate::placement::Placement;
use crate::{Failure, Result};

/// Where Redis usually listens, and its socket.
const PORT: u16 = 6379;
const SOCKETS: [&str; 2] = ["/run/redis/redis-server.sock", "/var/run/redis/redis.sock"];
/// Keys that are looked for at once when they are taken away.
const PAGE: usize = 1_000;

/// A Redis to measure. `Debug` shows no password.
pub struct Redis {
    url: String,
    addr: Option<SocketAddr>,
    socket_url: Option<String>,
    no_socket: String,
    run_id: Option<String>,
    server: Option<RedisServer>,
    origin: Origin,
}

impl Redis {
    /// The URL it is known by.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is reached over TCP; a socket that was named is not.
    #[must_use]
    pub fn is_on_tcp(&self) -> bool {
        !self.url.starts_with("redis+unix:")
    }

    /// The address, if it is reached over plain TCP, where a proxy can stand.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Its Unix socket, if this process can use it.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        StoreUrl::parse(self.socket_url.as_deref()?).ok().map(|url| url.path())
    }

    /// The URL of the socket.
    #[must_use]
    pub fn socket_url(&self) -> Option<String> {
        self.socket_url.clone()
    }

    /// Why there is no socket.
    pub(in crate::lab) fn no_socket(&self) -> &str {
        &self.no_socket
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The server, if it is the study's.
    #[must_use]
    pub fn started(&self) -> Option<&RedisServer> {
        self.server.as_ref()
    }

    /// What tells it from other servers: another one each time it is started, except for the study's own.
    pub(in crate::lab) fn identity(&self) -> String {
        match (self.origin, &self.run_id) {
            (Origin::Started, _) => "redis started".to_owned(),
            (_, Some(id)) => format!("redis {id}"),
            (_, None) => format!("redis at {}", shown(&self.url)),
        }
    }

    /// A connection of its own, for what a store does not do: it waits for an answer as long as a store does.
    ///
    /// # Errors
    /// If it does not answer, or is reached over TLS, which such a connection cannot do.
    pub async fn connect(&self) -> Result<MultiplexedConnection> {
        connect(&self.url).await
    }

    /// Takes away all entries of a study, page by page: each page may take its time.
    pub(in crate::lab) async fn clear(&self, name: &str) -> Result<()> {
        let store = hallway::open(&patient(&self.url)?).await?;
        // The second are copies of what is in SQL.
        for prefix in [name.to_owned(), format!("copy:{name}")] {
            let prefix = Prefix::new(&prefix)?;
            let mut after = None;
            loop {
                let page = store.scan(&prefix, after, PAGE).await?;
                if !page.keys.is_empty() {
                    store.delete_many(&page.keys).await?;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.socket_url.as_deref().map(shown);
        f.debug_struct("Redis")
            .field("url", &shown(&self.url))
            .field("addr", &self.addr)
            .field("socket", &socket)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

pub(in crate::lab) async fn redis(choice: &Choice, placement: &Placement, name: &str) -> Result<Placed<Redis>> {
    match choice {
        Choice::None => Ok(Err("left out by --no-servers".into())),
        Choice::Find => {
            let url = format!("redis://127.0.0.1:{PORT}");
            if answers(&url, PATIENCE).await.is_err() {
                return Ok(Err("no Redis answers at 127.0.0.1:6379; name one by --redis URL, or use --start".into()));
            }
            Ok(found(&url, &SOCKETS.map(PathBuf::from), name).await)
        }
        Choice::Start => {
            let server = placement.serving(|| RedisServer::start(RedisOptions::default()))?;
            let (url, socket_url) = (server.url(), server.unix_url());
            takes_writes(&*hallway::open(&patient(&url)?).await?, name).await?;
            Ok(Ok(Redis {
                url,
                addr: Some(server.addr()),
                socket_url: Some(socket_url),
                no_socket: String::new(),
                run_id: None,
                server: Some(server),
                origin: Origin::Started,
            }))
        }
        Choice::Url(url) => given(url, name).await.map(Ok),
    }
}

/// One that nobody named must be of the kind that a study does no harm to, or it is left alone.
pub(in crate::lab) async fn found(url: &str, sockets: &[PathBuf], name: &str) -> Placed<Redis> {
    let left_alone = |why: String| -> Failure {
        format!("the Redis that was found is left alone: {why}; name one by --redis URL, or use --start").into()
    };
    let told = Told::ask(url).await.map_err(|failure| left_alone(whole(&failure)))?;
    // Before the first write: values of a study take the room of somebody's entries.
    match told.bounds() {
        Some((0, _)) => {}
        Some((bytes, policy)) => {
            return Err(left_alone(format!("its memory ends at {bytes} bytes (maxmemory-policy {policy})")));
        }
        None => return Err(left_alone("it does not tell whether its memory is bounded".to_owned())),
    }
    let write = async { takes_writes(&*hallway::open(&patient(url)?).await?, name).await };
    write.await.map_err(|failure| left_alone(format!("it takes no writes ({})", whole(&failure))))?;

    let (mut socket_url, mut no_socket) = (None, "it has no Unix socket where Redis usually has one".to_owned());
    for socket in sockets.iter().filter(|socket| socket.exists()) {
        match same_server(socket, &told, name).await {
            Ok(url) => {
                socket_url = Some(url);
                break;
            }
            Err(failure) => no_socket = format!("{}: {}", socket.display(), whole(&failure)),
        }
    }
    Ok(Redis {
        url: url.to_owned(),
        addr: plain_addr(url).await,
        socket_url,
        no_socket: format!("{no_socket}; use --start"),
        run_id: told.run_id,
        server: None,
        origin: Origin::Found,
    })
}

async fn given(url: &str, name: &str) -> Result<Redis> {
    let failed = |failure: Failure| format!("the Redis at {}: {}", shown(url), whole(&failure));
    let write = async { takes_writes(&*hallway::open(&patient(url)?).await?, name).await };
    write.await.map_err(failed)?;
    // What it does not tell, reports will say so.
    let run_id = Told::ask(url).await.ok().and_then(|told| told.run_id);
    let is_socket = url.starts_with("redis+unix:");
    Ok(Redis {
        url: url.to_owned(),
        addr: plain_addr(url).await,
        socket_url: is_socket.then(|| url.to_owned()),
        no_socket: "this Redis was named by its address; name its socket by redis+unix://, or use --start".to_owned(),
        run_id,
        server: None,
        origin: Origin::Given,
    })
}

/// The URL of a socket behind which the same server takes our writes.
async fn same_server(socket: &Path, told: &Told, name: &str) -> Result<String> {
    let url = format!("redis+unix://{}", socket.display());
    let behind = Told::ask(&url).await?;
    if told.run_id.is_none() || behind.run_id != told.run_id {
        return Err("this socket belongs to another Redis".into());
    }
    takes_writes(&*hallway::open(&patient(&url)?).await?, name).await?;
    Ok(url)
}

/// Where a plain `redis://` leads: the first of its addresses at which something listens.
async fn plain_addr(url: &str) -> Option<SocketAddr> {
    let url = StoreUrl::parse(url).ok()?;
    if url.scheme() != "redis" {
        return None;
    }
    let host = url.as_url().host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.as_url().port().unwrap_or(PORT);
    for addr in tokio::net::lookup_host((host, port)).await.ok()? {
        if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(addr)).await {
            return Some(addr);
        }
    }
    None
}
