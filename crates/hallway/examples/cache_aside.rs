//! Cache-aside: look, load what is missing, keep it, and answer from the copy from then on.
//!
//! `cargo run --example cache_aside` needs no server: the database is a map, the only tier is in this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallway::{Cache, Config, Load, ServedBy};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Profile {
    name: String,
}

/// Stands for the database, and counts how often it is asked.
#[derive(Debug, Clone, Default)]
struct Database {
    queries: Arc<AtomicUsize>,
}

impl Database {
    async fn profile(&self, id: &str) -> Result<Option<Profile>> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        Ok(["ada", "grace"].contains(&id).then(|| Profile { name: id.to_uppercase() }))
    }

    async fn profiles(&self, ids: Vec<String>) -> Result<HashMap<String, Profile>> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        Ok(ids.into_iter().map(|id| (id.clone(), Profile { name: id.to_uppercase() })).collect())
    }

    fn queries(&self) -> usize {
        self.queries.load(Ordering::Relaxed)
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    let database = Database::default();
    // In production: HALLWAY_LOCAL, HALLWAY_SHARED, HALLWAY_CONSISTENT or hallway.toml, and `Config::from_env()?`.
    let tiers = Config::default().with_local("moka:?max=64MiB").open().await?;
    let profiles: Cache<Profile> = tiers.cache("user:profile").ttl(Duration::from_secs(600)).build()?;
    println!("promised: {}", profiles.bound());

    // A miss asks the database, a hit does not, and shares the value instead of decoding it again.
    let load = |id: &'static str| {
        let database = database.clone();
        move || async move { database.profile(id).await }
    };
    let first = profiles.get_or_load("ada", load("ada")).await?.expect("Ada is in the database");
    let second = profiles.get_or_load("ada", load("ada")).await?.expect("and now in the cache");
    assert!(Arc::ptr_eq(&first, &second) && database.queries() == 1);
    println!("{}: {} query for two reads", first.name, database.queries());

    // That there is nothing is an answer too, and is remembered for its own short time.
    for _ in 0..2 {
        assert!(profiles.get_or_load("nobody", load("nobody")).await?.is_none());
    }
    assert_eq!(database.queries(), 2);

    // An answer can say where it comes from.
    let seen = profiles.load("ada", load("ada")).await?;
    assert_eq!((seen.tier, seen.stale), (ServedBy::Local, false));
    println!("answered by {:?}, {:?} old", seen.tier, seen.age);

    // A loader may say how long its answer is good for, or that it is good for nobody else.
    let once = || async { Ok::<_, std::io::Error>(Load::do_not_store(Profile { name: "GUEST".into() })) };
    assert!(profiles.get_or_load("guest", once).await?.is_some());
    assert!(profiles.get("guest").await?.is_none());

    // Many at once: one call of the loader for all that are missing.
    let before = database.queries();
    let all = database.clone();
    let found =
        profiles.get_or_load_many(["ada", "grace", "linus"], move |missing| async move { all.profiles(missing).await });
    let names: Vec<_> = found.await?.iter().flatten().map(|profile| profile.name.clone()).collect();
    assert_eq!(names, ["ADA", "GRACE", "LINUS"]);
    assert_eq!(database.queries(), before + 1);
    println!("{names:?} by one more query; {:?}", profiles.stats());
    Ok(())
}
