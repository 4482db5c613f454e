//! A store that takes part in a replay.

use std::sync::Arc;
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::{Capability, Error, KvStore};
use tempfile::TempDir;

use crate::failure::Failure;
use crate::store_args::Target;

/// Entries of a moka store without a bound of its own.
pub(crate) const CAPACITY: u64 = 1_024;

/// How long a request may take, unless the URL says. Longer than the stores' own default: a replay measures slow
/// answers, it does not cut them off.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// An opened store, how it is called, and how to ask what it holds.
pub(crate) struct Contender {
    label: String,
    store: Arc<dyn KvStore>,
    moka: Option<Arc<MokaStore>>,
    // Removed with its file after the store is gone: fields drop in order.
    _folder: Option<TempDir>,
}

impl Contender {
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn store(&self) -> &Arc<dyn KvStore> {
        &self.store
    }

    /// The store as moka, which counts its own bytes and is gone with this process.
    pub(crate) fn as_moka(&self) -> Option<&MokaStore> {
        self.moka.as_deref()
    }
}

/// How many stores [`open_all`] opens for these.
pub(crate) fn count(targets: &[Target]) -> usize {
    if targets.is_empty() { 2 } else { targets.len() }
}

/// Opens all stores and asks each for an answer, so that a bad one is known before the first is measured.
pub(crate) async fn open_all(targets: &[Target], capacity: Option<u64>) -> Result<Vec<Contender>, Failure> {
    if targets.is_empty() {
        let moka = Target::parse(&format!("moka:?max_entries={}", capacity.unwrap_or(CAPACITY)))?;
        return Ok(vec![open(&moka).await?, open_temporary_sqlite().await?]);
    }
    if capacity.is_some() && !targets.iter().any(Target::is_unbounded_moka) {
        return Err(Failure::usage(
            "--capacity is for `moka:` stores without `max` and `max_entries`, and there is none; leave it out",
        ));
    }
    let mut contenders = Vec::new();
    for target in targets {
        contenders.push(if target.is_unbounded_moka() {
            open(&target.with_option("max_entries", &capacity.unwrap_or(CAPACITY).to_string())?).await?
        } else {
            open(target).await?
        });
    }
    Ok(contenders)
}

async fn open(target: &Target) -> Result<Contender, Failure> {
    let store = target.open().await?;
    let label = target.label();
    let store = if target.option("deadline").is_some() { store } else { store.with_deadline(DEADLINE) };
    if !store.capabilities().has(Capability::Scan) {
        return Err(Error::unsupported("a replay clears what it wrote, and this store cannot scan").into());
    }
    store.ping().await.map_err(|error| error.with_context(&label))?;
    if target.parsed().scheme() != "moka" {
        return Ok(Contender { label, store, moka: None, _folder: None });
    }
    // Opened again by its own type, to ask for its bytes; `open` has checked `connect`, which means nothing here.
    let mut url = target.parsed().clone();
    url.take("connect");
    let moka = Arc::new(MokaStore::open_url(url)?);
    Ok(Contender { label, store: moka.clone(), moka: Some(moka), _folder: None })
}

async fn open_temporary_sqlite() -> Result<Contender, Failure> {
    let folder = tempfile::Builder::new()
        .prefix("hallway-replay-")
        .tempdir()
        .map_err(|error| Failure::local("cannot make a temporary folder", error))?;
    let path = folder.path().join("replay.db");
    let path = path.to_str().ok_or_else(|| Failure::usage("the name of the temporary folder is not UTF-8"))?;
    // These three mean something in a URL.
    let path = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    let contender = open(&Target::parse(&format!("sqlite:{path}"))?).await?;
    Ok(Contender { label: "sqlite: (temporary file)".to_owned(), _folder: Some(folder), ..contender })
}
