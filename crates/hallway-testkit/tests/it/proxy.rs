//! FaultProxy and DelayProxy before servers, real ones and sockets of this process.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hallway_testkit::servers::RedisServer;
use hallway_testkit::{DelayProxy, Direction, FaultProxy, LinkFault};

const SHORT: Duration = Duration::from_millis(150);

/// A server that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                std::io::copy(&mut &stream, &mut &stream)
            });
        }
    });
    addr
}

fn client(proxy: &FaultProxy) -> TcpStream {
    let client = TcpStream::connect(proxy.addr()).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client
}

fn ask(client: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    client.write_all(bytes)?;
    let mut reply = vec![0; bytes.len()];
    client.read_exact(&mut reply)?;
    Ok(reply)
}

fn is_silent(client: &TcpStream) -> bool {
    client.set_read_timeout(Some(SHORT)).unwrap();
    let silent = (&*client)
        .read(&mut [0; 1])
        .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    silent
}

#[test]
fn passes_bytes_and_counts_round_trips() {
    let proxy = FaultProxy::start(echo()).unwrap();
    let mut client = client(&proxy);
    for _ in 0..3 {
        assert_eq!(ask(&mut client, b"hello").unwrap(), b"hello");
    }
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| i as u8).collect();
    let (mut writer, copy) = (client.try_clone().unwrap(), large.clone());
    let writing = thread::spawn(move || writer.write_all(&copy).unwrap());
    let mut back = vec![0; large.len()];
    client.read_exact(&mut back).unwrap();
    writing.join().unwrap();
    assert!(back == large);
    let stats = proxy.stats();
    assert_eq!((stats.connections, stats.to_server, stats.to_client), (1, 3_000_015, 3_000_015));
    assert!(stats.round_trips >= 4);
}

#[test]
fn three_questions_are_three_round_trips() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let mut client = client(&proxy);
    for _ in 0..3 {
        client.write_all(b"PING\r\n").unwrap();
        client.read_exact(&mut [0; 7]).unwrap();
    }
    assert_eq!(proxy.stats().round_trips, 3);
    client.write_all(b"PING\r\nPING\r\n").unwrap();
    client.read_exact(&mut [0; 14]).unwrap();
    assert_eq!(proxy.stats().round_trips, 4);
}

#[test]
fn latency_is_per_direction_and_overlaps_in_a_pipeline() {
    let proxy = FaultProxy::start(echo()).unwrap();
    proxy.set_latency(Direction::ToClient, Duration::from_millis(50));
    let mut client = client(&proxy);
    let began = Instant::now();
    for i in 0..20 {
        client.write_all(&[i]).unwrap();
    }
    client.read_exact(&mut [0; 20]).unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_delay_below_a_millisecond_is_kept() {
    let far = DelayProxy::start(echo(), Duration::from_micros(500)).unwrap();
    let mut client = TcpStream::connect(far.addr()).unwrap();
    client.set_nodelay(true).unwrap();
    let mut fastest = Duration::MAX;
    for _ in 0..100 {
        let began = Instant::now();
        ask(&mut client, b"x").unwrap();
        let took = began.elapsed();
        assert!(took >= Duration::from_micros(500));
        fastest = fastest.min(took);
    }
    // tokio's own timers would need 2 ms. The best of many: the rest shows how busy the machine is.
    assert!(fastest < Duration::from_micros(1_200), "{fastest:?}");
}

#[test]
fn a_black_hole_swallows_and_healing_resets_what_lost_bytes() {
    let proxy = FaultProxy::start(echo()).unwrap();
    let mut lossy = client(&proxy);
    let mut idle = client(&proxy);
    assert_eq!(ask(&mut idle, b"a").unwrap(), b"a");
    proxy.set(Direction::ToClient, LinkFault::BlackHole);
    lossy.write_all(b"lost").unwrap();
    assert!(is_silent(&lossy));
    proxy.heal();
    assert_eq!(lossy.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(ask(&mut idle, b"b").unwrap(), b"b");
}

#[test]
fn a_stall_delivers_late() {
    let proxy = FaultProxy::start(echo()).unwrap();
    let mut client = client(&proxy);
    proxy.set_both(LinkFault::Stall);
    client.write_all(b"late").unwrap();
    assert!(is_silent(&client));
    proxy.heal();
    let mut reply = [0; 4];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"late");
}

#[test]
fn cuts_resets_and_corrupts_at_the_byte_asked_for() {
    let proxy = FaultProxy::start(echo()).unwrap();
    proxy.set(Direction::ToClient, LinkFault::CutAfter(3));
    let mut cut = client(&proxy);
    cut.write_all(b"hello").unwrap();
    let mut got = Vec::new();
    // The rest of the echo makes the proxy's socket close with unread bytes or without: both are an end.
    let _end = cut.read_to_end(&mut got);
    assert_eq!(got, b"hel");

    proxy.set(Direction::ToClient, LinkFault::ResetAfter(0));
    let mut reset = client(&proxy);
    reset.write_all(b"hello").unwrap();
    assert_eq!(reset.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    proxy.set(Direction::ToClient, LinkFault::Corrupt(1));
    let mut corrupt = client(&proxy);
    assert_eq!(ask(&mut corrupt, b"abc").unwrap(), [b'a', !b'b', b'c']);
    assert_eq!(ask(&mut corrupt, b"abc").unwrap(), b"abc");

    proxy.set(Direction::ToClient, LinkFault::Drip(1, Duration::from_millis(20)));
    let mut drip = client(&proxy);
    let began = Instant::now();
    assert_eq!(ask(&mut drip, b"slow").unwrap(), b"slow");
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[test]
fn refuses_resets_and_comes_back_on_the_same_port() {
    let proxy = FaultProxy::start(echo()).unwrap();
    let mut first = client(&proxy);
    assert_eq!(ask(&mut first, b"a").unwrap(), b"a");
    proxy.refuse();
    assert!(ask(&mut first, b"b").is_err());
    assert_eq!(TcpStream::connect(proxy.addr()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.heal();
    let mut second = client(&proxy);
    assert_eq!(ask(&mut second, b"c").unwrap(), b"c");
    proxy.reset_connections();
    assert!(ask(&mut second, b"d").is_err());
    assert_eq!(ask(&mut client(&proxy), b"e").unwrap(), b"e");
}

#[test]
fn a_dead_upstream_resets_and_dropping_the_proxy_ends_it() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = FaultProxy::start(closed).unwrap();
    assert!(client(&proxy).read(&mut [0; 1]).is_err());
    let addr = proxy.addr();
    let (done, waits) = mpsc::channel();
    thread::spawn(move || {
        drop(proxy);
        done.send(()).unwrap();
    });
    waits.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(TcpStream::connect(addr).is_err());
}
