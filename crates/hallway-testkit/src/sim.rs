//! A world in one thread and without real time: processes, a network, a Redis and a database made from a seed.
//!
//! Production code runs in it unchanged: on byte streams ([`SimLink`]) against a server that speaks the protocol
//! ([`SimRedis`]), and against an authority ([`SimSqlStore`]) whose commits can be slow, fail or stay unknown. Everything
//! that can go wrong is a call on a handle, and happens at the same moment in every run of the same seed.
//!
//! | piece | what it can do wrong |
//! |---|---|
//! | [`SimLink`] | cut, black hole in either direction, stall, slow, refuse, lose silently |
//! | [`SimRedis`] | stop, stall, restart empty, fail over and forget writes, evict, flush, no memory, read-only, loading |
//! | [`SimSql`] | slow, refused, failed or unknown statements that commit or not, late commits |
//! | [`SimProcess`] | be killed, stand still, be started again, have a wrong clock |
//!
//! Begin with [`run`].

mod clock;
mod net;
mod process;
mod redis;
mod rng;
mod sql;
mod world;

pub use self::clock::{ClockSkew, SimClock};
pub use self::net::{Latency, ProcessId, SimDirection, SimLink, SimNet, SimStream};
pub use self::process::{SimProcess, SimTask};
#[doc(hidden)]
pub use self::redis::BareRedis;
pub use self::redis::SimRedis;
pub use self::rng::SimRng;
pub use self::sql::{SimSql, SimSqlStore, SqlCommit, SqlFate, SqlFaults};
pub use self::world::{World, run};
