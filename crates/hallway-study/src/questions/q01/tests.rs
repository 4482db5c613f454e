//! The answer to Q1 from a study made by hand.

use super::*;
use crate::report::{Status, Verdict};
use crate::study::Sample;

/// Every read a straight line over the bytes, in nanoseconds.
fn sample(lines: &[(Backend, f64, f64)]) -> Sample {
    let backends: Vec<Backend> = lines.iter().map(|(backend, ..)| *backend).collect();
    let mut sample = Sample::of(&backends);
    for (backend, at_zero, per_byte) in lines {
        for bytes in [64.0, 1_024.0, 16_384.0, 262_144.0] {
            sample.put(GROUP, backend.name(), bytes, at_zero + per_byte * bytes);
        }
    }
    sample
}

#[test]
fn the_socket_stops_winning_at_a_size_and_lines_confirm_it() {
    let sample = sample(&[
        (Backend::MokaTyped, 50.0, 0.0),
        (Backend::MokaBytes, 1e3, 2.0),
        (Backend::RedisTcp, 60e3, 2.5),
        (Backend::RedisUnix, 40e3, 3.75),
    ]);
    let findings = LocalOverShared.answer(&sample.found()).unwrap();
    assert_eq!(findings.answer.status, Status::Answered, "no question of PostgreSQL");
    let socket = findings.crossovers.iter().find(|crossover| crossover.id == "Q1/get/redis-unix/redis-tcp").unwrap();
    assert_eq!((socket.verdict, socket.metric.as_str()), (Verdict::Crossover, "median_ns"));
    assert_eq!(socket.points[0].right, "redis-tcp");
    // 60,000 + 2.5 x = 40,000 + 3.75 x.
    let check = socket.cross_check.as_ref().and_then(|check| check.x).unwrap();
    assert!((check / 16_000.0 - 1.0).abs() < 1e-6, "{check}");
    assert!((socket.points[0].x / check - 1.0).abs() < 0.1, "{:?}", socket.points);
    for crossover in &findings.crossovers[..3] {
        assert_eq!(crossover.winner.as_deref(), Some(crossover.a.as_str()), "{}", crossover.id);
    }
}

#[test]
fn each_backend_has_its_cost_for_a_byte() {
    let sample =
        sample(&[(Backend::MokaTyped, 50.0, 0.0), (Backend::MokaBytes, 1e3, 2.0), (Backend::RedisTcp, 60e3, 2.5)]);
    let findings = LocalOverShared.answer(&sample.found()).unwrap();
    let per_byte: Vec<(&str, f64)> =
        findings.fits.iter().map(|fit| (fit.backend.as_str(), fit.ns_per_byte.unwrap())).collect();
    let expected = [("moka-typed", 0.0), ("moka-bytes", 2.0), ("redis-tcp", 2.5)];
    assert_eq!(per_byte.len(), expected.len(), "{per_byte:?}");
    for ((backend, found), (name, exact)) in per_byte.iter().zip(expected) {
        assert_eq!(*backend, name);
        assert!((found - exact).abs() < 1e-9, "{backend}: {found}");
    }
    assert!((findings.fits[1].a_ns - 1e3).abs() < 1e-6 && findings.fits[1].k_rtt.is_none(), "{:?}", findings.fits);
    assert!(findings.not_measured.iter().any(|one| one.what == "Q1: redis-unix"), "{:?}", findings.not_measured);
}

#[test]
fn without_redis_both_ways_in_the_process_are_compared_and_the_remedy_is_told() {
    let sample = sample(&[(Backend::MokaTyped, 50.0, 0.0), (Backend::MokaBytes, 1e3, 2.0)]);
    let findings = LocalOverShared.answer(&sample.found()).unwrap();
    assert_eq!(findings.crossovers.len(), 1);
    assert_eq!(findings.answer.status, Status::Partly);
    assert!(findings.not_measured[0].why.contains("--start"), "{:?}", findings.not_measured);
}
