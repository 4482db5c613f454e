//! Private servers start, break as told and end with the process that started them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hallway_testkit::servers::{
    PgBouncer, PgBouncerOptions, PostgresOptions, PostgresServer, RedisOptions, RedisServer, RedisTls,
};

/// Set in the child process of the leak test.
const VICTIM: &str = "HALLWAY_TESTKIT_VICTIM";

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/cmdline")).exists()
        && !std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().is_empty()
}

fn answers(port: u16) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    stream.read(&mut [0; 16]).is_ok_and(|n| n > 0)
}

#[test]
fn redis_starts_stops_pauses_and_restarts_on_the_same_port_and_data() {
    let redis = RedisServer::start(RedisOptions::default().with_config("appendonly", "yes")).unwrap();
    let (port, pid) = (redis.port(), redis.pid().unwrap());
    assert_eq!(redis.cli(&["SET", "k", "v w"]), "OK");

    redis.pause();
    assert!(!answers(port));
    redis.resume();
    eventually("answers again", || answers(port));

    redis.kill9();
    assert_eq!(redis.pid(), None);
    assert!(TcpStream::connect(redis.addr()).is_err());
    redis.restart().unwrap();
    assert_eq!((redis.port(), redis.cli(&["GET", "k"])), (port, "v w".to_owned()));
    assert_ne!(redis.pid().unwrap(), pid);

    redis.stop();
    redis.stop();
    assert!(TcpStream::connect(redis.addr()).is_err());
    let dir = redis.dir().to_owned();
    assert!(dir.exists());
    drop(redis);
    assert!(!dir.exists());
}

#[test]
fn redis_wants_its_password_and_listens_on_a_socket() {
    let redis = RedisServer::start(RedisOptions::default().with_password("p@ss \"w\\ord:/")).unwrap();
    assert_eq!(redis.cli(&["PING"]), "PONG");
    assert!(redis.url().starts_with("redis://:p%40ss%20"));
    let mut stream = std::os::unix::net::UnixStream::connect(redis.socket()).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"-NOAUTH");
    assert!(redis.unix_url().ends_with("/redis.sock?password=p%40ss%20%22w%5Cord%3A%2F"));
}

#[test]
fn redis_speaks_tls_on_a_second_port() {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate_pem = issued.cert.pem();
    let key_pem = issued.signing_key.serialize_pem();
    let tls = RedisTls { certificate_pem, key_pem, client_ca_pem: None };
    let redis = RedisServer::start(RedisOptions::default().with_tls(tls)).unwrap();
    let url = redis.tls_url().unwrap();
    let port = url.strip_prefix("rediss://localhost:").unwrap();
    let output = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-p", port, "--tls", "--cacert"])
        .arg(redis.dir().join("server.pem"))
        .arg("PING")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "PONG\n", "{output:?}");
    assert_eq!(redis.cli(&["PING"]), "PONG");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let error = RedisServer::start(RedisOptions::default().with_config("no-such-directive", "1")).unwrap_err();
    assert!(error.to_string().contains("no-such-directive"), "{error}");
    let error = PostgresServer::start(PostgresOptions::fast().with_setting("shared_buffers", "lots")).unwrap_err();
    assert!(error.to_string().contains("shared_buffers"), "{error}");
}

#[test]
fn shared_servers_are_one_per_process_and_unprivileged() {
    assert_eq!(RedisServer::shared().pid(), RedisServer::shared().pid());
    for pid in [RedisServer::shared().pid().unwrap(), PostgresServer::shared().pid().unwrap()] {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let uids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(uids.split_whitespace().skip(1).all(|uid| uid != "0"), "{uids}");
    }
}

