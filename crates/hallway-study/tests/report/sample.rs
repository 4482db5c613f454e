//! A report with everything that a report can have: every verdict, every kind of chart, what is missing, hostile text.

pub(crate) mod charts;

use std::collections::BTreeMap;

use hallway_study::chart::Chart;
use hallway_study::report::{
    Answer, CrossCheck, CrossingPoint, Crossover, Environment, Figure, Fit, NotMeasured, Primitive, Report, SCHEMA,
    Server, Status, StudyMode, Table, Validation, Verdict, WireProfile,
};

/// What somebody may have named a store, to see whether it is written as text.
pub(crate) const HOSTILE: &str = "</text></svg><script>alert(1)</script> & \"quotes\" 'n' [link](x) | `code` \u{1}";

fn figure(name: &str, caption: &str, chart: Chart) -> Figure {
    Figure { name: name.into(), caption: caption.into(), chart }
}

/// Every picture of the report.
pub(crate) fn figures() -> Vec<Figure> {
    vec![
        figure(
            "q1-get",
            "A typed local value costs the same at every size; whatever is encoded does not.",
            charts::ladder(),
        ),
        figure("q2-get", "Redis wins until its network costs more than SQLite's file.", charts::wire()),
        figure("q3-break-even", "The border is where both cost the same.", charts::break_even()),
        figure("q6-capacity", "The curve flattens: each doubling buys less.", charts::capacity()),
        figure("q9-frontier", "Left is fresh, low is fast.", charts::frontier()),
        figure("q11-batches", HOSTILE, charts::two_crossings()),
    ]
}

fn answer(id: &str, question: &str, rules: &[&str], figures: Vec<Figure>) -> Answer {
    Answer {
        id: id.into(),
        question: question.into(),
        status: Status::Answered,
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        figures,
        tables: vec![],
        method: "Five rounds in shuffled order, medians of medians, paired bootstrap over rounds.".into(),
        caveats: vec!["Client and server shared two cores: ratios carry over, absolute times do not.".into()],
    }
}

fn crossover(id: &str, question: &str, [a, b]: [&str; 2], verdict: Verdict, rule: &str) -> Crossover {
    Crossover {
        id: format!("{question}/{id}"),
        question: question.into(),
        metric: "median_ns".into(),
        a: a.into(),
        b: b.into(),
        axis: "value_bytes".into(),
        range: [64.0, 262_144.0],
        verdict,
        points: vec![],
        p_cross: None,
        winner: None,
        factor: None,
        beyond: None,
        side: None,
        method: "paired-loglog-bootstrap".into(),
        cross_check: None,
        rule: rule.into(),
        plot: None,
    }
}

fn point(x: f64, left: &str, right: &str) -> CrossingPoint {
    CrossingPoint { x, ci95: [x * 0.85, x * 1.2], tie_band: [x * 0.7, x * 1.4], left: left.into(), right: right.into() }
}

