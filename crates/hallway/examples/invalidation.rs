//! Invalidation: after a change nobody reads what was before, not even from a load that began earlier.
//!
//! `cargo run --example invalidation` needs no server. With a shared tier the same calls reach every instance.

use std::sync::{Arc, Mutex};

use hallway::{Cache, Config, Load};
use tokio::sync::oneshot;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Stands for the database: one name.
type Database = Arc<Mutex<String>>;

fn read(database: &Database) -> String {
    database.lock().expect("nobody panics while holding it").clone()
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    let database: Database = Arc::new(Mutex::new("Ada".to_owned()));
    let tiers = Config::default().with_local("moka:?max=64MiB").open().await?;
    let names: Cache<String> = tiers.cache("user:name").build()?;
    let load = || {
        let database = Arc::clone(&database);
        move || async move { Ok::<_, std::io::Error>(read(&database)) }
    };
    assert_eq!(*names.get_or_load("42", load()).await?, "Ada");

    // A write through the cache: a marker, the write, the end of every copy. The next read finds what was written.
    let row = Arc::clone(&database);
    names
        .write("42", move || async move {
            *row.lock().expect("nobody panics while holding it") = "Grace".to_owned();
            Ok::<_, std::io::Error>(())
        })
        .await?;
    assert_eq!(*names.get_or_load("42", load()).await?, "Grace");
    println!("written through the cache: the next read finds it");

    // Somebody else has changed the row: say so. Until then, and for no longer than the TTL, the old value answers.
    *database.lock().expect("nobody panics while holding it") = "Linus".to_owned();
    assert_eq!(*names.get_or_load("42", load()).await?, "Grace");
    names.invalidate("42").await?;
    assert_eq!(*names.get_or_load("42", load()).await?, "Linus");
    println!("changed elsewhere: found after `invalidate`");

    // The race that plain cache-aside loses. A loader has read the old row and is slow to say so; the row changes and is
    // invalidated meanwhile. Its late answer is for those who already waited, and is never kept.
    names.invalidate("42").await?;
    let (has_read, reading) = oneshot::channel();
    let (go_on, waiting) = oneshot::channel::<()>();
    let (cache, row) = (names.clone(), Arc::clone(&database));
    let slow = tokio::spawn(async move {
        let loader = move || async move {
            let old = read(&row);
            // Neither end goes away before the other.
            let _ = has_read.send(());
            let _ = waiting.await;
            Ok::<_, std::io::Error>(old)
        };
        cache.get_or_load("42", loader).await
    });
    reading.await?;
    *database.lock().expect("nobody panics while holding it") = "Alan".to_owned();
    names.invalidate("42").await?;
    let _ = go_on.send(());
    println!("a load that was under way brings {:?}", slow.await??);
    assert_eq!(*names.get_or_load("42", load()).await?, "Alan", "the late answer was not kept");

    // Many at once by a tag, or the whole namespace: one counter is replaced, however many values there are.
    for id in ["1", "2", "3"] {
        let member =
            move || async move { Ok::<_, std::io::Error>(Load::store(format!("member {id}")).with_tags(["team:7"])) };
        names.get_or_load(id, member).await?;
    }
    names.invalidate_tag("team:7").await?;
    assert!(names.get("1").await?.is_none() && names.get("3").await?.is_none());
    assert!(names.get("42").await?.is_some(), "it has no such tag");
    names.clear().await?;
    assert!(names.get("42").await?.is_none());
    println!("gone by tag, and by namespace");
    Ok(())
}
