//! Stampedes: many callers, one load; and a value that is refreshed before anybody has to wait for it.
//!
//! `cargo run --example stampede` needs no server. With a shared tier one load serves all instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallway::{Cache, Config, ErrorKind};
use tokio::task::JoinSet;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// A report that takes a while, and says how often it was made.
#[derive(Debug, Clone, Default)]
struct Report(Arc<AtomicUsize>);

impl Report {
    async fn make(self) -> Result<usize, std::io::Error> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn made(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    let tiers = Config::default().with_local("moka:?max=64MiB").open().await?;

    // A thousand callers find nothing at the same time. One of them loads, in a task of its own.
    let report = Report::default();
    let reports: Cache<usize> = tiers.cache("report").build()?;
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let (reports, report) = (reports.clone(), report.clone());
        callers.spawn(async move { reports.get_or_load("today", move || report.make()).await });
    }
    for answer in callers.join_all().await {
        assert_eq!(*answer?, 1);
    }
    assert_eq!(report.made(), 1);
    println!("1,000 callers, {} load; {} joined it", report.made(), reports.stats().joined);

    // Whoever began the load may go away: it goes on for the others.
    let slow = report.clone();
    let gone = tokio::time::timeout(Duration::from_millis(5), reports.get_or_load("weekly", move || slow.make())).await;
    assert!(gone.is_err(), "the caller lost patience");
    let other = report.clone();
    assert_eq!(*reports.get_or_load("weekly", move || other.make()).await?, 2);
    assert_eq!(report.made(), 2);
    println!("a caller left, his load served the next one");

    // Past its TTL the old value answers at once while one load replaces it.
    let hot: Cache<usize> = tiers
        .cache("report:hot")
        .ttl(Duration::from_millis(100))
        .jitter(0.0)
        .stale_while_revalidate(Duration::from_secs(60))
        .build()?;
    let fresh = report.clone();
    let first = *hot.get_or_load("now", move || fresh.make()).await?;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let next = report.clone();
    let answer = hot.load("now", move || next.make()).await?;
    assert!(answer.stale && *answer.value == first);
    println!("past its TTL it answered at once, {:?} old", answer.age);
    let mut refreshed = first;
    for _ in 0..500 {
        refreshed = *hot.get("now").await?.expect("it answers all the while");
        if refreshed > first {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refreshed > first, "one refresh went on in the background");

    // And no more loads at a time than the database can bear: who would have to wait too long is told so.
    let few: Cache<usize> = tiers
        .cache("report:few")
        .max_loads(1)
        .queue_max(Duration::from_millis(10))
        .hard_timeout(Duration::from_secs(5))
        .build()?;
    let mut crowd = JoinSet::new();
    for id in 0..3 {
        let (few, report) = (few.clone(), report.clone());
        crowd.spawn(async move {
            let long = move || async move {
                tokio::time::sleep(Duration::from_millis(500)).await;
                report.make().await
            };
            few.get_or_load(&id.to_string(), long).await
        });
    }
    let answers = crowd.join_all().await;
    let refused = answers.iter().filter(|answer| answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::Overloaded));
    println!("{} of 3 loads were refused instead of queueing for ever", refused.clone().count());
    assert_eq!(refused.count(), 2);
    Ok(())
}
