//! The simulated Redis against a real one: the same commands, the same bytes, in the same order on every connection.

mod frame;
mod pair;
mod steps;

use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::sim::SimRng;

use self::pair::Pair;
use self::steps::Steps;

fn real() -> RedisServer {
    // So that keys expire only when somebody asks for them, which is the same moment on both.
    let redis = RedisServer::start(RedisOptions::default().with_config("enable-debug-command", "local")).unwrap();
    assert_eq!(redis.cli(&["debug", "set-active-expire", "0"]), "OK");
    redis
}

#[test]
fn random_commands_have_the_same_replies_and_pushes() {
    let redis = real();
    let (mut commands, mut pushes) = (0, 0);
    for seed in 0..12 {
        redis.cli(&["flushall"]);
        redis.cli(&["script", "flush"]);
        let mut pair = Pair::new(redis.addr(), steps::TALKERS + 1, seed);
        let mut steps = Steps::new(SimRng::new(seed));
        steps.begin(&mut pair);
        if (0..1_000).all(|_| steps.one(&mut pair)) {
            steps.end(&mut pair);
            pair.finish();
        } else {
            steps.end(&mut pair);
        }
        commands += pair.commands;
        pushes += pair.pushes;
    }
    // Enough of both, or the comparison would prove little.
    assert!(commands > 15_000 && pushes > 2_000, "{commands} commands, {pushes} pushes");
}

#[test]
fn every_script_has_a_twin() {
    let redis = real();
    let mut pair = Pair::new(redis.addr(), 1, 0);
    let scripts = steps::scripts();
    assert!(scripts.len() >= 13, "{}", scripts.len());
    for script in scripts {
        pair.ask(0, &[&[&b"SCRIPT"[..], b"LOAD", script.as_bytes()]]);
    }
    pair.finish();
}