fn crossovers() -> Vec<Crossover> {
    let rtt = |found: Crossover| Crossover { axis: "rtt_us".into(), range: [0.0, 5_000.0], ..found };
    vec![
        Crossover {
            winner: Some("moka-typed".into()),
            factor: Some([620.0, 3_100.0]),
            plot: Some("q1-get".into()),
            ..crossover(
                "get/moka-typed/redis-tcp",
                "Q1",
                ["moka-typed", "redis-tcp"],
                Verdict::NoCrossover,
                "moka-typed wins from 64 B to 256 KiB, by 620 to 3,100 times.",
            )
        },
        crossover(
            "get/redis-unix/redis-tcp",
            "Q1",
            ["redis-unix", "redis-tcp"],
            Verdict::Equal,
            "Within 5 % of each other everywhere; choose on other grounds.",
        ),
        Crossover {
            beyond: Some("> 256 KiB".into()),
            ..crossover(
                "get/moka-bytes/redis-unix",
                "Q1",
                ["moka-bytes", "redis-unix"],
                Verdict::Inconclusive,
                "Too noisy to say; if they cross at all, it is beyond 256 KiB.",
            )
        },
        rtt(Crossover {
            points: vec![point(1_258.0, "redis-tcp", "sqlite")],
            p_cross: Some(0.991),
            cross_check: Some(CrossCheck {
                method: "fieller".into(),
                x: Some(1_301.0),
                ci95: Some([1_090.0, 1_560.0]),
            }),
            plot: Some("q2-get".into()),
            ..crossover(
                "get/sqlite/redis-tcp",
                "Q2",
                ["sqlite", "redis-tcp"],
                Verdict::Crossover,
                "SQLite reads win once the round trip to Redis is longer than 1.26 ms [1.07 ms, 1.51 ms].",
            )
        }),
        rtt(Crossover {
            cross_check: Some(CrossCheck { method: "fieller".into(), x: None, ci95: None }),
            ..crossover("set/sqlite/redis-tcp", "Q2", ["sqlite", HOSTILE], Verdict::Inconclusive, HOSTILE)
        }),
        Crossover {
            axis: "keys".into(),
            range: [1.0, 256.0],
            points: vec![
                point(3.6, "redis-tcp", "postgres"),
                point(20.0, "postgres", "redis-tcp"),
                point(90.0, "redis-tcp", "postgres"),
            ],
            cross_check: Some(CrossCheck { method: "fieller".into(), x: Some(4.0), ci95: None }),
            ..crossover(
                "batch/redis-tcp/postgres",
                "Q11",
                ["redis-tcp", "postgres"],
                Verdict::Multiple,
                "They change places three times, where the batch outgrows a page.",
            )
        },
    ]
}

fn numbers() -> Table {
    let row = |cells: [&str; 9]| cells.map(str::to_owned).into();
    Table {
        caption: "Median per get, with its 95 % interval".into(),
        columns: ["backend", "64 B", "256 B", "1 KiB", "4 KiB", "16 KiB", "64 KiB", "256 KiB", "remark"]
            .map(Into::into)
            .into(),
        rows: vec![
            row(["moka-typed", "41 ns", "41 ns", "42 ns", "41 ns", "41 ns", "41 ns", "41 ns", "nothing is decoded"]),
            row(["redis-tcp", "42 us", "42.1 us", "42.4 us", "43.7 us", "48.7 us", "68.9 us", "149 us", HOSTILE]),
        ],
    }
}

fn environment() -> Environment {
    let settings = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let server = |name: &str, version: &str, origin: &str, pairs: &[(&str, &str)]| Server {
        name: name.into(),
        version: version.into(),
        origin: origin.into(),
        settings: settings(pairs),
    };
    Environment {
        cpu: "Example Processor 9000 at 3.2 GHz".into(),
        cores: 2,
        governor: None,
        kernel: "Linux 6.1".into(),
        hallway: "0.1.0".into(),
        git: Some("813124c".into()),
        toolchain: Some("rustc 1.94.0, release".into()),
        load: [Some(0.21), Some(1.4)],
        steal: Some(0.004),
        placement: "shared".into(),
        filesystem: Some("ext4".into()),
        noise_floor: Some(0.031),
        servers: vec![
            server("redis", "7.0.15", "started", &[("appendonly", "no"), ("maxmemory-policy", "noeviction")]),
            server("sqlite", "3.46.0", "in this process", &[("journal_mode", "wal"), ("synchronous", "normal")]),
        ],
    }
}

fn validation(scenario: &str, predicted_ns: f64, measured_ns: f64) -> Validation {
    let ratio = predicted_ns / measured_ns;
    Validation { scenario: scenario.into(), predicted_ns, measured_ns, ratio, formulas: "F2, F7, F8".into() }
}

