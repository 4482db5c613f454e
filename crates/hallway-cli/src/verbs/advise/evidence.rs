//! What the answer rests on: a log of keys, a report of this machine, a measurement now.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use hallway_study::advisor::calibrate::{Plan, calibrate};
use hallway_study::advisor::{Costs, HitCurve, Inputs, Keys, LogCurve, MOST_LOGGED_KEYS, Purpose, Service};
use hallway_study::report;
use hallway_study::trace::{Interner, Op, Reader, Requests};

use crate::failure::Failure;
use crate::output::note;
use crate::progress::Progress;
use crate::store_args::Target;

/// Requests between two looks at progress.
const BREATH: u64 = 1 << 14;

#[derive(Args)]
pub(super) struct Evidence {
    /// Report of this machine: the crossover.json that `hallway compare` wrote
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    crossover: Option<PathBuf>,
    /// Measure the stores that --redis and --database name, for half a minute, reading only
    #[arg(long, help_heading = "Evidence")]
    calibrate: bool,
    /// Redis to measure
    #[arg(long, value_name = "URL", requires = "calibrate", conflicts_with = "redis_file", help_heading = "Evidence")]
    redis: Option<String>,
    /// File that holds the URL of Redis
    #[arg(long, value_name = "FILE", requires = "calibrate", help_heading = "Evidence")]
    redis_file: Option<PathBuf>,
    /// Database to measure, such as postgres://host/db or sqlite:app.db
    #[arg(
        long,
        value_name = "URL",
        requires = "calibrate",
        conflicts_with = "database_file",
        help_heading = "Evidence"
    )]
    database: Option<String>,
    /// File that holds the URL of the database
    #[arg(long, value_name = "FILE", requires = "calibrate", help_heading = "Evidence")]
    database_file: Option<PathBuf>,
    /// Let calibration set values, under keys of its own that it deletes again, and make hallway's table if it is missing
    #[arg(long, requires = "calibrate", help_heading = "Evidence")]
    allow_writes: bool,
    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
}

impl Evidence {
    /// A cache loads from the database that is measured, whatever else runs.
    pub(super) fn name_database(&self, inputs: &mut Inputs) -> Result<(), Failure> {
        let Some(database) = target(self.database.as_deref(), self.database_file.as_deref())? else { return Ok(()) };
        if inputs.purpose == Some(Purpose::Cache) {
            let is_sqlite = database.url().starts_with("sqlite");
            let services = inputs.has.get_or_insert_default();
            services.retain(|service| *service == Service::Redis);
            services.push(if is_sqlite { Service::Sqlite } else { Service::Postgres });
        }
        Ok(())
    }

    /// The curve of the key log, if the workload names one.
    pub(super) fn curve(&self, inputs: &Inputs) -> Result<Option<HitCurve>, Failure> {
        let Some(Keys::Log(path)) = &inputs.keys else { return Ok(None) };
        if !path.exists() {
            return Err(Failure::usage(format!(
                "there is no key log {}; keys are a number, such as 50000 or 2M, or the file of a key log",
                path.display()
            )));
        }
        let failed = |error: io::Error| match error.kind() {
            // Of more keys than are held; the message says how to take a sample.
            io::ErrorKind::OutOfMemory => Failure::usage(format!("the key log {}: {error}", path.display())),
            _ => Failure::local(format!("cannot read the key log {}", path.display()), error),
        };
        let reader = Reader::open(path, None).map_err(failed)?;
        let length = path.is_file().then(|| Reader::length(path, Some(reader.format()))).flatten();
        let progress = Progress::new("key log", length, self.quiet);
        let mut log = LogCurve::for_instances(inputs.instances.unwrap_or(1));
        for (at, request) in (1..).zip(Requests::new(reader, Interner::new(MOST_LOGGED_KEYS))) {
            let request = request.map_err(failed)?;
            if request.op == Op::Read {
                log.read(request.key);
            }
            if u64::is_multiple_of(at, BREATH) {
                progress.at(at);
            }
        }
        progress.finish();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let curve = log.finish(&name);
        curve.map(Some).ok_or_else(|| Failure::usage(format!("the key log {} has no reads", path.display())))
    }

    /// What operations cost: defaults, over them the report, over them what is measured now.
    pub(super) async fn costs(&self, value_bytes: f64) -> Result<Costs, Failure> {
        let mut costs = Costs::shipped();
        if let Some(path) = &self.crossover {
            costs = costs.with_report(&report::read(path).map_err(|error| Failure::usage(error.to_string()))?);
        }
        if !self.calibrate {
            return Ok(costs);
        }
        let redis = target(self.redis.as_deref(), self.redis_file.as_deref())?;
        let database = target(self.database.as_deref(), self.database_file.as_deref())?;
        let named: Vec<&Target> = redis.iter().chain(&database).collect();
        if named.is_empty() {
            return Err(Failure::usage(
                "--calibrate measures stores: name them by --redis URL, --database URL or both",
            ));
        }
        // What opens one store is nothing that another should be shown.
        if named.iter().filter(|target| target.takes_password()).count() > 1 {
            return Err(Failure::usage(
                "HALLWAY_PASSWORD would go to Redis and to the database; give each its URL with its own password by \
                 --redis-file FILE and --database-file FILE",
            ));
        }
        let plan = Plan { allow_writes: self.allow_writes, bytes: value_bytes.ceil() as usize, ..Plan::default() };
        if !self.quiet {
            let calls = if self.allow_writes { 3 } else { 2 };
            let seconds = plan.turn * (plan.rounds as u32 + 1) * calls * named.len() as u32;
            note(&format!("measuring for about {} s", seconds.as_secs().max(1)));
        }
        let url = |target: &Option<Target>| target.as_ref().map(|target| target.url().to_owned());
        Ok(calibrate(costs, url(&redis).as_deref(), url(&database).as_deref(), &plan).await?)
    }
}

fn target(url: Option<&str>, file: Option<&Path>) -> Result<Option<Target>, Failure> {
    match (url, file) {
        (Some(url), _) => Target::parse(url).map(Some),
        (None, Some(path)) => Target::from_file(path).map(Some),
        (None, None) => Ok(None),
    }
}
