//! A backend of your own, complete: every entry is a file in a folder that several processes may share.
//!
//! It implements what [`KvStore`] requires and leaves the rest to the default bodies. The conformance suite runs on it
//! in `tests/it/custom_backend.rs`; `docs/guide/writing-a-backend.md` walks through it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hallway::{
    Bytes, Capabilities, Capability, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, MAX_PAGE, Page, Prefix,
    Result, SetIf, SetOptions, SetOutcome, Timestamp, Ttl, ValueCap,
};

/// A store in a folder. A clone is another handle to the same files.
#[derive(Debug, Clone)]
pub(crate) struct FolderStore {
    folder: Arc<Path>,
    per_call: Duration,
}

impl FolderStore {
    /// Needs no folder yet, as opening a store needs no server: the first call says what is wrong.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into().into(), per_call: Duration::from_secs(5) }
    }

    /// Runs `work` on a thread that may block, under a lock that all processes on the folder take: this is what makes
    /// the conditions atomic. `late` is what it means not to be done by the deadline: `work` goes on by itself.
    async fn locked<T: Send + 'static>(
        &self,
        operation: &'static str,
        late: ErrorKind,
        work: impl FnOnce(&Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let folder = self.folder.clone();
        let task = tokio::task::spawn_blocking(move || {
            let lock = File::options().create(true).append(true).open(folder.join("lock")).map_err(refused)?;
            lock.lock().map_err(refused)?;
            work(&folder)
        });
        let result = match tokio::time::timeout(self.per_call, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(stopped)) => Err(Error::new(late, "the runtime is shutting down").with_source(stopped)),
            Err(_) => Err(Error::new(late, format!("not done within {:?}", self.per_call))),
        };
        result.map_err(|error| error.at("folder", operation))
    }
}

#[async_trait]
impl KvStore for FolderStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::all().without(Capability::LocalRead)
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        let file = file_of(key);
        self.locked("get", ErrorKind::Unavailable, move |folder| load(&folder.join(file))).await
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        // What can be refused is refused before anything is done.
        ValueCap::default().check(value.len())?;
        opts.ttl.whole_millis()?;
        let file = file_of(key);
        self.locked("set", ErrorKind::Indeterminate, move |folder| {
            let file = folder.join(file);
            let holds = match opts.condition {
                SetIf::Absent => load(&file)?.is_none(),
                SetIf::Always => true,
                SetIf::Equals(expected) => load(&file)?.is_some_and(|entry| entry.value == expected),
                SetIf::Present => load(&file)?.is_some(),
            };
            if !holds {
                return Ok(SetOutcome::ConditionNotMet);
            }
            save(&file, &value, opts.ttl).map(|()| SetOutcome::Written)
        })
        .await
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        let file = file_of(key);
        self.locked("delete", ErrorKind::Indeterminate, move |folder| {
            let file = folder.join(file);
            match (load(&file)?, when) {
                (None, _) => Ok(false),
                (Some(entry), DeleteIf::Equals(expected)) if entry.value != expected => Ok(false),
                (Some(_), _) => fs::remove_file(&file).map(|()| true).map_err(refused),
            }
        })
        .await
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        ttl.whole_millis()?;
        let file = file_of(key);
        self.locked("touch", ErrorKind::Indeterminate, move |folder| {
            let file = folder.join(file);
            let Some(entry) = load(&file)? else { return Ok(false) };
            save(&file, &entry.value, ttl).map(|()| true)
        })
        .await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid_input("a scan of 0 keys finds nothing; ask for at least 1").at("folder", "scan"));
        }
        let prefix = prefix.clone();
        let mut keys = self
            .locked("scan", ErrorKind::Unavailable, move |folder| {
                let mut keys = Vec::new();
                walk(folder, String::new(), &mut |key, file| {
                    let behind = after.as_ref().is_some_and(|after| key.as_str() <= after.as_str());
                    if !behind && prefix.matches(key.as_str()) && load(file)?.is_some() {
                        keys.push(key);
                    }
                    Ok(())
                })?;
                Ok(keys)
            })
            .await?;
        // A folder lists its files in any order, so each page looks at all of them. Fine for a small folder.
        keys.sort_unstable();
        let limit = limit.min(MAX_PAGE);
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(|last| Cursor::new(last.as_str()));
        Ok(Page { keys, next })
    }

    async fn time(&self) -> Result<Timestamp> {
        self.locked("time", ErrorKind::Unavailable, |_| Ok(Timestamp::now())).await
    }

    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(Self { per_call, ..self.clone() })
    }
}

