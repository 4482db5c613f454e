//! What a namespace is called in labels: a bounded number of names, however many namespaces there are.

#[cfg(feature = "metrics")]
pub(crate) use self::known::{Label, Labels};
#[cfg(not(feature = "metrics"))]
pub(crate) use self::unknown::{Label, Labels};

#[cfg(feature = "metrics")]
mod known {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex, PoisonError};

    use metrics::SharedString;

    /// Names that one store gives to namespaces. An application that makes a cache for each of its users must not make as
    /// many time series.
    const MOST: usize = 64;

    /// What those are called that have no name of their own.
    const OTHERS: &str = "other";

    /// The value of the label `namespace`.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Label(Option<Arc<str>>);

    impl Label {
        pub(crate) fn shared(&self) -> SharedString {
            self.0.clone().map_or(SharedString::const_str(OTHERS), SharedString::from_shared)
        }
    }

    /// The names given so far.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Labels(Arc<Mutex<BTreeSet<Arc<str>>>>);

    impl Labels {
        /// The name of a namespace that was configured or is cached.
        pub(crate) fn of(&self, namespace: &str) -> Label {
            // Names are inserted whole.
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(name) = names.get(namespace) {
                return Label(Some(Arc::clone(name)));
            }
            if names.len() >= MOST {
                return Self::others();
            }
            let name: Arc<str> = namespace.into();
            names.insert(Arc::clone(&name));
            Label(Some(name))
        }

        pub(crate) fn others() -> Label {
            Label(None)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn beyond_the_bound_namespaces_share_a_name() {
            let labels = Labels::default();
            let names: BTreeSet<Label> = (0..10 * MOST).map(|at| labels.of(&format!("user:{at}"))).collect();
            assert_eq!(names.len(), MOST + 1);
            assert_eq!(&*labels.of("user:0").shared(), "user:0", "one that has a name keeps it");
            assert_eq!(&*labels.clone().of("late").shared(), OTHERS);
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod unknown {
    /// Nobody asks.
    #[derive(Debug, Clone)]
    pub(crate) struct Label;

    #[derive(Debug, Clone, Default)]
    pub(crate) struct Labels(());

    impl Labels {
        pub(crate) fn of(&self, _namespace: &str) -> Label {
            Label
        }

        pub(crate) fn others() -> Label {
            Label
        }
    }
}
