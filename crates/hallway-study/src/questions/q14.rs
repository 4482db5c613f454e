//! Q14: where sessions belong.

mod costs;
mod fit;
mod killed;
mod mixed;
mod visits;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use self::costs::{middle, rounds};
use self::fit::{CASE, fits};
use self::killed::Killed;
use self::mixed::{MIXES, Served};
use self::visits::Visits;
use crate::Result;
use crate::chart::{Scale, Unit};
use crate::formulas::mean_of_requests;
use crate::lab::{Backend, Lab};
use crate::report::{StudyMode, Table, Validation};
use crate::rounds::Point;
use crate::statistics::Curves;
use crate::study::{APART, BESIDE, BYTES, Depth, Findings, Found, MEAN, Pairing, Question, Run, common_rounds};

const LOAD: &str = "Q14/load";
/// A load with a touch that is due.
const SLIDE: &str = "Q14/slide";
const SAVE: &str = "Q14/save";
const BACKENDS: [Backend; 4] = [Backend::MokaBytes, Backend::Sqlite, Backend::RedisTcp, Backend::Postgres];
const KILL_REDIS: &str = "kill-redis";
const KILL_POSTGRES: &str = "kill-postgres";

#[derive(Debug)]
pub(super) struct SessionsBelong;

#[async_trait]
impl Question for SessionsBelong {
    fn id(&self) -> &'static str {
        "Q14"
    }

    fn asks(&self) -> &'static str {
        "Where do sessions belong?"
    }

    async fn points(&self, lab: &Lab, _depth: Depth) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        for backend in lab.present(&BACKENDS) {
            let store = lab.store(backend).await?;
            let visits = Visits::begin(lab, &store).await?;
            for (group, cell, calls) in
                [(LOAD, visits.loads(), 1.0), (SLIDE, visits.slides(), 2.0), (SAVE, visits.saves(), 1.0)]
            {
                points.push(Point::new(group, backend.name(), BYTES as f64, lab.injected(backend, cell, calls)));
            }
        }
        Ok(points)
    }

    fn runs(&self, lab: &Lab, depth: Depth) -> Vec<Run> {
        let served = lab.present(&BACKENDS).into_iter();
        let mut runs: Vec<Run> = served.map(|backend| Run::new(backend.name(), depth.pick(1.7, 13.0))).collect();
        if lab.redis().is_some_and(|redis| redis.started().is_some()) {
            runs.push(Run::new(KILL_REDIS, 1.0));
        }
        // Another PostgreSQL takes seconds to be made.
        if depth.mode == StudyMode::Full && lab.postgres().is_some_and(|postgres| postgres.started().is_some()) {
            runs.push(Run::new(KILL_POSTGRES, 8.0));
        }
        runs
    }

    async fn run(&self, name: &str, lab: &Lab, depth: Depth) -> Result<Value> {
        Ok(match name {
            KILL_REDIS => serde_json::to_value(killed::redis(lab.placement()).await?)?,
            KILL_POSTGRES => serde_json::to_value(killed::postgres(lab.placement(), &["on", "off"]).await?)?,
            backend => {
                let [mix, slice] = depth.pick([0.2, 0.08], [2.0, 0.6]).map(Duration::from_secs_f64);
                serde_json::to_value(mixed::serve(lab, backend.parse()?, mix, slice).await?)?
            }
        })
    }

    fn answer(&self, found: &Found<'_>) -> Result<Findings> {
        let mut findings = Findings::new(
            self,
            "hallway's Sessions with records of about 256 bytes: loads that need not touch, loads that must, and saves by compare-and-set, by one task; a crowd of 16 for the capacity",
        );
        self.capacities(found, &mut findings)?;
        let pairs = match found.has(Backend::RedisTcp) || found.has(Backend::Postgres) {
            true => &[
                (Backend::Sqlite, Backend::RedisTcp),
                (Backend::Postgres, Backend::RedisTcp),
                (Backend::Sqlite, Backend::Postgres),
            ][..],
            false => &[(Backend::MokaBytes, Backend::Sqlite)],
        };
        for (a, b) in pairs {
            self.judge_one(found, *a, *b, &mut findings)?;
        }
        if let Some(figure) = costs::figure(found) {
            findings.answer.figures.push(figure);
        }
        findings.answer.figures.push(fit::figure());
        if let Some(table) = costs::table(found) {
            findings.answer.tables.push(table);
        }
        findings.answer.tables.push(fit::table());
        self.losses(found, &mut findings)?;
        findings.answer.caveats.push(
            "Client and servers are on one machine, so capacities are lower than with a server of its own. At f = 1 a session that is in use ends with its first timeout: it is the floor of the writes, not a setting.".to_owned(),
        );
        findings.answer.caveats.push(
            "Loads and saves of the curves were measured apart. Where requests load and save by turns each may cost more, because another thread has to be woken for each; what such mixes cost beside the prediction is under Validation.".to_owned(),
        );
        findings.answer.caveats.push(
            "Sessions in the memory of one process are lost with it and are not seen by another; the other backends are shared, SQLite by the processes of one machine.".to_owned(),
        );
        for (backend, server) in [(Backend::RedisTcp, "redis"), (Backend::Postgres, "postgres")] {
            if !found.has(backend) {
                findings.lacks(format!("Q14: {server}"), found.why_absent(server));
            }
        }
        Ok(findings)
    }
}

