//! The suite is tested, too: a store with one defect fails on the clauses that speak of it, and on no others.

mod slips;
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hallway_testkit::conformance::{self, Capability, Clause, Form};
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

/// A defect, the numbers of the clauses that must fail, and of those whose races it loses on most days only.
type Case = (Defect, &'static [u32], &'static [u32]);

/// Beside these clauses, none may fail.
const DEFECTS: &[Case] = &[
    (
        Defect::DropsTtl,
        &[
            11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 35, 36, 39, 40, 47, 48,
            50, 51, 62, 63, 85, 87, 90, 98,
        ],
        &[],
    ),
    (Defect::ChangesAByte, &[3, 4, 6, 7], &[]),
    (Defect::TurnsErrorsIntoNone, &[93, 95], &[]),
    (Defect::TakesInTwoSteps, &[79], &[42]),
    (Defect::ReordersGetMany, &[2, 4, 23, 53, 54, 55, 56, 59, 61, 99], &[]),
    (Defect::InsertsInTwoSteps, &[77], &[83]),
    (Defect::SwapsInTwoSteps, &[78, 82], &[83, 84]),
    (Defect::TouchesByWritingBack, &[84], &[]),
    (Defect::DropsFreshEntries, &[30], &[]),
    (Defect::KeepsTheOldTtl, &[15, 18, 19, 20, 32, 33, 35, 62, 63], &[85]),
    (Defect::TellsLivesInSeconds, &[15], &[]),
    (Defect::RenewsCounters, &[48], &[]),
    (Defect::FoldsCase, &[53, 54, 55, 56, 58, 73], &[]),
    (Defect::LeaksAcrossPrefixes, &[56, 69, 70, 74, 75], &[]),
    (Defect::SkipsInScans, &[57, 58, 66, 67, 71, 72, 73, 75], &[]),
    (Defect::ServesOldCopies, &[88], &[]),
    (Defect::ShowsKeys, &[94], &[]),
    (Defect::ClaimsTouch, &[25, 43, 44, 45, 46, 57, 84, 97], &[]),
];

/// Runs every clause on a store with `defect` and compares the numbers of those that fail: all of `must`, and beside
/// them none but those of `may`.
fn check(form: Form, &(defect, must, may): &Case) {
    let clauses = conformance::clauses().iter();
    let failing = clauses.filter(|clause| breaks(form, || fixture(defect), clause)).map(number);
    let failing: Vec<u32> = failing.filter(|number| !may.contains(number)).collect();
    assert_eq!(failing, must, "the clauses that fail with {defect:?}, and those that should");
}

fn breaks<F, O>(form: Form, fixture: F, clause: &Clause) -> bool
where
    F: FnOnce() -> O,
    O: Future<Output = Fixture>,
{
    catch_unwind(AssertUnwindSafe(|| conformance::check(form, fixture, clause.name))).is_err()
}

fn number(clause: &Clause) -> u32 {
    clause.name[1..3].parse().unwrap()
}

fn fails(defect: Defect) {
    check(Form::Concrete, DEFECTS.iter().find(|case| case.0 == defect).unwrap());
}

fn passes(defect: Defect) {
    for form in [Form::Concrete, Form::Dynamic, Form::Prefixed] {
        check(form, &(defect, &[], &[]));
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
    fails(Defect::DropsTtl);
}

#[test]
fn a_store_that_changes_a_byte_fails() {
    fails(Defect::ChangesAByte);
}

#[test]
fn a_store_that_turns_errors_into_none_fails() {
    fails(Defect::TurnsErrorsIntoNone);
}

#[test]
fn a_store_that_takes_in_two_steps_fails() {
    fails(Defect::TakesInTwoSteps);
}

#[test]
fn a_store_that_reorders_get_many_fails() {
    fails(Defect::ReordersGetMany);
}

#[test]
fn a_store_that_inserts_in_two_steps_fails() {
    fails(Defect::InsertsInTwoSteps);
}

#[test]
fn a_store_that_swaps_in_two_steps_fails() {
    fails(Defect::SwapsInTwoSteps);
}

#[test]
fn a_store_that_touches_by_writing_back_fails() {
    fails(Defect::TouchesByWritingBack);
}

#[test]
fn a_store_that_drops_a_fresh_entry_for_a_dead_one_fails() {
    fails(Defect::DropsFreshEntries);
}

#[test]
fn a_store_that_keeps_the_old_ttl_fails() {
    fails(Defect::KeepsTheOldTtl);
}

#[test]
fn a_store_that_tells_lives_in_seconds_fails() {
    fails(Defect::TellsLivesInSeconds);
}

#[test]
fn a_store_that_renews_counters_fails() {
    fails(Defect::RenewsCounters);
}

#[test]
fn a_store_that_folds_case_fails() {
    fails(Defect::FoldsCase);
}

#[test]
fn a_store_whose_prefix_leaks_fails() {
    fails(Defect::LeaksAcrossPrefixes);
}

#[test]
fn a_store_whose_scan_skips_fails() {
    fails(Defect::SkipsInScans);
}

#[test]
fn a_store_that_serves_old_copies_fails() {
    fails(Defect::ServesOldCopies);
}

#[test]
fn a_store_that_shows_its_keys_fails() {
    fails(Defect::ShowsKeys);
}

#[test]
fn a_store_that_claims_too_much_fails() {
    fails(Defect::ClaimsTouch);
}

#[test]
fn a_slip_of_one_verb_fails() {
    for &(slip, expected) in slips::SLIPS {
        for clause in conformance::clauses() {
            if expected.contains(&number(clause)) {
                assert!(breaks(Form::Concrete, || slips::fixture(slip), clause), "{} with {slip:?}", clause.name);
            }
        }
    }
}

/// A clause that no defect fails would prove nothing.
#[test]
fn every_clause_fails_on_some_defect() {
    let caught: Vec<_> = DEFECTS.iter().flat_map(|(_, must, _)| *must).collect();
    let slipped: Vec<_> = slips::SLIPS.iter().flat_map(|(_, must)| *must).collect();
    let idle: Vec<_> = conformance::clauses()
        .iter()
        .filter(|clause| !caught.contains(&&number(clause)) && !slipped.contains(&&number(clause)))
        .map(|clause| clause.name)
        .collect();
    assert_eq!(idle, [""; 0]);
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
