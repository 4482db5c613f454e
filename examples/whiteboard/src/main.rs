//! The demonstration as a program of its own, which its tests start.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallway_whiteboard::main()
}