impl SessionsBelong {
    /// How many requests the SQL stores carry, and what the mixes cost beside the prediction.
    fn capacities(&self, found: &Found<'_>, findings: &mut Findings) -> Result<()> {
        let mut table = Table {
            caption: "What 16 visitors at once get done on these cores".to_owned(),
            columns: ["sessions in", "loads", "touches", "loads with a save", "requests that fit"]
                .map(str::to_owned)
                .into(),
            rows: Vec::new(),
        };
        for backend in BACKENDS {
            let Some(served) = found.run::<Served>(self.id(), backend.name())? else { continue };
            let fits = fits(found, CASE, &served);
            let rate = |rates: &[f64]| Unit::PerSecond.text(middle(rates));
            let text = fits.map_or_else(String::new, |fits| {
                let [at, low, high] = [fits.median, fits.low, fits.high].map(|rate| Unit::Count.text(rate.round()));
                format!("{at} [{low}, {high}] requests/s")
            });
            if matches!(backend, Backend::Postgres | Backend::Sqlite) && !text.is_empty() {
                findings.answer.rules.push(format!(
                    "Sessions in {backend} fit while there are fewer than {text} (f = {}, a request of each session every {:.0} s, one in {:.0} saves; 70 % of what these cores did).",
                    CASE.touch_after,
                    1.0 / CASE.rate,
                    1.0 / CASE.saves
                ));
            }
            table.rows.push(vec![
                backend.name().to_owned(),
                rate(&served.loads),
                rate(&served.touches),
                rate(&served.saves),
                text,
            ]);
            self.validate(found, backend, &served, findings);
        }
        if !table.rows.is_empty() {
            findings.answer.tables.push(table);
        }
        Ok(())
    }

    /// Each mix by the loads and saves of the rounds, of which the curves are made, and by those timed beside it, which
    /// only says whether the mixing is right.
    fn validate(&self, found: &Found<'_>, backend: Backend, served: &Served, findings: &mut Findings) {
        let [load, save] = rounds(found, backend).map(|rounds| middle(&rounds));
        for ((mix, requests_per_save), mixed) in MIXES.iter().zip(&served.mixes) {
            for (load, save, parts) in [(load, save, APART), (mixed.load_ns, mixed.save_ns, BESIDE)] {
                let predicted = load + save / f64::from(*requests_per_save);
                if predicted.is_finite() {
                    findings.validation.push(Validation {
                        scenario: format!("Q14: sessions in {backend}, {mix}"),
                        predicted_ns: predicted,
                        measured_ns: mixed.request_ns,
                        ratio: predicted / mixed.request_ns,
                        formulas: format!("mean of load and save; {parts}"),
                    });
                }
            }
        }
    }

    /// Two backends over the share of requests that save.
    fn judge_one(&self, found: &Found<'_>, a: Backend, b: Backend, findings: &mut Findings) -> Result<()> {
        let ([load_a, save_a], [load_b, save_b]) = (rounds(found, a), rounds(found, b));
        let count = common_rounds(&[&load_a, &save_a, &load_b, &save_b]);
        if count == 0 {
            return Ok(());
        }
        let shares: Vec<f64> = (0..=20).map(|step| f64::from(step) / 20.0).collect();
        let by_round = |load: &[f64], save: &[f64]| -> Vec<Vec<f64>> {
            let mean = |round: usize, share: f64| mean_of_requests(1.0 - share, load[round], load[round] + save[round]);
            (0..count).map(|round| shares.iter().map(|share| mean(round, *share)).collect()).collect()
        };
        let (of_a, of_b) = (by_round(&load_a, &save_a), by_round(&load_b, &save_b));
        let curves = Curves::new(Scale::Linear, shares, of_a, of_b)?;
        let crossover = found.judge_curves(
            &Pairing {
                question: self.id(),
                group: LOAD,
                op: "request",
                a: a.name(),
                b: b.name(),
                metric: MEAN,
                axis: "save_share",
                is_line: true,
                spacing: Scale::Linear,
                plot: Some("q14-request".to_owned()),
            },
            &curves,
        )?;
        findings.judge(crossover);
        Ok(())
    }

    fn losses(&self, found: &Found<'_>, findings: &mut Findings) -> Result<()> {
        let mut rows = vec![
            vec!["moka".to_owned(), "the process is killed".to_owned(), "all of them".to_owned()],
            vec![
                "sqlite".to_owned(),
                "by its settings: WAL with synchronous = FULL".to_owned(),
                "none that was acknowledged".to_owned(),
            ],
        ];
        for (backend, server, run) in
            [(Backend::RedisTcp, "redis", KILL_REDIS), (Backend::Postgres, "postgres", KILL_POSTGRES)]
        {
            match found.run::<Vec<Killed>>(self.id(), run)? {
                Some(killed) => {
                    for one in killed {
                        let lost = one.made - one.left;
                        findings.answer.rules.push(format!(
                            "{}: kill -9 of the server lost {lost} of {} acknowledged sessions.",
                            one.server, one.made
                        ));
                        rows.push(vec![
                            one.server,
                            "kill -9 of the server".to_owned(),
                            format!("{lost} of {}", one.made),
                        ]);
                    }
                }
                None if found.has(backend) => findings.lacks(
                    format!("Q14: sessions that a killed {server} loses"),
                    "only servers that the study starts are killed, and PostgreSQL in full mode; use --start --full",
                ),
                None => {}
            }
        }
        let columns = ["sessions in", "what happened", "sessions lost"].map(str::to_owned).into();
        findings.answer.tables.push(Table { caption: "What a crash costs".to_owned(), columns, rows });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
