//! A report with everything that a report can have: every verdict, every kind of chart, what is missing, hostile text.

use std::collections::BTreeMap;

use hallway_study::chart::{Axis, Chart, HeatMap, Lines, Mark, Scale, Series, Spot, Style, Unit};
use hallway_study::report::{
    Answer, CrossCheck, CrossingPoint, Crossover, Environment, Figure, Fit, NotMeasured, Primitive, Report, SCHEMA,
    Server, Status, StudyMode, Table, Validation, Verdict, WireProfile,
};

/// What somebody may have named a store, to see whether it is written as text.
pub(crate) const HOSTILE: &str = "</text></svg><script>alert(1)</script> & \"quotes\" 'n' [link](x) | `code` \u{1}";

pub(crate) fn axis(label: &str, unit: Unit, scale: Scale) -> Axis {
    Axis { label: label.into(), unit, scale }
}

pub(crate) fn spot(x: f64, y: f64) -> Spot {
    Spot { x, y, interval: None, label: None }
}

fn curve(label: &str, style: Style, xs: &[f64], y: impl Fn(f64) -> f64) -> Series {
    // A share is no more than a whole.
    let around = |y: f64| [y * 0.94, if y < 1.0 { (y * 1.07).min(1.0) } else { y * 1.07 }];
    let spots =
        xs.iter().map(|x| Spot { interval: (style == Style::Measured).then(|| around(y(*x))), ..spot(*x, y(*x)) });
    Series { label: label.into(), points: spots.collect(), style }
}

/// Like Q1: four curves over sizes, both sides by logarithm.
pub(crate) fn ladder() -> Chart {
    let sizes: Vec<f64> = (3..=9).map(|power| 4_f64.powi(power)).collect();
    Chart::Lines(Lines {
        title: "Reading one value, by its size".into(),
        x: axis("bytes of the value", Unit::Bytes, Scale::Log),
        y: axis("median per get", Unit::Nanos, Scale::Log),
        series: vec![
            curve("moka-typed", Style::Measured, &sizes, |_| 41.0),
            curve("moka-bytes", Style::Measured, &sizes, |bytes| 120.0 + bytes * 0.4),
            curve("redis-unix", Style::Measured, &sizes, |bytes| 31_000.0 + bytes * 0.35),
            curve("redis-tcp", Style::Measured, &sizes, |bytes| 42_000.0 + bytes * 0.41),
        ],
        marks: vec![],
    })
}

/// Like Q2: a crossing with its interval and tie band, curves that are computed, one that is hostile.
pub(crate) fn wire() -> Chart {
    let rtts: Vec<f64> = (0..=10).map(|step| f64::from(step) * 500.0).collect();
    let few = [0.0, 1_150.0, 2_160.0];
    Chart::Lines(Lines {
        title: "SQLite in process or Redis over a network, by round trip".into(),
        x: axis("round trip to Redis", Unit::Micros, Scale::Linear),
        y: axis("median per get", Unit::Micros, Scale::Linear),
        series: vec![
            curve("sqlite", Style::Measured, &few, |_| 1_310.0),
            curve("redis-tcp", Style::Measured, &few, |rtt| 52.0 + rtt),
            curve("redis by formula", Style::Computed, &rtts, |rtt| 52.0 + rtt),
            curve(HOSTILE, Style::Computed, &rtts, |rtt| 700.0 + rtt / 3.0),
        ],
        marks: vec![Mark {
            x: 1_258.0,
            interval: Some([1_110.0, 1_420.0]),
            tie_band: Some([980.0, 1_600.0]),
            label: "x* =".into(),
            left: Some("redis-tcp".into()),
            right: Some("sqlite".into()),
        }],
    })
}

/// Like Q3: the ratio of two costs over two axes, one cell unknown.
pub(crate) fn break_even() -> Chart {
    let xs: Vec<f64> = (0..=10).map(|step| f64::from(step) / 10.0).collect();
    let ys = [50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 20_000.0];
    let ratio = |h: f64, t3: f64| (60.0 + (1.0 - h) * (t3 + 40.0)) / t3;
    let mut cells: Vec<Vec<_>> =
        ys.iter().map(|t3| xs.iter().map(|h| Some(ratio(*h, *t3))).collect::<Vec<_>>()).collect();
    cells[7][0] = None;
    Chart::HeatMap(HeatMap {
        title: "A cache before the database: when does it pay?".into(),
        x: axis("hit ratio", Unit::Ratio, Scale::Linear),
        y: axis("cost of a database read", Unit::Micros, Scale::Log),
        xs,
        ys: ys.to_vec(),
        cells,
        border: 1.0,
        below: "the cache pays".into(),
        above: "the database alone is faster".into(),
        curve: vec![],
    })
}

