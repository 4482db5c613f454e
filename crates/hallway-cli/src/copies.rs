//! Looking at the copies in a shared tier, page by page.

use bytes::Bytes;
use hallway::{CopyHeader, CopyView, Cursor, Key, KvStore, Prefix, Result};

/// Keys asked for at once.
pub(crate) const PAGE: usize = 512;

/// What stands under the key of one copy.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A copy that can be compared with the consistent tier, under its own key.
    Plain(Key, CopyHeader, Bytes),
    /// A copy of what a loader gave, which only the application knows.
    Loaded,
    Lease,
    Markers,
    /// Nothing any more, or no copy at all.
    Nothing,
}

/// Goes through the keys of copies.
#[derive(Debug)]
pub(crate) struct Walk {
    prefix: Prefix,
    after: Option<Cursor>,
}

impl Walk {
    /// Below a prefix of what was copied.
    pub(crate) fn new(prefix: &Prefix) -> Result<Self> {
        Ok(Self { prefix: prefix.namespace().within(&CopyView::namespace())?.prefix(), after: None })
    }

    /// The next keys of copies; `None` behind the last page, after which it begins again.
    pub(crate) async fn next(&mut self, shared: &dyn KvStore, limit: usize) -> Result<Option<Vec<Key>>> {
        let page = shared.scan(&self.prefix, self.after.clone(), limit).await?;
        // An empty page that leads back to itself would never end.
        let stuck = page.keys.is_empty() && page.next == self.after;
        self.after = page.next.filter(|_| !stuck);
        Ok(if self.after.is_none() && page.keys.is_empty() { None } else { Some(page.keys) })
    }

    /// Whether the last page has been given.
    pub(crate) fn is_over(&self) -> bool {
        self.after.is_none()
    }
}

/// Reads what stands under these keys, without any effect on it.
pub(crate) async fn look(shared: &dyn KvStore, copies: &[Key]) -> Result<Vec<Seen>> {
    let found = shared.get_many(copies).await?;
    Ok(copies.iter().zip(found).map(|(key, bytes)| bytes.map_or(Seen::Nothing, |bytes| seen(key, &bytes))).collect())
}

fn seen(copy: &Key, bytes: &Bytes) -> Seen {
    match (CopyView::source(copy), CopyView::parse(bytes)) {
        (Some(key), Ok(CopyView::Value(header, payload))) if header.is_plain() => Seen::Plain(key, header, payload),
        (_, Ok(CopyView::Value(..))) => Seen::Loaded,
        (_, Ok(CopyView::Lease(_))) => Seen::Lease,
        (_, Ok(CopyView::Markers(_))) => Seen::Markers,
        _ => Seen::Nothing,
    }
}
