//! The examples of the guide do what they say: each asserts it.

#[path = "../../examples/cache_aside.rs"]
mod cache_aside;
#[path = "../../examples/degradation.rs"]
mod degradation;
#[path = "../../examples/invalidation.rs"]
mod invalidation;
#[cfg(feature = "session")]
#[path = "../../examples/sessions.rs"]
mod sessions;
#[path = "../../examples/stampede.rs"]
mod stampede;

#[test]
fn cache_aside_runs() {
    cache_aside::main().unwrap();
}

#[test]
fn degradation_runs() {
    degradation::main().unwrap();
}

#[test]
fn invalidation_runs() {
    invalidation::main().unwrap();
}

#[cfg(feature = "session")]
#[test]
fn sessions_runs() {
    sessions::main().unwrap();
}

#[test]
fn stampede_runs() {
    stampede::main().unwrap();
}
