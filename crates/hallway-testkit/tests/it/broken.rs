//! The suite is tested, too: a store with one defect fails on the clauses that speak of it, and on no others.

mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hallway_testkit::conformance::{self, Capability, Form};
use hallway_testkit::{Fixture, ManualClock, PlainStore};

use self::store::{Broken, Defect};

async fn fixture(defect: Defect) -> Fixture {
    let clock = ManualClock::new();
    let plain = PlainStore::new().with_clock(Arc::new(clock.clone()));
    let store = Broken::new(plain, defect);
    let (same, failed) = (store.clone(), store.failed());
    Fixture::new(store)
        .with_clock(clock)
        .with_reopen(move || std::future::ready(same.clone()))
        .with_failed(move || std::future::ready(failed.clone()))
}

/// Runs every clause on a store with `defect` and compares the numbers of those that fail: all of `must`, and beside
/// them none but those of `may`, whose races the defect loses on most days only.
fn check(defect: Defect, form: Form, must: &[u32], may: &[u32]) {
    let mut failing: Vec<u32> = conformance::clauses()
        .iter()
        .filter(|clause| {
            let run = || conformance::check(form, || fixture(defect), clause.name);
            catch_unwind(AssertUnwindSafe(run)).is_err()
        })
        .map(|clause| clause.name[1..3].parse().unwrap())
        .collect();
    failing.retain(|number| !may.contains(number));
    assert_eq!(failing, must, "the clauses that fail with {defect:?}, and those that should");
}

fn fails(defect: Defect, must: &[u32], may: &[u32]) {
    check(defect, Form::Concrete, must, may);
}

fn passes(defect: Defect) {
    for form in [Form::Concrete, Form::Dynamic, Form::Prefixed] {
        check(defect, form, &[], &[]);
    }
}

#[test]
fn a_store_without_defect_passes() {
    passes(Defect::None);
}

#[test]
fn a_store_that_can_do_little_passes() {
    passes(Defect::Minimal);
}

#[test]
fn a_store_that_reads_locally_passes() {
    passes(Defect::ReadsLocally);
}

#[test]
fn a_store_that_drops_the_ttl_fails() {
    fails(
        Defect::DropsTtl,
        &[
            11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 35, 36, 39, 40, 47, 48,
            50, 51, 62, 63, 85, 87, 90, 98,
        ],
        &[],
    );
}

#[test]
fn a_store_that_changes_a_byte_fails() {
    fails(Defect::ChangesAByte, &[3, 4, 6, 7], &[]);
}

#[test]
fn a_store_that_turns_errors_into_none_fails() {
    fails(Defect::TurnsErrorsIntoNone, &[93, 95], &[]);
}

#[test]
fn a_store_that_takes_in_two_steps_fails() {
    fails(Defect::TakesInTwoSteps, &[79], &[42]);
}

#[test]
fn a_store_that_reorders_get_many_fails() {
    fails(Defect::ReordersGetMany, &[2, 4, 23, 53, 54, 55, 56, 59, 61, 99], &[]);
}

#[test]
fn a_store_that_inserts_in_two_steps_fails() {
    fails(Defect::InsertsInTwoSteps, &[77], &[83]);
}

#[test]
fn a_store_that_swaps_in_two_steps_fails() {
    fails(Defect::SwapsInTwoSteps, &[78, 82], &[83, 84]);
}

#[test]
fn a_store_that_touches_by_writing_back_fails() {
    fails(Defect::TouchesByWritingBack, &[84], &[]);
}

#[test]
fn a_store_that_drops_a_fresh_entry_for_a_dead_one_fails() {
    fails(Defect::DropsFreshEntries, &[30], &[]);
}

#[test]
fn a_store_that_keeps_the_old_ttl_fails() {
    fails(Defect::KeepsTheOldTtl, &[15, 18, 19, 20, 32, 33, 35, 62, 63], &[85]);
}

#[test]
fn a_store_that_tells_lives_in_seconds_fails() {
    fails(Defect::TellsLivesInSeconds, &[15], &[]);
}

#[test]
fn a_store_that_renews_counters_fails() {
    fails(Defect::RenewsCounters, &[48], &[]);
}

#[test]
fn a_store_that_folds_case_fails() {
    fails(Defect::FoldsCase, &[53, 54, 55, 56, 58, 73], &[]);
}

#[test]
fn a_store_whose_prefix_leaks_fails() {
    fails(Defect::LeaksAcrossPrefixes, &[56, 69, 70, 74, 75], &[]);
}

#[test]
fn a_store_whose_scan_skips_fails() {
    fails(Defect::SkipsInScans, &[57, 58, 66, 67, 71, 72, 73, 75], &[]);
}

#[test]
fn a_store_that_serves_old_copies_fails() {
    fails(Defect::ServesOldCopies, &[88], &[]);
}

#[test]
fn a_store_that_shows_its_keys_fails() {
    fails(Defect::ShowsKeys, &[94], &[]);
}

#[test]
fn a_store_that_claims_too_much_fails() {
    fails(Defect::ClaimsTouch, &[25, 43, 44, 45, 46, 57, 84, 97], &[]);
}

/// A durable store whose test does not say how to open it again, or how it looks broken, gets no silent pass.
#[test]
fn a_lasting_store_without_a_second_handle_fails() {
    for name in ["c90_another_handle_sees_the_same_entries", "c95_a_failed_backend_is_an_error_never_a_miss"] {
        let bare = async || Fixture::new(Broken::new(PlainStore::new(), Defect::None));
        let run = || conformance::check(Form::Concrete, bare, name);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "{name}");
    }
}

#[test]
#[should_panic(expected = "must name exactly what `capabilities()` deny")]
fn a_capability_that_is_lacking_in_silence_fails() {
    conformance::check_lacks(|| fixture(Defect::Minimal), &[Capability::Touch]);
}

#[test]
#[should_panic(expected = "must name exactly what `capabilities()` deny")]
fn a_capability_that_is_there_after_all_fails() {
    conformance::check_lacks(|| fixture(Defect::None), &[Capability::LocalRead, Capability::Touch]);
}

#[test]
#[should_panic(expected = "no clause `c07_something_else`")]
fn a_clause_that_does_not_exist_fails() {
    conformance::check(Form::Concrete, || fixture(Defect::None), "c07_something_else");
}

#[test]
fn clauses_are_numbered_without_a_gap() {
    for (number, clause) in (1..).zip(conformance::clauses()) {
        assert!(clause.name.starts_with(&format!("c{number:02}_")), "{} is number {number}", clause.name);
    }
}