/// Like Q9: one dot for each architecture.
pub(crate) fn frontier() -> Chart {
    let dots = [
        ("database", 1_100.0, 0.0),
        ("L2 Redis", 410.0, 0.000_4),
        ("L1 with bus + L2", 190.0, 0.000_9),
        ("L1 with TTL 50 ms", 260.0, 0.012),
        ("L1 with TTL 1 s", 175.0, 0.21),
        ("L1 with TTL 5 s", 171.0, 0.55),
        ("L1 alone", 168.0, 0.56),
    ];
    let points = dots.map(|(label, mean, stale)| Spot {
        interval: Some([mean * 0.9, mean * 1.1]),
        label: Some(label.into()),
        ..spot(stale, mean)
    });
    Chart::Lines(Lines {
        title: "The price of freshness".into(),
        x: axis("share of stale hits", Unit::Share, Scale::Linear),
        y: axis("mean per read", Unit::Micros, Scale::Log),
        series: vec![Series { label: "architectures".into(), points: points.into(), style: Style::Dots }],
        marks: vec![],
    })
}

/// Like Q6: three hit-ratio curves that lie close together.
pub(crate) fn capacity() -> Chart {
    let sizes: Vec<f64> = (6..=16).map(|power| f64::from(1 << power)).collect();
    let hit = |c: f64, bend: f64| 0.985 * (1.0 - (-(c / bend).powf(0.42)).exp());
    Chart::Lines(Lines {
        title: "How large must the local tier be? Shop objects, busy day".into(),
        x: axis("entries", Unit::Count, Scale::Log),
        y: axis("hit ratio", Unit::Share, Scale::Linear),
        series: vec![
            curve("clairvoyant", Style::Computed, &sizes, |c| hit(c, 260.0)),
            curve("moka", Style::Measured, &sizes, |c| hit(c, 620.0)),
            curve("LRU", Style::Computed, &sizes, |c| hit(c, 700.0)),
        ],
        marks: vec![Mark {
            x: 4_096.0,
            interval: None,
            tie_band: None,
            label: "90 % of the gain at".into(),
            left: None,
            right: None,
        }],
    })
}

/// Two crossings close to each other, so that what is written above them needs two rows.
pub(crate) fn two_crossings() -> Chart {
    let batches = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
    let mark = |x: f64, left: &str, right: &str| Mark {
        x,
        interval: Some([x * 0.9, x * 1.15]),
        tie_band: Some([x * 0.75, x * 1.3]),
        label: String::new(),
        left: Some(left.into()),
        right: Some(right.into()),
    };
    Chart::Lines(Lines {
        title:
            "One SQL query or many gets, by keys in a batch, with a title that is too long for one line of a picture"
                .into(),
        x: axis("keys", Unit::Count, Scale::Log),
        y: axis("median per batch", Unit::Micros, Scale::Log),
        series: vec![
            curve("redis-tcp one by one", Style::Measured, &batches, |n| 45.0 * n),
            curve("redis-tcp MGET", Style::Measured, &batches, |n| 44.0 + 0.6 * n),
            curve("postgres IN", Style::Measured, &batches, |n| 160.0 + 0.9 * n),
            curve("sqlite IN", Style::Measured, &batches, |n| 14.0 + 2.1 * n),
        ],
        marks: vec![mark(3.6, "redis-tcp one by one", "postgres IN"), mark(20.0, "sqlite IN", "redis-tcp MGET")],
    })
}

fn figure(name: &str, caption: &str, chart: Chart) -> Figure {
    Figure { name: name.into(), caption: caption.into(), chart }
}

/// Every picture of the report.
pub(crate) fn figures() -> Vec<Figure> {
    vec![
        figure("q1-get", "A typed local value costs the same at every size; whatever is encoded does not.", ladder()),
        figure("q2-get", "Redis wins until its network costs more than SQLite's file.", wire()),
        figure("q3-break-even", "The border is where both cost the same.", break_even()),
        figure("q6-capacity", "The curve flattens: each doubling buys less.", capacity()),
        figure("q9-frontier", "Left is fresh, low is fast.", frontier()),
        figure("q11-batches", HOSTILE, two_crossings()),
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
        load: [0.21, 1.4],
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
