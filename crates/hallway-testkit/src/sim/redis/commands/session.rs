//! Commands on the connection and on the server.

use bytes::Bytes;

use super::{is, not_a_number, syntax};
use crate::sim::redis::keyspace::DATABASES;
use crate::sim::redis::resp::{Reply, integer};
use crate::sim::redis::server::{Client, Server, Transaction};

/// The version whose behaviour this is.
const VERSION: &str = "7.0.15";

/// A limit of memory below this is one that the server has reached already.
const NO_MEMORY: i64 = 1 << 20;

fn client_of(server: &mut Server, id: u64) -> &mut Client {
    server.clients.get_mut(&id).expect("the client whose command runs is there")
}

pub(super) fn ping(server: &mut Server, _: u64, args: &[Bytes]) -> Reply {
    let _ = server;
    match &args[1..] {
        [] => Reply::Simple("PONG"),
        [text] => Reply::Bulk(text.clone()),
        _ => Reply::error("ERR wrong number of arguments for 'ping' command"),
    }
}

pub(super) fn echo(_: &mut Server, _: u64, args: &[Bytes]) -> Reply {
    Reply::Bulk(args[1].clone())
}

pub(super) fn quit(server: &mut Server, id: u64, _: &[Bytes]) -> Reply {
    server.tracking.leaving = Some(id);
    Reply::OK
}

pub(super) fn time(server: &mut Server, _: u64, _: &[Bytes]) -> Reply {
    let micros = server.micros();
    Reply::Array(vec![Reply::text((micros / 1_000_000).to_string()), Reply::text((micros % 1_000_000).to_string())])
}

pub(super) fn select(server: &mut Server, id: u64, args: &[Bytes]) -> Reply {
    let Some(number) = integer(&args[1]) else { return not_a_number() };
    match usize::try_from(number).ok().filter(|number| *number < DATABASES) {
        Some(number) => {
            client_of(server, id).database = number;
            Reply::OK
        }
        None => Reply::error("ERR DB index is out of range"),
    }
}

pub(super) fn auth(server: &mut Server, id: u64, args: &[Bytes]) -> Reply {
    let (user, password) = match &args[1..] {
        [password] => (None, password),
        [user, password] => (Some(user), password),
        _ => return syntax(),
    };
    if user.is_none() && server.condition.password.is_none() {
        return Reply::error(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        );
    }
    match log_in(server, id, user.map_or(&b"default"[..], |user| user), password) {
        Ok(()) => Reply::OK,
        Err(refusal) => refusal,
    }
}

fn log_in(server: &mut Server, id: u64, user: &[u8], password: &[u8]) -> Result<(), Reply> {
    let right = user == b"default" && server.condition.password.as_ref().is_none_or(|is| is == password);
    if !right {
        return Err(Reply::error("WRONGPASS invalid username-password pair or user is disabled."));
    }
    client_of(server, id).logged_in = true;
    Ok(())
}

pub(super) fn hello(server: &mut Server, id: u64, args: &[Bytes]) -> Reply {
    let mut version = None;
    if let Some(word) = args.get(1) {
        match integer(word) {
            Some(number @ 2..=3) => version = Some(number as u8),
            Some(_) => return Reply::error("NOPROTO unsupported protocol version"),
            None => return Reply::error("ERR Protocol version is not an integer or out of range"),
        }
    }
    let (mut name, mut rest) = (None, args.get(2..).unwrap_or_default());
    while let [word, after @ ..] = rest {
        rest = match after {
            [user, password, after @ ..] if is(word, "AUTH") => {
                if let Err(refusal) = log_in(server, id, user, password) {
                    return refusal;
                }
                after
            }
            [text, after @ ..] if is(word, "SETNAME") => {
                name = Some(text.clone());
                after
            }
            _ => return Reply::Error(format!("ERR Syntax error in HELLO option '{}'", String::from_utf8_lossy(word))),
        };
    }
    let client = client_of(server, id);
    if !client.logged_in {
        return Reply::error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        );
    }
    if let Some(name) = name {
        client.name = name;
    }
    if let Some(version) = version {
        client.version = version;
    }
    let version = client.version;
    let role = if server.condition.read_only { "replica" } else { "master" };
    Reply::Map(vec![
        (Reply::text("server"), Reply::text("redis")),
        (Reply::text("version"), Reply::text(VERSION)),
        (Reply::text("proto"), Reply::Int(i64::from(version))),
        (Reply::text("id"), Reply::Int(id as i64)),
        (Reply::text("mode"), Reply::text("standalone")),
        (Reply::text("role"), Reply::text(role)),
        (Reply::text("modules"), Reply::Array(Vec::new())),
    ])
}