/// The key in hexadecimal, because file systems disagree about case, dots and slashes; a long one goes through
/// folders, because a name has at most 255 bytes. Different keys have different files.
fn file_of(key: &Key) -> PathBuf {
    let parts: Vec<&[u8]> = key.as_bytes().chunks(100).collect();
    let mut path = PathBuf::new();
    for (at, part) in parts.iter().enumerate() {
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        path.push(if at + 1 == parts.len() { format!("{hex}.entry") } else { hex });
    }
    path
}

/// The live entry in a file: the deadline in eight bytes, then the value. A dead one is removed on the way; under the
/// lock no fresh one can have taken its place.
fn load(file: &Path) -> Result<Option<Entry>> {
    let content = match fs::read(file) {
        Ok(content) => Bytes::from(content),
        // The lock was opened in the folder a moment ago, so it is the entry that is missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    let Some((deadline, _)) = content.split_first_chunk() else {
        return Err(Error::new(ErrorKind::Corrupt, "an entry is cut short; set or remove it"));
    };
    let left = i64::from_be_bytes(*deadline).saturating_sub(Timestamp::now().unix_micros());
    let remaining = match u64::try_from(left) {
        _ if *deadline == FOREVER => Ttl::Forever,
        Ok(micros) if micros > 0 => Ttl::After(Duration::from_millis(micros / 1_000)),
        _ => return fs::remove_file(file).map(|()| None).map_err(refused),
    };
    Ok(Some(Entry::new(content.slice(8..), remaining)))
}

const FOREVER: [u8; 8] = i64::MAX.to_be_bytes();

/// Writes beside the old entry and renames: a reader, and a crash, sees the one or the other.
fn save(file: &Path, value: &[u8], ttl: Ttl) -> Result<()> {
    let deadline = match ttl.whole_millis()? {
        Some(millis) => (Timestamp::now().unix_micros() + millis.get() as i64 * 1_000).to_be_bytes(),
        None => FOREVER,
    };
    let new = file.with_extension("new");
    let write = || {
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&new, [&deadline[..], value].concat())?;
        fs::rename(&new, file)
    };
    write().map_err(refused)
}

/// Calls `found` with each key and its file.
fn walk(folder: &Path, above: String, found: &mut dyn FnMut(Key, &Path) -> Result<()>) -> Result<()> {
    for item in fs::read_dir(folder).map_err(refused)? {
        let path = item.map_err(refused)?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let hex = format!("{above}{name}");
        if path.is_dir() {
            walk(&path, hex, found)?;
        } else if path.extension().is_some_and(|kind| kind == "entry")
            && let Some(key) = key_of(&hex)
        {
            found(key, &path)?;
        }
    }
    Ok(())
}

fn key_of(hex: &str) -> Option<Key> {
    let digits = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Key::from_physical(&String::from_utf8(digits.collect::<Option<_>>()?).ok()?).ok()
}

/// Translates at the edge: the kind is for programs, the words are for people, and the path stays out because it
/// holds the key.
fn refused(error: io::Error) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::PermissionDenied => (ErrorKind::Unauthorized, "no permission for the folder; change its owner"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::OutOfMemory, "the disk is full"),
        io::ErrorKind::NotFound => (ErrorKind::Unavailable, "the folder is not there; make it"),
        _ => (ErrorKind::Unavailable, "the folder cannot be used"),
    };
    Error::new(kind, message).with_source(error)
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(refused)?;
    let store: Arc<dyn KvStore> = Arc::new(FolderStore::new(folder.path()));
    let key = hallway::Namespace::new("note")?.key("first")?;
    store.set(&key, "a note in a folder".into(), SetOptions::new(Duration::from_secs(60))).await?;
    println!("{:?}", store.get_entry(&key).await?);
    Ok(())
}
