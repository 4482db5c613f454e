//! The contract, on the machine's clock and on one that the suite steps.

mod system_clock {
    use hallway_moka::MokaStore;
    use hallway_testkit::Fixture;

    async fn fixture() -> Fixture {
        Fixture::new(MokaStore::builder().build().unwrap())
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, Shared] }
}

mod manual_clock {
    use std::sync::Arc;

    use hallway_moka::MokaStore;
    use hallway_testkit::{Fixture, ManualClock};

    async fn fixture() -> Fixture {
        let clock = ManualClock::new();
        let store = MokaStore::builder().with_clock(Arc::new(clock.clone())).build().unwrap();
        Fixture::new(store).with_clock(clock)
    }

    hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, Shared] }
}