pub(super) fn client(server: &mut Server, id: u64, args: &[Bytes]) -> Reply {
    match &args[1..] {
        [word] if is(word, "ID") => Reply::Int(id as i64),
        [word] if is(word, "GETNAME") => {
            let name = client_of(server, id).name.clone();
            if name.is_empty() { Reply::Nil } else { Reply::Bulk(name) }
        }
        [word] if is(word, "GETREDIR") => Reply::Int(match server.tracking.redirect(id) {
            _ if !server.tracking.is_on(id) => -1,
            None => 0,
            Some(to) => to as i64,
        }),
        [word, name] if is(word, "SETNAME") => {
            client_of(server, id).name = name.clone();
            Reply::OK
        }
        // 7.0 does not know it yet; every later server answers so.
        [word, _, _] if is(word, "SETINFO") => Reply::OK,
        [word, on] if (is(word, "NO-EVICT") || is(word, "NO-TOUCH")) && (is(on, "ON") || is(on, "OFF")) => Reply::OK,
        [word, on, options @ ..] if is(word, "TRACKING") => tracking(server, id, on, options),
        [word, answer] if is(word, "CACHING") => caching(server, id, answer),
        [word, ..] => {
            let word = String::from_utf8_lossy(word).into_owned();
            server.beyond.get_or_insert_with(|| format!("CLIENT {word}"));
            Reply::Error(format!("ERR unknown subcommand '{word}'. Try CLIENT HELP."))
        }
        [] => syntax(),
    }
}

fn tracking(server: &mut Server, id: u64, on: &[u8], mut options: &[Bytes]) -> Reply {
    let (mut redirect, mut deaf, mut opts_out) = (None, false, false);
    while let [word, rest @ ..] = options {
        options = match rest {
            [to, rest @ ..] if is(word, "REDIRECT") && redirect.is_none() => {
                let Some(to) = integer(to) else { return not_a_number() };
                let to = to.unsigned_abs();
                if !server.clients.contains_key(&to) {
                    return Reply::error("ERR The client ID you want redirect to does not exist");
                }
                redirect = Some(to);
                rest
            }
            rest if is(word, "NOLOOP") => {
                deaf = true;
                rest
            }
            rest if is(word, "OPTOUT") => {
                opts_out = true;
                rest
            }
            _ => {
                let word = String::from_utf8_lossy(word).into_owned();
                server.beyond.get_or_insert_with(|| format!("CLIENT TRACKING {word}"));
                return syntax();
            }
        };
    }
    if is(on, "ON") {
        server.tracking.on(id, redirect, deaf, opts_out);
    } else if is(on, "OFF") {
        server.tracking.off(id);
    } else {
        return syntax();
    }
    Reply::OK
}

/// What the next command reads, or the transaction that it begins, is not to be remembered.
fn caching(server: &mut Server, id: u64, answer: &[u8]) -> Reply {
    if !server.tracking.is_on(id) {
        return Reply::error(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        );
    }
    if is(answer, "NO") {
        if server.tracking.opt_out(id) {
            return Reply::OK;
        }
        return Reply::error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    }
    if is(answer, "YES") {
        return Reply::error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    }
    syntax()
}

