//! Pictures of every kind, with crossings near each other and with a hostile name.

use hallway_study::chart::{Axis, Chart, HeatMap, Lines, Mark, Scale, Series, Spot, Style, Unit};

use crate::sample::HOSTILE;

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
