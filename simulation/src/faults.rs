//! The one thing that goes wrong, again and again while the clients work.

use std::sync::Arc;
use std::time::Duration;

use hallway_testkit::sim::{Latency, SimDirection, SimRedis, SimRng, SimSql, SqlFaults};
use hallway_tiered::TieredStats;

use crate::client::Stage;
use crate::instance::Instance;
use crate::scenario::{Fault, PROCESSES};

/// How often.
const TIMES: u32 = 3;
const TIMES_IN_LONG_TURNS: u32 = 6;

/// Causes the fault of the scenario and returns what the processes that it ended had counted.
pub(crate) async fn cause(stage: Arc<Stage>, redis: SimRedis, sql: SimSql, mut rng: SimRng) -> Vec<TieredStats> {
    let mut ended = Vec::new();
    let mut starts = PROCESSES;
    // One victim per run: two would be two faults.
    let process = rng.below(u64::from(PROCESSES)) as u32;
    let moment = |rng: &mut SimRng| rng.duration(Duration::from_millis(1)..=Duration::from_millis(1_500));
    if stage.scenario.fault == Fault::Sql {
        disturb(&sql);
    }
    let times = if stage.scenario.long_turns { TIMES_IN_LONG_TURNS } else { TIMES };
    for _ in 0..times {
        tokio::time::sleep(moment(&mut rng)).await;
        let victim = stage.instance(process);
        let while_ = rng.duration(Duration::from_millis(50)..=Duration::from_millis(4_000));
        match stage.scenario.fault {
            Fault::None | Fault::Sql => {}
            Fault::BlackHole => hole(&victim, SimDirection::Both, while_).await,
            Fault::OneWay => hole(&victim, SimDirection::ToClient, while_).await,
            Fault::Cuts if rng.chance(0.5) => victim.link.cut(),
            Fault::Cuts => victim.link.cut_one(rng.index(8)),
            Fault::LostConnections => victim.link.lose(),
            Fault::Slow => {
                victim.link.slow(Some(Duration::from_millis(20)..=Duration::from_millis(200)));
                tokio::time::sleep(while_).await;
                victim.link.heal();
            }
            Fault::Stall => victim.process.stall(while_),
            Fault::Evictions => {
                for _ in 0..20 {
                    redis.evict_any(2, |_| true);
                    tokio::time::sleep(rng.duration(Duration::ZERO..=Duration::from_millis(60))).await;
                }
            }
            Fault::Flush => redis.flush_all(),
            Fault::OutOfMemory => {
                redis.set_out_of_memory(true);
                tokio::time::sleep(while_).await;
                redis.set_out_of_memory(false);
            }
            Fault::Restart => redis.restart(),
            Fault::Kill => {
                ended.push(victim.tiers.stats());
                victim.process.kill(rng.chance(0.5));
                let number = starts;
                starts += 1;
                let again = stage.world.process(format!("p{number}"));
                let next = Instance::start(&stage.scenario, again, &redis, &sql, number);
                stage.replace(process, next.expect("the settings of a scenario are valid"));
            }
        }
    }
    ended
}

async fn hole(victim: &Instance, direction: SimDirection, while_: Duration) {
    victim.link.black_hole(direction);
    tokio::time::sleep(while_).await;
    victim.link.heal();
}

fn disturb(sql: &SimSql) {
    // Some commit long after their callers have given up, though within the server's own limit.
    let work = Latency { rare: 0.3, worst: Duration::from_millis(1_800), ..Latency::default() };
    sql.set_faults(SqlFaults::default().with_unknown(0.15).with_failed(0.05).with_work(work));
}
