//! How often sessions are written, and how many requests a store carries.

use super::mixed::Served;
use super::visits::IDLE;
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::formulas::touch_write_share;
use crate::report::{Figure, Table};
use crate::statistics::Estimate;
use crate::study::{Found, drawn_median};

/// Requests per second of one session.
const RATES: [f64; 4] = [0.01, 0.1, 1.0, 10.0];
/// Shares of the TTL after which a load touches. 1 is the floor: a session in use then ends with its first TTL.
const TOUCH_AFTER: [f64; 4] = [0.0, 0.2, 0.5, 1.0];
/// What hallway does: a minute, or a twentieth of the TTL if that is less.
const OURS: f64 = 60.0 / IDLE.as_secs() as f64;
/// Of its capacity a store is given so much to do.
const BUSY: f64 = 0.7;

/// The case that the sentence is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Case {
    /// Requests per second of one session.
    pub(super) rate: f64,
    /// Share of the TTL after which a load touches.
    pub(super) touch_after: f64,
    /// Share of the requests that save.
    pub(super) saves: f64,
}

pub(super) const CASE: Case = Case { rate: 0.1, touch_after: 0.5, saves: 0.05 };

/// Requests per second that keep a store busy for [`BUSY`] of its time: each load, touch and save takes its part of it.
pub(super) fn most_requests(case: Case, loads: f64, touches: f64, saves: f64) -> f64 {
    let touched = touch_write_share(case.rate, IDLE.as_secs_f64(), case.touch_after);
    // What is counted as a save has the load in it.
    let of_request = (1.0 - case.saves) / loads + touched / touches + case.saves / saves;
    BUSY / of_request
}

/// The same with an interval from the slices of the measurement.
pub(super) fn fits(found: &Found<'_>, case: Case, served: &Served) -> Option<Estimate> {
    let slices = served.loads.len().min(served.touches.len()).min(served.saves.len());
    found.statistic(slices, |drawn| {
        let [loads, touches, saves] =
            [&served.loads, &served.touches, &served.saves].map(|rates| drawn_median(rates, drawn));
        most_requests(case, loads, touches, saves)
    })
}

/// Writes by touches for each session rate and share.
pub(super) fn table() -> Table {
    let row = |rate: &f64| {
        let share = |touch_after: f64| {
            let share = touch_write_share(*rate, IDLE.as_secs_f64(), touch_after);
            format!("{} ({})", Unit::Share.text(share), Unit::PerSecond.text(share * 1_000.0))
        };
        let mut cells = vec![Unit::PerSecond.text(*rate)];
        cells.extend(TOUCH_AFTER.map(share));
        cells.push(share(OURS));
        cells
    };
    let mut columns = vec!["requests of one session".to_owned()];
    columns.extend(TOUCH_AFTER.map(|share| format!("f = {share}")));
    columns.push(format!("hallway, f = {OURS:.3}"));
    Table {
        caption:
            "Requests that write because they touch, idle timeout of 30 minutes (F15); in brackets, of 1,000 requests/s"
                .to_owned(),
        columns,
        rows: RATES.iter().map(row).collect(),
    }
}

/// The same as curves.
pub(super) fn figure() -> Figure {
    let places = || (0..=24).map(|step| RATES[0] * (RATES[3] / RATES[0]).powf(f64::from(step) / 24.0));
    let curve = |label: String, touch_after: f64| Series {
        label,
        points: places()
            .map(|x| Spot { x, y: touch_write_share(x, IDLE.as_secs_f64(), touch_after), interval: None, label: None })
            .collect(),
        style: Style::Computed,
    };
    let mut series: Vec<Series> = TOUCH_AFTER.iter().map(|share| curve(format!("f = {share}"), *share)).collect();
    series.push(curve("hallway".to_owned(), OURS));
    Figure {
        name: "q14-touches".to_owned(),
        caption: "The share of the requests that write because the timeout begins anew, when a load touches only after a share f of it (F15).".to_owned(),
        chart: Chart::Lines(Lines {
            title: "Writes of sliding sessions".to_owned(),
            x: Axis { label: "requests of one session".to_owned(), unit: Unit::PerSecond, scale: Scale::Log },
            y: Axis { label: "requests that touch".to_owned(), unit: Unit::Share, scale: Scale::Log },
            series,
            marks: Vec::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_request_takes_its_part_of_the_time() {
        let is = |case, [loads, touches, saves]: [f64; 3], exact: f64| {
            let most = most_requests(case, loads, touches, saves);
            assert!((most - exact).abs() < 1e-9 * exact, "{most} {exact}");
        };
        // Without touches and saves the loads alone count.
        let never = Case { rate: f64::INFINITY, touch_after: 0.5, saves: 0.0 };
        is(never, [1_000.0, 1.0, 1.0], 700.0);
        // Every request touches: half of the time goes there.
        let always = Case { rate: 0.1, touch_after: 0.0, saves: 0.0 };
        is(always, [1_000.0, 1_000.0, 1.0], 350.0);
        // Every request saves.
        let saving = Case { saves: 1.0, ..never };
        is(saving, [1.0, 1.0, 400.0], 280.0);
    }

    #[test]
    fn the_table_has_the_figure_of_the_design() {
        let table = table();
        assert_eq!(table.rows[1][3], "1.1 % (11/s)", "one request in 10 s, f = 0.5");
        assert_eq!(table.rows[0][1], "100 % (1 k/s)");
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
    }
}
