//! Degradation: what callers get while the loader, or the shared tier, gives no answers.
//!
//! `cargo run --example degradation` needs no server: that is what it is about. With `--features redis` it also starts
//! with a shared tier that is not there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallway::{Cache, Config, ErrorKind};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// A service that somebody may switch off.
#[derive(Debug, Clone)]
struct Prices(Arc<AtomicBool>);

impl Prices {
    async fn price(self) -> io::Result<u64> {
        match self.0.load(Ordering::SeqCst) {
            true => Ok(42),
            false => Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the price service is down")),
        }
    }

    fn switch(&self, on: bool) {
        self.0.store(on, Ordering::SeqCst);
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    let prices = Prices(Arc::new(AtomicBool::new(true)));
    let tiers = Config::default().with_local("moka:?max=64MiB").open().await?;
    let cache: Cache<u64> = tiers
        .cache("shop:price")
        .ttl(Duration::from_millis(100))
        .jitter(0.0)
        .stale_if_error(Duration::from_secs(3_600))
        .build()?;
    let load = || {
        let prices = prices.clone();
        move || prices.price()
    };
    assert_eq!(*cache.get_or_load("apple", load()).await?, 42);

    // The loader fails and the value is past its TTL: the old one answers, marked as such, with its age.
    prices.switch(false);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let old = cache.load("apple", load()).await?;
    assert!(old.stale && *old.value == 42);
    println!("the loader fails: {} from {:?} ago", old.value, old.age);

    // Without an old value its error is the caller's: the message of the service stands behind it.
    let error = cache.get_or_load("pear", load()).await.expect_err("nothing to answer with");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    println!("nothing to fall back on: {error}");

    // Invalidated is invalidated: better no answer than one that is known to be wrong.
    cache.invalidate("apple").await?;
    assert!(cache.get_or_load("apple", load()).await.is_err());

    // A loader that hangs is given up; its callers hear of it in time.
    let slow: Cache<u64> = tiers.cache("shop:slow").hard_timeout(Duration::from_millis(50)).build()?;
    let error = slow.get_or_load("apple", std::future::pending::<io::Result<u64>>).await.expect_err("it never ends");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    println!("the loader hangs: {error}");

    // And it may panic.
    let error = slow.get_or_load("apple", || async { panics() }).await.expect_err("it panicked");
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    prices.switch(true);
    assert_eq!(*cache.get_or_load("pear", load()).await?, 42);
    println!("the loader is back");

    #[cfg(feature = "redis")]
    without_shared_tier(prices).await?;
    Ok(())
}

fn panics() -> io::Result<u64> {
    panic!("a bug in a loader, for the example's sake")
}

/// Started while Redis is absent: reads go to the loader, a local copy answers for `degraded_ttl`, and nothing waits.
#[cfg(feature = "redis")]
async fn without_shared_tier(prices: Prices) -> Result<()> {
    use hallway::TierHealth;

    // Nobody listens on this port.
    let config = Config::default().with_local("moka:?max=64MiB").with_shared("redis://127.0.0.1:1");
    let tiers = config.open().await?;
    let cache: Cache<u64> = tiers.cache("shop:price").build()?;
    for _ in 0..3 {
        let prices = prices.clone();
        assert_eq!(*cache.get_or_load("apple", move || prices.price()).await?, 42);
    }
    let health = tiers.health();
    assert_eq!((health.shared, health.is_ready()), (TierHealth::Degraded, false));
    println!("no shared tier: {} of 3 reads asked the loader; {}", cache.stats().loads, health.bound);

    // Who would rather have no write than one that others may not hear of says so.
    let strict: Cache<u64> = tiers.cache("shop:stock").strict().build()?;
    let error = strict.write("apple", || async { Ok::<_, io::Error>(()) }).await.expect_err("nobody can be told");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    println!("strict: {error}");
    Ok(())
}
