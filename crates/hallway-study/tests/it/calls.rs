//! What is supposed of a backend that is slower rests on how often points call it: the wire says whether they do.

use std::time::Duration;

use hallway_study::lab::{Backend, Choice, Choices, Injection, Lab};
use hallway_study::placement::Placement;
use hallway_study::report::StudyMode;
use hallway_study::rounds::Cell;
use hallway_study::study::{Depth, questions, tier_points};
use hallway_testkit::FaultProxy;
use hallway_testkit::servers::{RedisOptions, RedisServer};
use tempfile::TempDir;

const DELAY: Duration = Duration::from_millis(1);
/// Whole cycles of the longest mix fit into a test of seconds.
const ITERATIONS: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_called_as_often_as_points_say() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let out = TempDir::new().unwrap();
    let redis = Choice::Url(format!("redis://{}", proxy.addr()));
    let lab = Lab::open(&Choices { redis, postgres: Choice::Start, placement: Placement::Shared }, out.path(), None)
        .await
        .unwrap();
    let lab = lab.supposing(Some(Injection { backend: Backend::RedisTcp, delay: DELAY }));
    let mut points = tier_points(&lab).await.unwrap();
    for question in questions().into_iter().filter(|question| ["Q3", "Q4", "Q11"].contains(&question.id())) {
        points.extend(question.points(&lab, Depth { mode: StudyMode::Quick, seed: 3 }).await.unwrap());
    }
    let mut calling = 0;
    // How many round trips joined calls share depends on who is ready when.
    for point in points.into_iter().filter(|point| point.id.series != "redis-joined") {
        // An iteration of a mix is one request of a cycle.
        let cycle = if point.id.group == "Q4/request" { point.id.x.parse::<f64>().unwrap() + 1.0 } else { 1.0 };
        let warm_up = if cycle > 1.0 { (300.0 / cycle).ceil() as u64 } else { 20 };
        point.cell.run(warm_up).await.unwrap();
        let before = proxy.stats().round_trips;
        point.cell.run(ITERATIONS).await.unwrap();
        let seen = (proxy.stats().round_trips - before) as f64 / ITERATIONS as f64 / cycle;
        let said = point.cell.supposed().as_secs_f64() / DELAY.as_secs_f64();
        // A heartbeat now and then, what takes pages out of the cache again, and keys by chance.
        assert!((seen - said).abs() <= 0.1 + 0.06 * said, "{}: says {said} calls, makes {seen}", point.id);
        calling += u32::from(said > 0.0);
    }
    assert!(calling >= 15, "{calling}");
    lab.clear().await.unwrap();
}

/// A cell that is made of another one takes as much longer as that does.
#[tokio::test]
async fn what_is_supposed_goes_with_the_cell() {
    let cell = Cell::new(|iterations| async move { Ok(Duration::from_nanos(iterations)) });
    let cell = cell.supposing(DELAY).supposing(DELAY);
    assert_eq!(cell.supposed(), 2 * DELAY);
    assert_eq!(cell.delayed(DELAY).supposed(), 2 * DELAY);
    assert_eq!(cell.slowed(0.5).supposed(), 3 * DELAY);
    assert_eq!(cell.run(7).await.unwrap(), Duration::from_nanos(7), "nothing is added to what is measured");
}
