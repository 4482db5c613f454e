//! What single operations cost at the default point: values of 256 bytes, one task, one key. Questions compose them.

use std::sync::Arc;

use crate::Result;
use crate::lab::{Backend, Lab, Shape};
use crate::load::{Op, Plan, Workload};
use crate::rounds::Point;

/// Group of reads at the default point; the axis is the size of a value.
pub const GET: &str = "P/get";
/// Group of writes at the default point.
pub const SET: &str = "P/set";
/// Size of a value at the default point.
pub(crate) const BYTES: usize = 256;

pub(super) async fn points(lab: &Lab) -> Result<Vec<Point>> {
    let workload = Arc::new(Workload::new(1_000, BYTES, 4));
    let mut points = Vec::new();
    for backend in lab.present(&Backend::ALL) {
        let lane = lab.lane(backend, Shape::Bytes, &workload).await?;
        for (group, op) in [(GET, Op::Get), (SET, Op::Set)] {
            // A cache is never written to, and what a table is logged as does not change a read.
            let is_known = matches!(
                (backend, op),
                (Backend::MokaTyped, Op::Set) | (Backend::PostgresAsync | Backend::PostgresUnlogged, Op::Get)
            );
            if !is_known {
                let plan = Plan { op, concurrency: 1, iterations: 0, latencies: false };
                points.push(Point::new(group, backend.name(), BYTES as f64, lab.cell(backend, &lane, plan)));
            }
        }
    }
    Ok(points)
}