pub(super) fn multi(server: &mut Server, id: u64, _: &[Bytes]) -> Reply {
    let client = client_of(server, id);
    if client.transaction.is_some() {
        return Reply::error("ERR MULTI calls can not be nested");
    }
    client.transaction = Some(Transaction::default());
    Reply::OK
}

pub(super) fn discard(server: &mut Server, id: u64, _: &[Bytes]) -> Reply {
    match client_of(server, id).transaction.take() {
        Some(_) => Reply::OK,
        None => Reply::error("ERR DISCARD without MULTI"),
    }
}

pub(super) fn exec(server: &mut Server, id: u64, _: &[Bytes]) -> Reply {
    match client_of(server, id).transaction.take() {
        None => Reply::error("ERR EXEC without MULTI"),
        Some(transaction) if transaction.spoilt => {
            Reply::error("EXECABORT Transaction discarded because of previous errors.")
        }
        Some(transaction) => {
            Reply::Array(transaction.queued.iter().map(|(spec, args)| server.execute(id, spec, args)).collect())
        }
    }
}

pub(super) fn info(server: &mut Server, _: u64, _: &[Bytes]) -> Reply {
    let role = if server.condition.read_only { "slave" } else { "master" };
    let mut text = format!(
        "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nrun_id:{run_id:040x}\r\n\r\n# Clients\r\n\
         connected_clients:{clients}\r\n\r\n# Persistence\r\nloading:{loading}\r\n\r\n# Replication\r\nrole:{role}\r\n\r\n\
         # Keyspace\r\n",
        run_id = server.run_id,
        clients = server.clients.len(),
        loading = u8::from(server.condition.loading),
    );
    for database in 0..DATABASES {
        let (keys, expiring) = server
            .keys
            .iter(database)
            .fold((0, 0), |(keys, expiring), (_, slot)| (keys + 1, expiring + u32::from(slot.deadline.is_some())));
        if keys > 0 {
            text.push_str(&format!("db{database}:keys={keys},expires={expiring},avg_ttl=0\r\n"));
        }
    }
    Reply::text(text)
}

pub(super) fn role(server: &mut Server, _: u64, _: &[Bytes]) -> Reply {
    if server.condition.read_only {
        let words = [Reply::text("slave"), Reply::text("127.0.0.1"), Reply::Int(6379), Reply::text("connected")];
        return Reply::Array(words.into_iter().chain([Reply::Int(0)]).collect());
    }
    Reply::Array(vec![Reply::text("master"), Reply::Int(0), Reply::Array(Vec::new())])
}

pub(super) fn config(server: &mut Server, _: u64, args: &[Bytes]) -> Reply {
    match &args[1..] {
        [word, names @ ..] if is(word, "GET") && !names.is_empty() => {
            let memory = if server.condition.out_of_memory { "1" } else { "0" };
            let known =
                [("maxmemory", memory), ("maxmemory-policy", "noeviction"), ("tracking-table-max-keys", "1000000")];
            let asked = |name: &str| names.iter().any(|asked| asked.eq_ignore_ascii_case(name.as_bytes()));
            let pairs = known.iter().filter(|(name, _)| asked(name));
            Reply::Map(pairs.map(|(name, value)| (Reply::text(*name), Reply::text(*value))).collect())
        }
        [word, name, value] if is(word, "SET") && is(name, "MAXMEMORY") => match integer(value) {
            Some(bytes) => {
                server.condition.out_of_memory = (1..NO_MEMORY).contains(&bytes);
                Reply::OK
            }
            None => Reply::error(
                "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value",
            ),
        },
        _ => {
            server.beyond.get_or_insert_with(|| "CONFIG of another setting".into());
            Reply::error("ERR unknown subcommand or wrong number of arguments for CONFIG")
        }
    }
}
