//! Secrets come from the environment or a file, work, and are shown nowhere.

use hallway_testkit::servers::{RedisOptions, RedisServer};

use crate::run::{Ran, command, hallway};

const SECRET: &str = "hunter2%41@:/?#&";

fn clean(ran: &Ran) {
    for text in [String::from_utf8_lossy(&ran.stdout).as_ref(), &ran.stderr] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_password_from_the_environment_or_a_file_opens_the_store() {
    let server = RedisServer::start(RedisOptions::default().with_password(SECRET)).unwrap();
    let url = format!("redis://127.0.0.1:{}/0", server.port());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, format!("redis://:hunter2%2541%40%3A%2F%3F%23%26@127.0.0.1:{}/0\n", server.port())).unwrap();
    let file = file.to_str().unwrap();

    let run = |args: &[&str], env: &[(&str, &str)]| {
        let ran = Ran::from(command().args(args).envs(env.iter().copied()).output().unwrap());
        clean(&ran);
        ran
    };
    run(&["set", "k", "v", "--ttl", "1h", "--store-file", file], &[]).exits(0);
    assert_eq!(run(&["get", "k", "--store", &url], &[("HALLWAY_PASSWORD", SECRET)]).exits(0).stdout, b"v");
    assert_eq!(run(&["get", "k"], &[("HALLWAY_STORE", &url), ("HALLWAY_PASSWORD", SECRET)]).exits(0).stdout, b"v");
    let socket = format!("redis+unix://{}", server.socket().display());
    assert_eq!(run(&["get", "k", "--store", &socket], &[("HALLWAY_PASSWORD", SECRET)]).exits(0).stdout, b"v");

    for args in [&["ping"][..], &["ping", "--json"], &["replay", "--requests", "50", "--store-file", file]] {
        let args = if args[0] == "ping" { [args, &["--store-file", file]].concat() } else { args.to_vec() };
        run(&args, &[]).exits(0);
    }
    run(&["get", "k", "--store", &url], &[]).exits(4).complains("redis");
    run(&["get", "k", "--store", &url], &[("HALLWAY_PASSWORD", "hunter2 wrong")]).exits(4).complains("redis");
    run(&["get", "k", "--store", &url], &[("HALLWAY_PASSWORD", "")]).exits(2).complains("HALLWAY_PASSWORD is empty");
}

#[test]
fn one_password_is_not_shown_to_two_stores() {
    let server = RedisServer::start(RedisOptions::default().with_password(SECRET)).unwrap();
    let url = format!("redis://127.0.0.1:{}/0", server.port());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    let run = |text: String| {
        std::fs::write(&file, text).unwrap();
        let mut command = command();
        command.args(["replay", "--requests", "50", "--store", "moka:", "--store", &url, "--store-file"]);
        let ran = Ran::from(command.arg(&file).env("HALLWAY_PASSWORD", SECRET).output().unwrap());
        clean(&ran);
        ran
    };
    run("postgres://app@127.0.0.1:1/db".to_owned()).exits(2).complains("--store-file");
    run(format!("redis+unix://{}", server.socket().display())).exits(2).complains("--store-file");
    // One takes it, the others have none or their own.
    run(format!("redis://:hunter2%2541%40%3A%2F%3F%23%26@127.0.0.1:{}/1", server.port())).exits(0);
}

#[test]
fn what_the_parser_does_not_understand_is_shown_without_secrets() {
    let url = "redis://user:hunter2@127.0.0.1:1/0";
    for args in [
        &["get", "k", url][..],
        &["get", "k", "--sotre", url],
        &[url],
        &["get", "k", "--store", url, "--store-file", url],
        &["replay", "--preset", url],
        &["set", "k", "v", "--ttl", url, "--store", url],
        &["get", "k", "extra", "redis+unix:///s?password=hunter2"],
        &["get", "k", "--store", "admin:hunter2@host"],
        &["get", "k", "--store", "redis:hunter2@host"],
        &["get", "k", "--store", "postgres:hunter2@host"],
        &["get", "k", "--store", "hunter2 no URL"],
        &["get", "k", "--store", "redis://:hunter2@127.0.0.1:1/notanumber"],
        &["get", "k", "--store", "moka:?max=hunter2"],
    ] {
        let ran = hallway(args);
        assert_ne!(ran.code, 0, "{args:?}");
        clean(&ran);
    }
}

#[test]
fn help_never_shows_the_environment() {
    let output = command().args(["get", "--help"]).env("HALLWAY_STORE", "redis://:hunter2@h").output().unwrap();
    clean(&Ran::from(output).exits(0));
}
