//! The suite on a store that overrides no default method: waiting for its clock, and stepping it.

mod waiting {
    use hallway_testkit::{Fixture, PlainStore};

    async fn fixture() -> Fixture {
        Fixture::new(PlainStore::new())
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, LocalRead, Shared] }
}

mod stepping {
    use std::sync::Arc;

    use hallway_testkit::{Fixture, ManualClock, PlainStore};

    async fn fixture() -> Fixture {
        let clock = ManualClock::new();
        Fixture::new(PlainStore::new().with_clock(Arc::new(clock.clone()))).with_clock(clock)
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, LocalRead, Shared] }
}
