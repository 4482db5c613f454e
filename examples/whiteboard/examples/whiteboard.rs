//! The demonstration: `cargo run --release --example whiteboard`, then open the address that it prints.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallway_whiteboard::main()
}
