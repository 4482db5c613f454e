//! A round-robin proxy before the instances: every request goes to the next one, and what became of it is noted.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hallway_testkit::browser::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) instance: usize,
    pub(crate) status: u16,
}

/// The proxy, until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    log: Arc<Mutex<Vec<Exchange>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(instances: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let log = Arc::<Mutex<Vec<Exchange>>>::default();
        let (instances, turn, notes) = (Arc::new(instances), Arc::new(AtomicUsize::new(0)), Arc::clone(&log));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (instances, turn, notes) = (Arc::clone(&instances), Arc::clone(&turn), Arc::clone(&notes));
                tokio::spawn(async move {
                    // A browser that gives up a request is no failure of the proxy.
                    let _gone = pass_on(stream, &instances, &turn, &notes).await;
                });
            }
        });
        Self { addr, log, task }
    }

    /// Everything that went through so far.
    pub(crate) fn log(&self) -> Vec<Exchange> {
        self.log.lock().unwrap().clone()
    }

    /// The last request of this kind.
    pub(crate) fn last(&self, method: &str, path: &str) -> Exchange {
        let log = self.log();
        let found = log.iter().rev().find(|exchange| exchange.method == method && exchange.path == path);
        found.unwrap_or_else(|| panic!("no {method} {path} in {log:?}")).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request of one connection; the answer says that there will be no second.
async fn pass_on(
    mut stream: TcpStream,
    instances: &[SocketAddr],
    turn: &AtomicUsize,
    log: &Mutex<Vec<Exchange>>,
) -> io::Result<()> {
    let Some(request) = Message::read(&mut stream).await? else { return Ok(()) };
    let instance = turn.fetch_add(1, Ordering::Relaxed) % instances.len();
    let (method, path) = (request.word(0).to_owned(), request.word(1).to_owned());
    let mut answer = match request.exchange(instances[instance]).await {
        Ok(answer) => answer,
        Err(error) => Message {
            start: "HTTP/1.1 502 Bad Gateway".into(),
            headers: vec![("Content-Type".into(), "text/plain".into())],
            body: error.to_string().into_bytes(),
        },
    };
    let status = answer.status();
    log.lock().unwrap().push(Exchange { method, path, instance, status });
    answer.write(&mut stream).await
}
