//! An `Arc` of a store is that store.
//!
//! `store.get(..)` on an `Arc<dyn KvStore>` resolves to the impl below, so it must cost nothing: it hands on the boxed
//! future of the store instead of boxing one more around it, which is why the signatures of `#[async_trait]` are
//! written out here.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{
    AuthorityTier, Capabilities, Counted, Cursor, DeleteIf, Entry, Key, KvStore, LocalTier, Page, Prefix, Result,
    SetOptions, SetOutcome, SharedTier, TierName, Timestamp, Ttl,
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

macro_rules! forward {
    ($(fn $name:ident$(<$($life:lifetime),+>)?(&self $(, $arg:ident: $kind:ty)*) -> $answer:ty;)+) => {$(
        fn $name<'store, $($($life,)+)? 'answer>(&'store self $(, $arg: $kind)*) -> Answer<'answer, $answer>
        where
            'store: 'answer,
            $($($life: 'answer,)+)?
            Self: 'answer,
        {
            (**self).$name($($arg),*)
        }
    )+};
}

#[deny(clippy::missing_trait_methods)]
impl<S: KvStore + ?Sized> KvStore for Arc<S> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        (**self).with_deadline(per_call)
    }
    fn try_get(&self, key: &Key) -> Option<Bytes> {
        (**self).try_get(key)
    }
    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        (**self).direct()
    }
    fn tier(&self, name: TierName) -> Option<Arc<dyn KvStore>> {
        (**self).tier(name)
    }
    fn as_local(&self) -> Option<&dyn LocalTier> {
        (**self).as_local()
    }
    fn as_shared(&self) -> Option<&dyn SharedTier> {
        (**self).as_shared()
    }
    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        (**self).as_authority()
    }
    fn as_counted(&self) -> Option<&dyn Counted> {
        (**self).as_counted()
    }

    forward! {
        fn get_entry<'key>(&self, key: &'key Key) -> Option<Entry>;
        fn set<'key>(&self, key: &'key Key, value: Bytes, opts: SetOptions) -> SetOutcome;
        fn delete_if<'key>(&self, key: &'key Key, when: DeleteIf) -> bool;
        fn touch<'key>(&self, key: &'key Key, ttl: Ttl) -> bool;
        fn scan<'prefix>(&self, prefix: &'prefix Prefix, after: Option<Cursor>, limit: usize) -> Page;
        fn time(&self) -> Timestamp;
        fn get<'key>(&self, key: &'key Key) -> Option<Bytes>;
        fn delete<'key>(&self, key: &'key Key) -> bool;
        fn take<'key>(&self, key: &'key Key) -> Option<Bytes>;
        fn increment<'key>(&self, key: &'key Key, by: i64, ttl: Ttl) -> i64;
        fn get_many<'keys>(&self, keys: &'keys [Key]) -> Vec<Option<Bytes>>;
        fn get_entries<'keys>(&self, keys: &'keys [Key]) -> Vec<Option<Entry>>;
        fn set_many<'items>(&self, items: &'items [(Key, Bytes, Ttl)]) -> ();
        fn delete_many<'keys>(&self, keys: &'keys [Key]) -> u64;
        fn clear<'prefix>(&self, prefix: &'prefix Prefix) -> u64;
        fn ping(&self) -> ();
    }
}
