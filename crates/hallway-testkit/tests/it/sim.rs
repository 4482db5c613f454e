//! The simulated world: its Redis is held against a real one, its faults do what they are called, its runs repeat.

mod differential;
mod network;
mod process;
mod repeat;
mod resp;
mod server;
mod sql;
