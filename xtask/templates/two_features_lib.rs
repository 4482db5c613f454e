//! A library that uses one store through the facade and reports in words what it saw.

use hallway::{Bytes, KvStore, KvStoreExt, Namespace, SetOptions, Ttl};

/// What the store at this library's URL does, one line per observation, the same in every build.
pub async fn report() -> String {
    let store = hallway::open("@URL@").await.expect("the store this library asked for is compiled in");
    let names = Namespace::new("two:features").expect("a legal namespace");
    let key = names.key("k").expect("a legal key");
    let mut seen = String::from("@URL@\n");
    let mut note = |what: &str, saw: String| seen.push_str(&format!("  {what}: {saw}\n"));

    let hour = Ttl::After(std::time::Duration::from_secs(3600));
    note("set", format!("{:?}", store.set(&key, Bytes::from_static(b"v"), SetOptions::new(hour)).await));
    note("get", format!("{:?}", store.get(&key).await));
    note("insert over", format!("{:?}", store.insert_if_absent(&key, Bytes::new(), hour).await));
    note("increment text", format!("{:?}", store.increment(&key, 1, hour).await.map_err(|error| error.kind())));
    note("take", format!("{:?}", store.take(&key).await));
    note("get after", format!("{:?}", store.get(&key).await));
    note("clear", format!("{:?}", store.clear(&names.prefix()).await));
    note("capabilities", format!("{:?}", store.capabilities()));
    let unknown = hallway::open("@URL@@AND@no-such-option=1").await.map(drop).map_err(|error| error.kind());
    note("unknown option", format!("{unknown:?}"));
    seen
}
