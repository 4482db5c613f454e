//! The contract on a file, in memory, on PostgreSQL, on a caller's pool, and through the views that enlist.

mod sqlite_file {
    use hallway_testkit::Fixture;

    use crate::support::{File, open};

    async fn fixture() -> Fixture {
        let file = File::new();
        let url = file.url();
        let folder = format!("sqlite:{}", file.folder.path().display());
        Fixture::new(file.open().await)
            .with_reopen(move || {
                let url = url.clone();
                async move { open(&url).await }
            })
            .with_failed(move || {
                let folder = folder.clone();
                async move { open(&folder).await }
            })
            .keep(file)
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }
}

mod sqlite_memory {
    use hallway_testkit::Fixture;

    use crate::support::open;

    async fn fixture() -> Fixture {
        Fixture::new(open("sqlite::memory:").await)
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, LocalRead, Shared] }
}

mod postgres {
    use hallway_testkit::Fixture;
    use hallway_testkit::servers::PostgresServer;

    use crate::support::{fresh_table, open};

    async fn fixture() -> Fixture {
        let server = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
        let url = format!("{}?table={}&readers=2", server.url(), fresh_table());
        Fixture::new(open(&url).await)
            .with_reopen(move || {
                let url = url.clone();
                async move { open(&url).await }
            })
            // Port 1 belongs to nobody.
            .with_failed(|| async { open("postgres://postgres@127.0.0.1:1/postgres").await })
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }
}

mod pool {
    use hallway_sql::SqlConfig;
    use hallway_testkit::Fixture;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

    use crate::support::File;

    async fn fixture() -> Fixture {
        let file = File::new();
        let path = file.path();
        let open = move || {
            let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
            let pool = SqlitePoolOptions::new().connect_lazy_with(options.journal_mode(SqliteJournalMode::Wal));
            SqlConfig::from(pool).open().unwrap()
        };
        Fixture::new(open())
            .with_reopen(move || {
                let store = open();
                async move { store }
            })
            .with_failed(|| async {
                let options = SqliteConnectOptions::new().filename("/");
                SqlConfig::from(SqlitePoolOptions::new().connect_lazy_with(options)).open().unwrap()
            })
            .keep(file)
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }
}

mod enlisting_sqlite {
    use hallway_testkit::Fixture;

    use crate::support::{File, enlisting};

    async fn fixture() -> Fixture {
        let file = File::new();
        // The same statements; what is on the disk when is proven above.
        let url = format!("{}?synchronous=normal", file.url());
        let folder = format!("sqlite:{}", file.folder.path().display());
        Fixture::new(enlisting(&url).await)
            .with_reopen(move || {
                let url = url.clone();
                async move { enlisting(&url).await }
            })
            .with_failed(move || {
                let folder = folder.clone();
                async move { enlisting(&folder).await }
            })
            .keep(file)
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }
}

mod enlisting_postgres {
    use hallway_testkit::Fixture;
    use hallway_testkit::servers::PostgresServer;

    use crate::support::{enlisting, fresh_table};

    async fn fixture() -> Fixture {
        let server = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
        let url = format!("{}?table={}&readers=2", server.url(), fresh_table());
        Fixture::new(enlisting(&url).await)
            .with_reopen(move || {
                let url = url.clone();
                async move { enlisting(&url).await }
            })
            // Port 1 belongs to nobody.
            .with_failed(|| async { enlisting("postgres://postgres@127.0.0.1:1/postgres").await })
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }
}
