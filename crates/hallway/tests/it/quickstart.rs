//! The first example does what it says.

#[path = "../../examples/quickstart.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().unwrap();
}
