//! The counts of sessions, for whoever publishes them.

use hallway_core::{Codec, Count, Counted, Namespace};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sessions::Sessions;
use crate::stats::SessionStats;

impl<S, C> Counted for Sessions<S, C>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    fn tell(&self, each: &mut dyn FnMut(Count<'_>)) {
        tell(self.stats(), self.namespace(), each);
    }
}

#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
impl Counted for crate::tower::TowerStore {
    fn tell(&self, each: &mut dyn FnMut(Count<'_>)) {
        tell(self.stats(), self.namespace(), each);
    }
}

fn tell(stats: SessionStats, namespace: &Namespace, each: &mut dyn FnMut(Count<'_>)) {
    // Taken apart field by field, so that a new count is not forgotten here.
    let SessionStats {
        created,
        loaded,
        gone,
        incompatible,
        damaged,
        touched,
        untouched,
        saved,
        conflicts,
        rotated,
        deleted,
        evicted,
        unavailable,
    } = stats;
    for (name, help, value) in [
        ("hallway_session_created_total", "Sessions made, those made by a rotation not among them.", created),
        ("hallway_session_loaded_total", "Loads that found a live session.", loaded),
        ("hallway_session_gone_total", "Loads, saves and rotations that found none.", gone),
        ("hallway_session_incompatible_total", "Loads that found a record of another shape.", incompatible),
        ("hallway_session_damaged_total", "Records that were not what was written.", damaged),
        ("hallway_session_touched_total", "Times that an idle timeout began anew in the store.", touched),
        ("hallway_session_untouched_total", "Times that it could not.", untouched),
        ("hallway_session_saved_total", "Records replaced.", saved),
        ("hallway_session_conflicts_total", "Saves that another save had come before.", conflicts),
        ("hallway_session_rotated_total", "New ids given.", rotated),
        ("hallway_session_deleted_total", "Sessions ended before their time.", deleted),
        ("hallway_session_evicted_total", "Sessions ended because their subject had too many.", evicted),
        ("hallway_session_unavailable_total", "Calls that failed because the store did not answer.", unavailable),
    ] {
        each(Count::new(name, help, value).within(namespace.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use hallway_testkit::PlainStore;

    use super::*;
    use crate::{NewSession, SessionsExt};

    #[tokio::test]
    async fn every_count_is_told_by_its_name_and_namespace_and_nothing_else_is() {
        let sessions: Sessions<String> = PlainStore::new().sessions("shop:session").build().unwrap();
        let canary = "canary-7f3a";
        let id = sessions.create(NewSession::new(canary.to_owned()).subject(canary).label(canary)).await.unwrap();
        assert!(sessions.load(&id).await.unwrap().live().is_some());
        assert!(sessions.delete(&id).await.unwrap());
        assert!(sessions.load(&id).await.unwrap().live().is_none());
        let mut told = Vec::new();
        sessions.tell(&mut |count| {
            assert_eq!(count.namespace, Some("shop:session"));
            assert!(!format!("{count:?}").contains(canary));
            told.push((count.name.to_owned(), count.value));
        });
        let counted = sessions.stats();
        let expected: Vec<_> =
            counted.iter().map(|(name, count)| (format!("hallway_session_{name}_total"), count)).collect();
        assert_eq!(told, expected);
        assert_eq!((counted.created, counted.loaded, counted.deleted, counted.gone), (1, 1, 1, 1));
    }
}
