//! What a study must find, or must not: one backend measured twice, and one told as slower on purpose.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Lab, Shape};
use crate::Result;
use crate::load::{Op, Plan, Workload};
use crate::rounds::Point;

/// The group of controls, whose places are backends by number.
pub const GROUP: &str = "control/get";
/// A backend, the same once more, and the same told as slower: nothing is done for longer, so that it is exactly so.
pub const SERIES: [&str; 3] = ["a", "a-again", "a-slower"];
/// One backend of each kind, in the order of the places.
pub const BACKENDS: [Backend; 4] = [Backend::MokaBytes, Backend::Sqlite, Backend::RedisTcp, Backend::Postgres];
/// How much slower.
pub const SLOWER: f64 = 0.2;

/// One backend made slower: each call takes so much longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injection {
    /// Which.
    pub backend: Backend,
    /// By how much.
    pub delay: Duration,
}

impl FromStr for Injection {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (backend, delay) = text.split_once('=').ok_or("write BACKEND=MICROSECONDS, such as redis-tcp=200")?;
        let micros: u64 =
            delay.trim_end_matches("us").parse().map_err(|_| format!("{delay} is no number of microseconds"))?;
        if micros == 0 {
            return Err("a backend that takes 0 microseconds longer is the same one; name a delay".to_owned());
        }
        Ok(Self { backend: backend.parse()?, delay: Duration::from_micros(micros) })
    }
}

/// The points of the controls: get of 256 bytes, for each kind of backend.
///
/// # Errors
/// If a backend does not work.
pub async fn controls(lab: &Lab) -> Result<Vec<Point>> {
    let workload = Arc::new(Workload::new(1_000, 256, 4));
    let plan = Plan { op: Op::Get, concurrency: 1, iterations: 0, latencies: false };
    let mut points = Vec::new();
    for (index, backend) in lab.present(&BACKENDS).into_iter().enumerate() {
        let lane = lab.lane(backend, Shape::Bytes, &workload).await?;
        let cell = lab.cell(backend, &lane, plan);
        let x = (index + 1) as f64;
        points.push(Point::new(GROUP, SERIES[0], x, cell.clone()));
        points.push(Point::new(GROUP, SERIES[1], x, cell.clone()));
        points.push(Point::new(GROUP, SERIES[2], x, cell.slowed(SLOWER)));
    }
    Ok(points)
}
