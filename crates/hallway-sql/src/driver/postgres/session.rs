//! One statement on a PostgreSQL connection, and how it is kept from being done when nobody waits for it any more.
//!
//! The server limits what it works on (`statement_timeout`), but that time begins when the statement reaches it. One
//! that a broken network or a stopped server held up for minutes would be done all the same, long after its caller gave
//! up and whatever protected the old copies is gone. So every write says until when it may begin, on the server's own
//! clock, which is read beforehand.

use std::time::Duration;

use hallway_core::ErrorKind;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Postgres, SqlStr};
use tokio::time::Instant;

use crate::dialect::{Param, Statement, begin_limited};
use crate::driver::postgres::{fetch, has_code};
use crate::failure::{Effect, Failure};
use crate::link::{Answer, Args};

/// How the server says that a statement came to it too late: it divided by zero.
pub(super) const LATE: &str = "22012";

/// The clock is read again after so long: no two clocks go equally fast, and the server's may be set.
const CLOCK_LIMIT: Duration = Duration::from_secs(60);

const CLOCK: &str = "SELECT NULL::text, NULL::bytea, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// What is known of the server behind a connection.
pub(super) struct Session {
    /// Behind a transaction-mode pooler, parse and bind meet the same server only inside a transaction.
    pub(super) wrapped: bool,
    /// How long each step of such a transaction may take, and the pause before the next one.
    pub(super) limit: Duration,
    clock: Option<ServerClock>,
}

/// What the server's clock said, and when it was asked.
#[derive(Clone, Copy)]
struct ServerClock {
    micros: i64,
    asked: Instant,
}

impl Session {
    pub(super) fn new(wrapped: bool, limit: Duration) -> Self {
        Self { wrapped, limit, clock: None }
    }

    /// Reads the server's clock, so that the first write need not.
    pub(super) async fn read_clock(&mut self, connection: &mut PgConnection) -> Result<(), Failure> {
        self.clock = Some(ServerClock::read(connection).await?);
        Ok(())
    }

    pub(super) async fn run(
        &mut self,
        connection: &mut PgConnection,
        statement: &Statement,
        args: &Args<'_>,
    ) -> Result<Answer, Failure> {
        let mut latest = i64::MAX;
        if statement.params.contains(&Param::Latest) {
            let clock = match self.clock.filter(|clock| clock.asked.elapsed() < CLOCK_LIMIT) {
                Some(clock) => clock,
                None => *self.clock.insert(ServerClock::read(connection).await?),
            };
            latest = clock.at(args.until);
        }
        let query = bind(statement, args, latest).persistent(!self.wrapped);
        let ran = match self.wrapped {
            true => self.run_wrapped(connection, query).await,
            false => fetch(connection, query).await,
        };
        if ran.as_ref().is_err_and(|failure| has_code(failure, LATE)) {
            // It was late, or the server's clock has been set.
            self.clock = None;
        }
        ran
    }

    async fn run_wrapped(
        &self,
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Answer, Failure> {
        let millis = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX).max(1);
        fetch(connection, sqlx::raw_sql(begin_limited(millis))).await?;
        match fetch(connection, query).await {
            Ok(answer) => fetch(connection, sqlx::raw_sql(SqlStr::from_static("COMMIT"))).await.map(|_| answer),
            Err(failure) if matches!(failure.effect, Effect::Lost | Effect::Drop) => Err(failure),
            Err(failure) => {
                // Without a rollback the connection would not be usable again.
                let rolled_back = fetch(connection, sqlx::raw_sql(SqlStr::from_static("ROLLBACK"))).await;
                Err(if rolled_back.is_ok() { failure } else { Failure { effect: Effect::Drop, ..failure } })
            }
        }
    }
}

impl ServerClock {
    async fn read(connection: &mut PgConnection) -> Result<Self, Failure> {
        let asked = Instant::now();
        let answer = fetch(connection, sqlx::raw_sql(SqlStr::from_static(CLOCK))).await;
        let answer = answer.map_err(|failure| match failure.effect {
            // The statement that wanted to know it has not been sent.
            Effect::Lost => Failure { effect: Effect::Drop, ..failure },
            _ => failure,
        })?;
        match answer.rows.first().and_then(|row| row.first) {
            Some(micros) => Ok(Self { micros, asked }),
            None => Err(Failure::new(ErrorKind::Corrupt, Effect::Drop, "the server did not tell the time")),
        }
    }

    /// What the server's clock says at an instant, or a little later: by what its answer took to come.
    fn at(&self, instant: Instant) -> i64 {
        let since = instant.saturating_duration_since(self.asked).as_micros();
        self.micros.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }
}

fn bind<'q>(statement: &Statement, args: &Args<'_>, latest: i64) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query(statement.sql.clone());
    for param in statement.params {
        query = match param {
            Param::Keys => query.bind(args.items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>()),
            Param::Values => query.bind(args.items.iter().map(|item| &*item.value).collect::<Vec<_>>()),
            Param::Expected => query.bind(args.items.iter().map(|item| &*item.expected).collect::<Vec<_>>()),
            Param::Lives => query.bind(args.items.iter().map(|item| item.life).collect::<Vec<_>>()),
            Param::Latest => query.bind(latest),
            Param::Cap => query.bind(args.cap),
            Param::From => query.bind(args.bounds.from.clone()),
            Param::Until => query.bind(args.bounds.until.clone()),
            Param::Limit => query.bind(args.bounds.limit),
            Param::Expired => query.bind(i64::from(args.bounds.expired)),
            Param::Ids => query.bind(args.bounds.ids.clone()),
            Param::Rows | Param::Blob => unreachable!("PostgreSQL's statements take arrays"),
        };
    }
    query
}
