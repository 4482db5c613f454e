//! Servers that lie about lengths, or are no Redis at all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hallway_core::{ErrorKind, KvStore, SetOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{key, namespace, open, within};

/// A server that lets log in and answers everything else with `reply`, then with zeros for as long as they are taken.
async fn liar(reply: &'static [u8], flood: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(lie(stream, reply, flood));
        }
    });
    address
}

async fn log_in(stream: &mut TcpStream) -> Option<()> {
    let mut buffer = vec![0; 4096];
    let mut seen = Vec::new();
    let logged_in = b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n+OK\r\n+OK\r\n";
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(&buffer[..read]);
        if seen.windows(8).any(|word| word == b"LIB-VER\r") {
            break;
        }
    }
    stream.write_all(logged_in).await.ok()
}

async fn lie(mut stream: TcpStream, reply: &'static [u8], flood: bool) -> Option<()> {
    let mut buffer = vec![0; 4096];
    log_in(&mut stream).await?;
    loop {
        stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        stream.write_all(reply).await.ok()?;
        if flood {
            loop {
                stream.write_all(&[0; 65_536]).await.ok()?;
            }
        }
    }
}

/// Bytes of memory this process holds.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_gigabyte_ends_by_the_deadline_and_is_never_held() {
    let _memory = crate::MEMORY.lock().await;
    for reply in [&b"$1073741824\r\n"[..], b"*1\r\n$1073741824\r\n", b"=1073741824\r\ntxt:"] {
        let address = liar(reply, true).await;
        let store = open(&format!("redis://{address}?deadline=300ms")).await;
        let key = key(&namespace(), "k");
        let before = resident();
        let start = Instant::now();
        let error = store.get(&key).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Unavailable), "{error}");
        // The flood goes on behind it.
        for _ in 0..3 {
            let start = Instant::now();
            store.get(&key).await.unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(1));
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 << 20, "{} MiB", grown >> 20);
    }
}

/// A server that answers the first question with an array of a million strings of this length, and sends them.
async fn torrent(length: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let string = [format!("${length}\r\n").into_bytes(), vec![b'x'; length], b"\r\n".to_vec()].concat();
        while let Ok((mut stream, _)) = listener.accept().await {
            let string = string.clone();
            tokio::spawn(async move {
                log_in(&mut stream).await?;
                stream.read(&mut [0; 4096]).await.ok().filter(|read| *read > 0)?;
                stream.write_all(b"*1048576\r\n").await.ok()?;
                for _ in 0..1 << 20 {
                    stream.write_all(&string).await.ok()?;
                }
                Some(())
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_strings_that_each_fit_the_cap_are_not_held_either() {
    let _memory = crate::MEMORY.lock().await;
    for length in [1 << 20, 90_000] {
        let address = torrent(length).await;
        let store = open(&format!("redis://{address}?deadline=1s")).await;
        let before = resident();
        let error = store.get_many(&[key(&namespace(), "k")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let grown = resident().saturating_sub(before);
        assert!(grown < 512 << 20, "{length}: {} MiB", grown >> 20);
    }
}

#[tokio::test]
async fn a_length_that_no_server_has_ends_the_connection() {
    let address = liar(b"$999999999999999999\r\n", true).await;
    let store = open(&format!("redis://{address}?deadline=10s")).await;
    let start = Instant::now();
    let error = store.set(&key(&namespace(), "k"), "v".into(), SetOptions::new(crate::MINUTE)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(start.elapsed() < Duration::from_secs(5), "the connection ends, nobody waits for the deadline");
}

#[tokio::test]
async fn what_is_no_redis_is_unavailable_by_the_deadline() {
    for reply in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"*1000000000\r\n",
        b"$-7\r\n",
        b"\x00\x01\x02\xff\xfe",
        b"+OK\r\n",
        b"*2\r\n+a\r\n+b\r\n",
        b":99\r\n",
        b"$5\r\nhe",
    ] {
        let address = liar(reply, false).await;
        let store = open(&format!("redis://{address}?deadline=300ms")).await;
        let key = key(&namespace(), "k");
        let start = Instant::now();
        let error = store.get(&key).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(1), "{reply:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}: {error}", reply.escape_ascii());
    }
}

#[tokio::test]
async fn an_answer_to_another_question_ends_the_connection() {
    let address = liar(b":99\r\n", false).await;
    let store = open(&format!("redis://{address}?deadline=300ms")).await;
    store.get(&key(&namespace(), "k")).await.unwrap_err();
    within(Duration::from_secs(3), "replaced", async || store.stats().connections >= 2).await;
}

#[tokio::test]
async fn a_server_that_speaks_something_else_from_the_start_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    });
    let store = open(&format!("redis://{address}")).await;
    let error = store.get(&key(&namespace(), "k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("Redis server"), "{error}");
}
