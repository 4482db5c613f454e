//! What the types promise the compiler.

use std::sync::Arc;

use hallway_core::{
    Bytes, Capabilities, Cursor, DeleteIf, Entry, Error, Key, KvStore, KvStoreExt, Namespace, Page, Prefix,
    PrefixStore, SetOptions, StoreUrl, Timestamp, Ttl,
};

fn assert_send<T: Send>(_: T) {}
fn assert_shareable<T: Send + Sync + 'static>() {}

#[test]
fn values_can_be_shared_between_threads() {
    assert_shareable::<(Key, Namespace, Prefix, Cursor, Page, Entry, Error)>();
    assert_shareable::<(StoreUrl, Ttl, SetOptions, DeleteIf, Capabilities, Timestamp)>();
    assert_shareable::<Arc<dyn KvStore>>();
    assert_shareable::<PrefixStore<Arc<dyn KvStore>>>();
}

#[expect(dead_code, reason = "compiling it is the test")]
fn every_future_can_be_sent(store: &dyn KvStore, shared: Arc<dyn KvStore>, key: &Key, prefix: &Prefix) {
    let opts = SetOptions::new(Ttl::Forever);
    assert_send(store.get_entry(key));
    assert_send(store.set(key, Bytes::new(), opts));
    assert_send(store.delete_if(key, DeleteIf::Always));
    assert_send(store.touch(key, Ttl::Forever));
    assert_send(store.scan(prefix, None, 1));
    assert_send(store.time());
    assert_send(store.get(key));
    assert_send(store.delete(key));
    assert_send(store.take(key));
    assert_send(store.increment(key, 1, Ttl::Forever));
    assert_send(store.get_many(&[]));
    assert_send(store.set_many(&[]));
    assert_send(store.delete_many(&[]));
    assert_send(store.clear(prefix));
    assert_send(store.ping());
    assert_send(store.insert_if_absent(key, Bytes::new(), Ttl::Forever));
    assert_send(store.compare_and_set(key, None, Bytes::new(), Ttl::Forever));
    assert_send(store.update(key, Ttl::Forever, Ok));
    assert_send(shared.get(key));
    assert_send(shared.with_timeout(std::time::Duration::ZERO).get(key));
}
