//! The database behind the cache: the same tables and queries in PostgreSQL and in SQLite.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Instant;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

use crate::Result;
use crate::lab::{Backend, Lab};
use crate::load::Workload;
use crate::rounds::Cell;

/// How many pages there are; each has five lines.
pub(super) const PAGES: usize = 1_000;
const LINES: i64 = 5;
/// An aggregate is over the lines of every tenth page.
const GROUPS: i64 = 10;

macro_rules! tables {
    ($create:literal) => {
        [
            concat!($create, " hallway_page (id BIGINT PRIMARY KEY, body TEXT NOT NULL)"),
            concat!($create, " hallway_product (id BIGINT PRIMARY KEY, name TEXT NOT NULL)"),
            concat!(
                $create,
                " hallway_line (page BIGINT NOT NULL, number BIGINT NOT NULL, product BIGINT NOT NULL, \
                 amount BIGINT NOT NULL, PRIMARY KEY (page, number))"
            ),
        ]
    };
}

/// Temporary in PostgreSQL, so that nothing is left behind in a server that goes on; SQLite has a file for them.
const TEMPORARY: [&str; 3] = tables!("CREATE TEMPORARY TABLE");
const LASTING: [&str; 3] = tables!("CREATE TABLE");
const FILL: [&str; 3] = [
    "INSERT INTO hallway_product SELECT id, 'product ' || id FROM hallway_page WHERE id < 100",
    "INSERT INTO hallway_line SELECT page.id, line.number, (page.id + line.number) % 100, (page.id * 7 + line.number) % 100 \
     FROM hallway_page page CROSS JOIN (SELECT id AS number FROM hallway_page WHERE id < 5) line",
    "ANALYZE",
];
const PRIMARY_KEY: &str = "SELECT id, body FROM hallway_page WHERE id = $1";
const JOIN: &str = "SELECT line.amount, page.body FROM hallway_page page \
     JOIN hallway_line line ON line.page = page.id JOIN hallway_product product ON product.id = line.product \
     WHERE page.id = $1 ORDER BY line.number";
const AGGREGATE: &str = "SELECT CAST(sum(line.amount) AS BIGINT), (SELECT body FROM hallway_page WHERE id = $1) \
     FROM hallway_line line WHERE line.page % 10 = $1 % 10";

/// What the database has to do for one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    PrimaryKey,
    Join,
    Aggregate,
}

impl Work {
    pub(super) const ALL: [Self; 3] = [Self::PrimaryKey, Self::Join, Self::Aggregate];

    /// As it stands in ids.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PrimaryKey => "primary-key",
            Self::Join => "join",
            Self::Aggregate => "aggregate",
        }
    }

    /// As it stands in sentences.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::PrimaryKey => "a read by primary key",
            Self::Join => "a join of five rows",
            Self::Aggregate => "an aggregate over 500 rows",
        }
    }

    /// The rows it touches: its place on the axis.
    pub(super) fn rows(self) -> f64 {
        match self {
            Self::PrimaryKey => 1.0,
            Self::Join => 5.0,
            Self::Aggregate => 500.0,
        }
    }

    fn query(self) -> &'static str {
        match self {
            Self::PrimaryKey => PRIMARY_KEY,
            Self::Join => JOIN,
            Self::Aggregate => AGGREGATE,
        }
    }

    /// The rows of the answer: a number beside the body of the page.
    fn numbers(self, page: i64) -> Vec<i64> {
        let amount = |page: i64, line: i64| (page * 7 + line) % 100;
        match self {
            Self::PrimaryKey => vec![page],
            Self::Join => (0..LINES).map(|line| amount(page, line)).collect(),
            Self::Aggregate => {
                let pages = (page % GROUPS..PAGES as i64).step_by(GROUPS as usize);
                vec![pages.flat_map(|page| (0..LINES).map(move |line| amount(page, line))).sum()]
            }
        }
    }
}

enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// The same on either connection: their types differ, the words do not.
macro_rules! on {
    ($connection:expr, $bound:ident => $does:expr) => {
        match $connection {
            Connection::Postgres($bound) => $does,
            Connection::Sqlite($bound) => $does,
        }
    };
}

/// One connection to the database, with the tables. A clone is the same connection.
#[derive(Clone)]
pub(super) struct Database {
    connection: Arc<Mutex<Connection>>,
    workload: Arc<Workload>,
    /// Of each page and work, the numbers beside its body.
    expected: Arc<Vec<[Vec<i64>; 3]>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Connects to the authority of the study and makes the tables; the bodies are the values of the workload.
    pub(super) async fn open(lab: &Lab, workload: &Arc<Workload>) -> Result<Self> {
        let (mut connection, tables) = match lab.postgres() {
            Some(postgres) => (Connection::Postgres(postgres.connect().await?), TEMPORARY),
            None => {
                // Options behind the file are the store's.
                let url = lab.url(Backend::Sqlite)?;
                let options = SqliteConnectOptions::from_str(url.split('?').next().unwrap_or(&url))?;
                (Connection::Sqlite(options.create_if_missing(true).connect().await?), LASTING)
            }
        };
        for table in tables {
            on!(&mut connection, to => { sqlx::query(table).execute(to).await?; });
        }
        on!(&mut connection, to => {
            let mut all = to.begin().await?;
            for page in 0..PAGES {
                let body = std::str::from_utf8(workload.value(page, 0))?;
                let insert = sqlx::query("INSERT INTO hallway_page (id, body) VALUES ($1, $2)");
                insert.bind(page as i64).bind(body).execute(&mut *all).await?;
            }
            all.commit().await?;
        });
        for fill in FILL {
            on!(&mut connection, to => { sqlx::query(fill).execute(to).await?; });
        }
        let expected = (0..PAGES as i64).map(|page| Work::ALL.map(|work| work.numbers(page))).collect();
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            workload: Arc::clone(workload),
            expected: Arc::new(expected),
        })
    }

    /// Does the work for a page and gives its body.
    ///
    /// # Errors
    /// If the answer is not exactly what was written.
    pub(super) async fn read(&self, work: Work, page: usize) -> Result<String> {
        let mut connection = self.connection.lock().await;
        let rows: Vec<(i64, String)> = on!(&mut *connection, to => {
            sqlx::query_as(work.query()).bind(page as i64).fetch_all(to).await?
        });
        let expected = &self.expected[page][work as usize];
        if !rows.iter().map(|(number, _)| number).eq(expected) {
            return Err(format!("{} of page {page} has other rows than were written", work.noun()).into());
        }
        let body = rows.into_iter().next().map(|(_, body)| body);
        self.workload.check(page, body.as_deref().map(str::as_bytes))?;
        body.ok_or_else(|| "no row".into())
    }

    /// One piece of work after the other, by one task.
    pub(super) fn cell(&self, work: Work) -> Cell {
        let this = self.clone();
        Cell::new(move |iterations| {
            let this = this.clone();
            async move {
                tokio::spawn(async move {
                    let start = Instant::now();
                    for iteration in 0..iterations {
                        // A step without a common divisor with the number of pages comes to all of them.
                        this.read(work, (iteration as usize * 617) % PAGES).await?;
                    }
                    Ok(start.elapsed())
                })
                .await?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_what_the_tables_are_filled_with() {
        assert_eq!(Work::PrimaryKey.numbers(12), [12]);
        assert_eq!(Work::Join.numbers(14), [98, 99, 0, 1, 2]);
        // The 100 pages that end with 3, five lines each.
        assert_eq!(Work::Aggregate.numbers(3), [24000]);
        assert_eq!(Work::Aggregate.numbers(3), Work::Aggregate.numbers(13));
    }
}
