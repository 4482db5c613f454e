//! What onlookers are told: a span for each attempt to connect, and the counts of a store. Never a login, never a key.

use hallway_core::{Count, Counted, ErrorKind};
use tracing::Span;
use tracing::field::Empty;

use crate::target::Address;
use crate::{RedisStats, RedisStore};

/// A span of one attempt, with the field names of OpenTelemetry's conventions for databases.
pub(crate) fn of_connect(address: &Address) -> Span {
    let (host, port) = match address {
        Address::Tcp { host, port } => (host.clone(), Some(*port)),
        other => (other.to_string(), None),
    };
    #[cfg(feature = "otel")]
    let span = tracing::debug_span!(
        "hallway.connect",
        "otel.name" = display(format_args!("connect {address}")),
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "db.system.name" = "redis",
        "db.operation.name" = "connect",
        "server.address" = display(host),
        "server.port" = port,
        "error.type" = Empty,
    );
    #[cfg(not(feature = "otel"))]
    let span = tracing::debug_span!(
        "hallway.connect",
        "db.system.name" = "redis",
        "db.operation.name" = "connect",
        "server.address" = display(host),
        "server.port" = port,
        "error.type" = Empty,
    );
    span
}

/// Says in a span how its attempt failed.
pub(crate) fn failed(span: &Span, kind: ErrorKind) {
    span.record("error.type", kind.as_str());
    #[cfg(feature = "otel")]
    span.record("otel.status_code", "ERROR");
}

impl Counted for RedisStore {
    fn tell(&self, each: &mut dyn FnMut(Count<'_>)) {
        let RedisStats { coalesced_batches, coalesced_reads, connections, foreign_keys, skipped_keys } = self.stats();
        for (name, help, value) in [
            (
                "hallway_redis_coalesced_batches_total",
                "Batches of concurrent reads sent as one command.",
                coalesced_batches,
            ),
            ("hallway_redis_coalesced_reads_total", "Reads answered by those batches.", coalesced_reads),
            ("hallway_redis_connections_total", "Connections made to Redis, the first ones included.", connections),
            ("hallway_redis_foreign_keys_total", "Times that a key was of a foreign type.", foreign_keys),
            ("hallway_redis_skipped_keys_total", "Keys met by scan and clear that are none of hallway.", skipped_keys),
        ] {
            each(Count::new(name, help, value));
        }
    }
}
