//! throwaway
use hallway_bench::contenders::redis::RawRedis;
use hallway_bench::contenders::tiers::OurCache;
use hallway_bench::*;
use std::sync::Arc;
use std::time::Instant;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let url = "redis://127.0.0.1:7399";
    let op = args[2].as_str();
    let c: usize = args[3].parse()?;
    let secs: f64 = args[4].parse()?;
    let workload =
        Arc::new(Workload::new(if op == "hit" || op == "zipf" || op == "load" { 100_000 } else { 1000 }, 1024, 1));
    let lane = if args[1] == "ours" {
        let cache = OurCache::open(workload.keys() as u64 / 10, Some(url)).await?;
        Lane::prepare_cache("ours", cache, workload.clone(), Driver::Tasks).await?
    } else {
        Lane::prepare_cache("raw", RawRedis::connect(url).await?, workload.clone(), Driver::Tasks).await?
    };
    let iterations = match op {
        "hit" => workload.keys() / c,
        "zipf" => 2000,
        _ => 500,
    } as u64;
    let op = match op {
        "hit" => Op::First,
        "zipf" => Op::Popular(10),
        _ => Op::Load,
    };
    let start = Instant::now();
    let (mut n, mut t) = (0, std::time::Duration::ZERO);
    while start.elapsed().as_secs_f64() < secs {
        let s = lane.run(Plan { op, concurrency: c, iterations, latencies: false }).await?;
        n += s.iterations;
        t += s.elapsed;
    }
    println!("{} {:.0}/s {:.2} us", n, n as f64 / t.as_secs_f64(), t.as_secs_f64() * 1e6 / n as f64);
    Ok(())
}
