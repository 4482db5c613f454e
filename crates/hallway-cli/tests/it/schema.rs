//! What `schema --print` prints makes a table that the store accepts as its own.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hallway_testkit::servers::PostgresServer;

use crate::run::hallway;

#[test]
fn the_printed_schema_is_the_one_sqlite_uses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.db");
    let url = format!("sqlite:{}?migrate=verify", file.display());
    let sql = hallway(&["schema", "--print", "--store", &url]).exits(0);
    assert!(!file.exists(), "printing touches nothing");

    let mut sqlite = Command::new("sqlite3").arg(&file).stdin(Stdio::piped()).spawn().expect("Debian package sqlite3");
    sqlite.stdin.take().unwrap().write_all(&sql.stdout).unwrap();
    assert!(sqlite.wait().unwrap().success(), "{}", sql.text());
    hallway(&["set", "k", "v", "--ttl", "1h", "--store", &url]).exits(0);
    assert_eq!(hallway(&["get", "k", "--store", &url]).exits(0).stdout, b"v");
}

#[test]
fn the_printed_schema_is_the_one_postgres_uses() {
    let server = PostgresServer::shared();
    let separator = if server.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}table=printed&migrate=verify", server.url());
    hallway(&["ping", "--store", &url]).exits(2).complains("migrate");
    let sql = hallway(&["schema", "--print", "--store", &url]).exits(0);
    server.psql(sql.text());
    hallway(&["set", "k", "v", "--ttl", "1h", "--store", &url]).exits(0);
    assert_eq!(hallway(&["get", "k", "--store", &url]).exits(0).stdout, b"v");
}

#[test]
fn the_table_is_named_by_the_url() {
    let json = hallway(&["schema", "--print", "--json", "--store", "sqlite:a.db?table=other"]).exits(0).json();
    assert_eq!((json["table"].as_str(), json["dialect"].as_str()), (Some("other"), Some("sqlite")));
    assert!(json["sql"].as_str().unwrap().contains("other"), "{json}");
    hallway(&["schema", "--print", "--store", "sqlite:a.db?tabel=other"]).exits(2).complains("unknown option `tabel`");
    hallway(&["schema", "--store", "sqlite:a.db"]).exits(2).complains("--print");
}
