//! Finding a subject's sessions without the list of them.

use hallway_core::{Error, ErrorKind, Result, Timestamp};

use crate::handle::Handle;
use crate::record::Record;
use crate::sessions::Inner;

/// Records read at a time.
const PAGE: usize = 500;

/// So many pages are looked through: five million sessions.
const PAGES: usize = 10_000;

impl Inner {
    /// The sessions of a subject, oldest first, looked for among all. Those that begin meanwhile may be missing: whoever
    /// changes the list afterwards notices them by their having changed it first.
    pub(crate) async fn sessions_of(&self, subject: &str) -> Result<Vec<Handle>> {
        let prefix = self.places.namespace().prefix();
        let mut found: Vec<(Timestamp, Handle)> = Vec::new();
        let mut after = None;
        for _ in 0..PAGES {
            let page = self.store.scan(&prefix, after.take(), PAGE).await?;
            let records: Vec<_> = page
                .keys
                .iter()
                .filter(|key| key.namespace_str() == self.places.namespace().as_str())
                .filter_map(|key| Some((key.clone(), Handle::parse(&key.id()).ok()?)))
                .collect();
            let (keys, handles): (Vec<_>, Vec<_>) = records.into_iter().unzip();
            let values = self.store.get_many(&keys).await?;
            for (handle, value) in handles.into_iter().zip(values) {
                let Some(value) = value else { continue };
                let Ok(record) = Record::read(&value, &handle, &self.sealer) else { continue };
                if record.subject.as_deref() == Some(subject) {
                    found.push((record.made, handle));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => {
                    found.sort();
                    found.dedup();
                    return Ok(found.into_iter().map(|(_, handle)| handle).collect());
                }
            }
        }
        Err(Error::new(
            ErrorKind::Corrupt,
            "the list of a subject's sessions is damaged, and there are too many to look for them",
        ))
    }
}
