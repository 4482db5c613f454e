//! When a local tier that is kept fresh by a bus pays over reading the shared tier.

/// What one write costs through the bus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BusCosts {
    /// Receiving and applying an invalidation, in each instance.
    pub receive: f64,
    /// Publishing it, in the instance that wrote.
    pub publish: f64,
    /// The misses that one invalidation causes in an instance, on average: their share times what they cost.
    pub extra_misses: f64,
}

/// What a hit of the local tier saves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalGain {
    /// Share of the reads that the local tier answers.
    pub hit_ratio: f64,
    /// What a read of the local tier costs.
    pub local_read: f64,
    /// What a read of the shared tier costs.
    pub shared_read: f64,
}

impl LocalGain {
    fn per_read(&self) -> f64 {
        self.hit_ratio * (self.shared_read - self.local_read)
    }
}

/// Whether the local tier of one instance saves more than its bus costs there (F10).
///
/// `h1 (t2 - t1) reads > c_inv writes_total + c_pub own_writes + extra misses`, all rates per second: `reads` and
/// `own_writes` of this instance, `writes_total` of all.
pub fn local_pays_over_shared(
    gain: LocalGain,
    costs: BusCosts,
    reads: f64,
    own_writes: f64,
    writes_total: f64,
) -> bool {
    gain.per_read() * reads > (costs.receive + costs.extra_misses) * writes_total + costs.publish * own_writes
}

/// The writes per read up to which [`local_pays_over_shared`] holds in each of `instances` that share reads and writes evenly (F10).
///
/// 0 if a local read is no cheaper; infinity if the bus costs nothing.
pub fn most_writes_per_read(gain: LocalGain, costs: BusCosts, instances: u32) -> f64 {
    let saved = gain.per_read();
    if saved <= 0.0 {
        return 0.0;
    }
    let spent = (costs.receive + costs.extra_misses) * f64::from(instances.max(1)) + costs.publish;
    if spent == 0.0 { f64::INFINITY } else { saved / spent }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FREE: BusCosts = BusCosts { receive: 0.0, publish: 0.0, extra_misses: 0.0 };

    #[test]
    fn limits() {
        let gain = LocalGain { hit_ratio: 0.9, local_read: 1.0, shared_read: 50.0 };
        assert_eq!(most_writes_per_read(gain, FREE, 3), f64::INFINITY);
        assert!(local_pays_over_shared(gain, FREE, 1.0, 0.0, 1e9));
        let slower = LocalGain { local_read: 60.0, ..gain };
        assert_eq!(most_writes_per_read(slower, FREE, 3), 0.0);
        assert!(!local_pays_over_shared(slower, FREE, 1.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn it_pays_below_the_most_and_not_above(
            hit_ratio in 0.01..1.0f64, local_read in 0.0..10.0, saved in 1.0..1e4, receive in 0.1..1e3,
            publish in 0.0..1e3, extra_misses in 0.0..1e3, instances in 1u32..64,
        ) {
            let gain = LocalGain { hit_ratio, local_read, shared_read: local_read + saved };
            let costs = BusCosts { receive, publish, extra_misses };
            let most = most_writes_per_read(gain, costs, instances);
            let share = 1.0 / f64::from(instances);
            let pays = |writes: f64| local_pays_over_shared(gain, costs, share, writes * share, writes);
            prop_assert!(pays(most * 0.999));
            prop_assert!(!pays(most * 1.001));
            prop_assert!(most_writes_per_read(gain, costs, instances + 1) < most);
        }
    }
}
