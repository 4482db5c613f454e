//! The first look: open a store, keep a typed value, let one of many win, count.
//!
//! `cargo run --example quickstart` needs no server. Another URL, another place for the same state.

use std::time::Duration;

use hallway::{Json, KvStore, KvStoreExt, Namespace, Result, SetOptions, Ttl};

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Profile {
    name: String,
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    // Or `sqlite:app.db`, `redis://host/0`, `postgres://host/db`.
    let store = hallway::open("moka:?max=64MiB").await?;
    let hour = Duration::from_secs(3600);

    let ada = Namespace::new("user:profile")?.key("42")?;
    store.set_as::<Json, _>(&ada, &Profile { name: "Ada".into() }, SetOptions::new(hour)).await?;
    let profile: Option<Profile> = store.get_as::<Json, _>(&ada).await?;
    assert_eq!(profile, Some(Profile { name: "Ada".into() }));

    let lock = Namespace::new("job")?.key("nightly-report")?;
    assert!(store.insert_if_absent(&lock, "instance-1".into(), hour.into()).await?);
    assert!(!store.insert_if_absent(&lock, "instance-2".into(), hour.into()).await?);

    let visits = Namespace::new("visits")?.key("home")?;
    println!("visit number {}", store.increment(&visits, 1, Ttl::Forever).await?);
    Ok(())
}