#[test]
fn postgres_starts_stops_pauses_and_restarts_on_the_same_port_and_data() {
    let postgres = PostgresServer::start(PostgresOptions::fast()).unwrap();
    let port = postgres.port();
    postgres.psql("CREATE TABLE t (v text); INSERT INTO t VALUES ('a b')");
    assert_eq!(postgres.psql("SHOW fsync"), "off");

    postgres.pause();
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| done.send(postgres.psql("SELECT v FROM t")).unwrap());
        assert!(waits.recv_timeout(Duration::from_millis(300)).is_err(), "a paused server answered");
        postgres.resume();
        assert_eq!(waits.recv_timeout(Duration::from_secs(10)).unwrap(), "a b");
    });

    postgres.kill9();
    assert!(postgres.try_psql("SELECT 1").is_err());
    postgres.restart().unwrap();
    assert_eq!((postgres.port(), postgres.psql("SELECT v FROM t")), (port, "a b".to_owned()));

    postgres.stop();
    assert!(TcpStream::connect(postgres.addr()).is_err());
    postgres.restart().unwrap();
    postgres.pause();
    let (dir, pid) = (postgres.dir().to_owned(), postgres.pid().unwrap());
    drop(postgres);
    assert!(!dir.exists() && !is_running(pid));
}

#[test]
fn postgres_wants_its_password_and_limits_connections() {
    let options = PostgresOptions::fast().with_password("it's a s%cret").with_max_connections(7);
    let postgres = PostgresServer::start(options).unwrap();
    assert_eq!(postgres.psql("SHOW max_connections"), "7");
    assert!(postgres.url().contains("it%27s%20a%20s%25cret@127.0.0.1"));
    let output = Command::new("psql")
        .args(["-w", "-U", "postgres", "-h", "127.0.0.1", "-c", "SELECT 1", "-p", &postgres.port().to_string()])
        .env("PGPASSWORD", "wrong")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("authentication failed"));
}

#[test]
fn pgbouncer_pools_transactions_on_one_connection() {
    let postgres = PostgresServer::start(PostgresOptions::fast().with_password("pw'1")).unwrap();
    let pooler = PgBouncer::start(&postgres, PgBouncerOptions::default()).unwrap();
    let first = pooler.psql("SELECT pg_backend_pid()");
    assert_eq!(pooler.psql("SELECT pg_backend_pid()"), first);
    // What clings to a session leaks to the next client: that is what the mode is tested for.
    pooler.psql("SET work_mem = '77MB'");
    assert_eq!(pooler.psql("SHOW work_mem"), "77MB");
    pooler.kill9();
    pooler.restart().unwrap();
    assert_eq!(pooler.psql("SELECT 1"), "1");
}

/// Runs in the child process of the test below: starts servers, says which, and waits to be killed.
#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let (redis, postgres) = (RedisServer::shared(), PostgresServer::shared());
    let own = PostgresServer::start(PostgresOptions::fast()).unwrap();
    let pooler = PgBouncer::start(&own, PgBouncerOptions::default()).unwrap();
    own.pause();
    for (pid, dir) in [
        (redis.pid(), redis.dir()),
        (postgres.pid(), postgres.dir()),
        (own.pid(), own.dir()),
        (pooler.pid(), pooler.dir()),
    ] {
        println!("server {} {}", pid.unwrap(), dir.display());
    }
    println!("ready");
    std::thread::sleep(Duration::from_secs(60));
    panic!("nobody killed the victim");
}

#[test]
fn servers_die_with_a_killed_test_process() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["servers::victim", "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let servers: Vec<(u32, PathBuf)> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|line| line != "ready")
        .filter_map(|line| {
            let (pid, dir) = line.strip_prefix("server ")?.split_once(' ')?;
            Some((pid.parse().unwrap(), dir.into()))
        })
        .collect();
    assert_eq!(servers.len(), 4);
    assert!(servers.iter().all(|(pid, dir)| is_running(*pid) && dir.exists()));
    child.kill().unwrap();
    child.wait().unwrap();
    for (pid, dir) in &servers {
        eventually("the server is gone", || !is_running(*pid));
        eventually("its folder is gone", || !dir.exists());
    }
}