/// The whole report.
pub(crate) fn report() -> Report {
    let pictures = figures();
    let picture = |name: &str| pictures.iter().filter(|figure| figure.name == name).cloned().collect::<Vec<_>>();
    Report {
        schema: SCHEMA.into(),
        mode: StudyMode::Quick,
        started: "2026-11-26T10:00:00Z".into(),
        seed: 42,
        rounds: 5,
        env: environment(),
        slower: None,
        warnings: vec![
            "The load before the study was 0.6 per core; more than 0.3 makes times uncertain.".into(),
            HOSTILE.into(),
        ],
        answers: vec![
            Answer {
                tables: vec![numbers()],
                ..answer(
                    "Q1",
                    "What does a local tier buy over Redis, by size of the value?",
                    &[
                        "A typed local value is read 1,030 times faster than from Redis at 256 B; no crossover up to 256 KiB.",
                        "Encoded bytes in the local tier throw most of that away above 64 KiB.",
                    ],
                    picture("q1-get"),
                )
            },
            answer(
                "Q2",
                "SQLite in this process, or Redis over a network?",
                &["SQLite reads win once the round trip to Redis is longer than 1.26 ms [1.07 ms, 1.51 ms]."],
                picture("q2-get"),
            ),
            answer(
                "Q3",
                "When does a Redis cache before the database pay?",
                &["Before a read of 1 ms the cache pays above a hit ratio of 0.1."],
                picture("q3-break-even"),
            ),
            answer(
                "Q6",
                "How large must the local tier be?",
                &["90 % of the gain are had with 4,096 entries (3.1 MiB)."],
                picture("q6-capacity"),
            ),
            answer(
                "Q9",
                "Which TTL for how much staleness?",
                &["1 % of stale hits needs a TTL of at most 40 ms, or the bus."],
                picture("q9-frontier"),
            ),
            Answer { status: Status::Partly, ..answer("Q11", HOSTILE, &[HOSTILE], picture("q11-batches")) },
            Answer { status: Status::NotMeasured, ..answer("Q16", "Is single-flight worth it?", &[], vec![]) },
        ],
        crossovers: crossovers(),
        primitives: vec![
            Primitive {
                backend: "redis-tcp".into(),
                op: "get".into(),
                bytes: 256,
                tasks: 1,
                batch: 1,
                rtt_us: 0.0,
                median_ns: 42_105.0,
                ci95: [41_200.0, 43_310.0],
            },
            Primitive {
                backend: "postgres-unlogged".into(),
                op: "get_many".into(),
                bytes: 256,
                tasks: 4,
                batch: 64,
                rtt_us: 1_000.0,
                median_ns: 1_402_105.5,
                ci95: [1_301_000.0, 1_500_000.0],
            },
        ],
        wire: vec![WireProfile {
            backend: "redis-tcp".into(),
            op: "get".into(),
            batch: 1,
            round_trips: 1,
            wire_bytes: [58, 266],
        }],
        fits: vec![
            Fit {
                backend: "redis-tcp".into(),
                op: "get".into(),
                a_ns: 42_000.0,
                ns_per_byte: Some(0.41),
                k_rtt: Some(1.0),
            },
            Fit { backend: "sqlite".into(), op: "get".into(), a_ns: 11_000.0, ns_per_byte: None, k_rtt: None },
        ],
        validation: vec![
            validation("orm-busy, L1 1,000, L2 10,000, 5 % writes", 310_000.0, 295_000.0),
            validation("web12, L1 1,000, no L2", 500_000.0, 350_000.0),
        ],
        not_measured: vec![
            NotMeasured {
                what: "postgres".into(),
                why: "No server was found; give one with --postgres URL, or let --start start one.".into(),
            },
            NotMeasured { what: HOSTILE.into(), why: HOSTILE.into() },
            NotMeasured { what: "Q16".into(), why: "Asked for were Q1 to Q11 alone; leave out --only.".into() },
        ],
    }
}
