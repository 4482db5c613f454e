//! `hallway ping` on tiers: how each answers, how the link is, and what is promised.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use hallway::{Health, TierHealth, TieredStore};
use serde::Serialize;

use super::measure::{Measured, measure};
use crate::failure::Failure;
use crate::output::Output;
use crate::tier_args::Deployment;

/// How long a link may take to prove itself for the first time.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Answer {
    ready: bool,
    tiers: Vec<Row>,
    /// How long ago the link last proved that no invalidation is missing.
    proven_ms: Option<f64>,
    owed: usize,
    lag_ms: f64,
    bound: Promise,
}

#[derive(Serialize)]
struct Row {
    tier: &'static str,
    store: String,
    health: &'static str,
    #[serde(flatten)]
    measured: Option<Measured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What is promised, also as figures.
#[derive(Serialize)]
struct Promise {
    text: String,
    mode: &'static str,
    single_fault_ms: Option<f64>,
    cut_off_writer_ms: Option<f64>,
}

pub(super) async fn run(deployment: &Deployment, output: Output) -> Result<ExitCode, Failure> {
    let stores = deployment.open_stores().await?;
    let tiers = deployment.build(stores.clone())?;
    let mut rows = Vec::new();
    let mut code = 0;
    for (tier, label) in deployment.labels() {
        let store = match tier {
            "local" => &stores.local,
            "shared" => &stores.shared,
            _ => &stores.consistent,
        };
        let Some(store) = store else { continue };
        let (measured, error) = match measure(&**store).await {
            Ok(measured) => (Some(measured), None),
            Err(error) => {
                let text = error.to_string();
                // The exit code is that of the first tier that does not answer.
                code = if code == 0 { Failure::Store(error).code() } else { code };
                (None, Some(text))
            }
        };
        rows.push(Row { tier, store: label, health: "", measured, error });
    }
    let health = settled(&tiers).await;
    for row in &mut rows {
        let linked = match row.tier {
            "local" => health.local,
            "shared" => health.shared,
            _ => health.consistent,
        };
        row.health = if row.error.is_some() { "down" } else { health_name(linked) };
    }
    let answer = Answer {
        ready: rows.iter().all(|row| row.health == "ready"),
        tiers: rows,
        proven_ms: health.proven.map(millis),
        owed: health.owed,
        lag_ms: millis(health.lag),
        bound: Promise {
            text: health.bound.to_string(),
            mode: health.bound.mode.as_str(),
            single_fault_ms: health.bound.single_fault.map(millis),
            cut_off_writer_ms: health.bound.cut_off_writer.map(millis),
        },
    };
    output.answer(&answer, || text(&answer))?;
    if code == 0 && !answer.ready {
        // It answers, but its link does not come up: as good as unavailable for who relies on the bound.
        code = 3;
    }
    Ok(ExitCode::from(code))
}

/// The health once the link is up, or after a while.
async fn settled(tiers: &TieredStore) -> Health {
    let start = Instant::now();
    loop {
        let health = tiers.health();
        if health.shared != TierHealth::Degraded || start.elapsed() >= PATIENCE {
            return health;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn health_name(health: TierHealth) -> &'static str {
    match health {
        TierHealth::Absent => "absent",
        TierHealth::Degraded => "degraded",
        TierHealth::Ready => "ready",
    }
}

fn text(answer: &Answer) -> String {
    let mut lines = Vec::new();
    for row in &answer.tiers {
        lines.push(format!("{:<10}  {}", row.tier, row.store));
        lines.push(match (&row.measured, &row.error) {
            (Some(measured), _) => format!(
                "            {}; first answer {:.0} us, latency {:.0} us, clock {:+.1} ms from here",
                row.health, measured.connect_us, measured.latency_us, measured.clock_ahead_ms
            ),
            (None, error) => format!("            down: {}", error.as_deref().unwrap_or("no answer")),
        });
    }
    if let Some(proven) = answer.proven_ms {
        lines.push(format!("link        no invalidation missing up to {proven:.0} ms ago"));
    }
    if answer.owed > 0 || answer.lag_ms > 0.0 {
        lines.push(format!("owed        {} invalidations, the oldest for {:.0} ms", answer.owed, answer.lag_ms));
    }
    lines.push(format!("bound       {}", answer.bound.text));
    lines.join("\n")
}

fn millis(duration: Duration) -> f64 {
    (duration.as_micros() as f64) / 1e3
}
