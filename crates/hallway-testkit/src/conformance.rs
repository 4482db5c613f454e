//! The contract as tests: one clause, one name, one function.
//!
//! `docs/contract.md` lists the clauses for people. [`conformance!`](crate::conformance!) turns them into tests of a
//! store, each in three forms: the store itself, the store behind one more `Arc<dyn KvStore>`, and the store seen
//! through a prefix view. A clause about something that a store cannot do asserts that it says so; none is skipped.

mod batches;
mod cancel;
mod capabilities;
mod concurrency;
mod conditions;
mod deadlines;
mod deleting;
mod expiry;
mod given;
mod increment;
mod keys;
mod reading;
mod scan;
mod take;
mod touch;
mod ttl;
mod values;

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;
pub use hallway_core::Capability;
use hallway_core::{Namespace, Result};

use crate::Fixture;

/// Longer than any clause takes on a busy machine; a clause that is not done by then hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Proves a store: one test per clause of the contract and form.
///
/// `fixture` is an `async fn() -> Fixture` that gives each test a store on a fresh keyspace. `lacks` names every
/// [`Capability`] that the store's `capabilities()` deny, so that nothing is left out in silence.
///
/// ```
/// mod my_store {
///     use hallway_testkit::{Fixture, PlainStore};
///
///     async fn fixture() -> Fixture {
///         Fixture::new(PlainStore::new())
///     }
///
///     hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, LocalRead, Shared] }
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    (fixture = $fixture:expr, lacks = [$($capability:ident),* $(,)?] $(,)?) => {
        async fn conformance_fixture() -> $crate::Fixture {
            ($fixture)().await
        }

        #[test]
        fn lacks_equals_what_capabilities_deny() {
            $crate::conformance::check_lacks(
                conformance_fixture,
                &[$($crate::conformance::Capability::$capability),*],
            );
        }

        mod concrete {
            $crate::__for_each_clause! { $crate::__conformance_tests, Concrete }
        }

        mod dynamic {
            $crate::__for_each_clause! { $crate::__conformance_tests, Dynamic }
        }

        mod prefixed {
            $crate::__for_each_clause! { $crate::__conformance_tests, Prefixed }
        }
    };
}

/// The one list of clauses. `docs/contract.md` has the same in words.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_clause {
    ($then:path, $argument:ident) => {
        $then! { $argument
            reading {
                c01_a_missing_key_is_none_by_every_verb,
                c02_an_empty_value_is_not_a_missing_one,
                c03_all_256_byte_values_come_back,
                c04_values_that_look_like_markers_come_back,
                c05_every_reading_verb_gives_the_same_bytes,
            }
            values {
                c06_values_of_awkward_lengths_come_back,
                c07_a_value_of_exactly_the_cap_fits,
                c08_one_byte_over_the_cap_is_too_large_and_the_old_value_stays,
                c09_a_value_over_16_mib_is_too_large,
                c10_a_batch_never_writes_a_value_over_the_cap,
            }
            ttl {
                c11_a_ttl_of_zero_is_invalid_and_nothing_is_written,
                c12_a_ttl_above_ten_years_is_invalid_and_nothing_is_written,
                c13_a_ttl_of_ten_years_is_accepted,
                c14_a_ttl_below_a_millisecond_rounds_up,
                c15_the_remaining_life_is_exact_to_milliseconds,
                c16_reading_never_prolongs_a_life,
                c17_forever_has_no_deadline,
                c18_a_set_replaces_the_ttl_by_a_shorter_one,
                c19_a_set_replaces_the_ttl_by_a_longer_one,
                c20_a_set_replaces_forever_and_is_replaced_by_it,
                c21_a_copy_with_the_remaining_life_never_lives_longer,
                c22_the_items_of_a_batch_keep_their_own_ttl,
            }
            expiry {
                c23_nothing_reads_an_entry_after_its_deadline,
                c24_an_expired_entry_is_not_listed,
                c25_an_expired_entry_cannot_be_touched,
                c26_an_expired_entry_cannot_be_deleted,
                c27_an_expired_entry_is_absent_for_conditions,
                c28_an_expired_entry_cannot_be_taken,
                c29_an_expired_counter_starts_again,
                c30_reading_an_expired_entry_never_drops_a_fresh_one,
            }
            conditions {
                c31_if_absent_writes_only_where_nothing_is,
                c32_if_present_writes_only_over_an_entry,
                c33_if_equals_writes_only_over_the_same_bytes,
                c34_equal_means_every_byte,
                c35_if_equals_with_the_same_bytes_refreshes_the_ttl,
                c36_a_condition_not_met_leaves_value_and_ttl,
                c37_after_a_delete_only_absent_holds,
            }
            deleting {
                c38_a_delete_says_true_once,
                c39_a_conditional_delete_takes_only_the_same_bytes,
                c40_a_deleted_key_starts_afresh,
            }
            take {
                c41_a_take_returns_the_value_and_removes_it,
                c42_a_take_that_races_a_set_loses_neither_value,
            }
            touch {
                c43_a_touch_replaces_the_ttl_and_keeps_the_value,
                c44_a_touch_of_a_missing_key_says_false_and_makes_nothing,
                c45_a_touched_entry_ends_at_its_new_deadline,
                c46_a_touch_goes_to_forever_and_back,
            }
            increment {
                c47_an_increment_creates_the_counter_with_its_ttl,
                c48_a_later_increment_keeps_the_ttl,
                c49_a_counter_reaches_both_ends,
                c50_an_overflow_is_invalid_and_keeps_the_counter,
                c51_text_that_is_no_canonical_number_is_invalid_and_stays,
                c52_a_counter_is_decimal_text_that_anybody_may_write,
            }
            keys {
                c53_case_and_spaces_make_different_keys,
                c54_unicode_normal_forms_make_different_keys,
                c55_pattern_and_quote_characters_mean_themselves,
                c56_a_colon_in_an_id_never_crosses_into_the_namespace,
                c57_the_longest_key_works_by_every_verb,
                c58_awkward_ids_come_back_from_a_scan,
            }
            batches {
                c59_get_many_keeps_order_and_duplicates,
                c60_batches_of_nothing_do_nothing,
                c61_ten_thousand_keys_fit_one_batch,
                c62_the_last_duplicate_of_a_batch_wins,
                c63_set_many_replaces_value_and_ttl,
                c64_delete_many_counts_each_entry_once,
                c65_a_batch_above_the_size_of_a_wire_batch_arrives_whole,
            }
            scan {
                c66_pages_of_one_find_every_key,
                c67_a_limit_is_an_upper_bound,
                c68_a_limit_of_zero_is_invalid,
                c69_a_prefix_ends_at_a_segment_boundary,
                c70_a_prefix_is_never_a_pattern,
                c71_the_root_prefix_lists_everything,
                c72_a_scan_finds_what_is_there_throughout,
                c73_an_ordered_scan_is_in_the_order_of_bytes,
                c74_a_made_up_cursor_never_leaves_the_prefix,
                c75_clear_deletes_its_prefix_only_and_counts,
                c76_clear_refuses_the_root,
            }
            concurrency {
                c77_of_32_inserts_one_wins,
                c78_of_32_compare_and_sets_one_wins,
                c79_of_32_takes_one_wins,
                c80_of_32_deletes_one_says_true,
                c81_concurrent_increments_lose_nothing,
                c82_compare_and_set_loops_lose_nothing,
                c83_a_set_is_never_lost_to_a_conditional_write,
                c84_a_deleted_entry_is_never_brought_back,
                c85_readers_see_only_whole_entries,
            }
            capabilities {
                c86_every_view_has_the_same_capabilities,
                c87_what_is_denied_answers_unsupported,
                c88_a_local_read_agrees_with_get_and_forgets_at_once,
                c89_a_direct_view_is_the_same_store,
                c90_another_handle_sees_the_same_entries,
                c91_the_clock_of_the_store_moves_forward,
                c92_a_ping_is_answered,
            }
            deadlines {
                c93_errors_show_neither_key_nor_value,
                c94_debug_output_shows_neither_key_nor_value,
                c95_a_failed_backend_is_an_error_never_a_miss,
                c96_a_view_with_another_deadline_is_the_same_store,
                c97_a_deadline_of_nothing_never_hangs,
            }
            cancel {
                c98_a_dropped_write_is_old_or_new_and_nothing_else,
                c99_a_dropped_read_never_answers_another,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($form:ident $($group:ident { $($clause:ident),* $(,)? })*) => {
        $($(
            #[test]
            fn $clause() {
                $crate::conformance::check($crate::conformance::Form::$form, super::conformance_fixture, stringify!($clause));
            }
        )*)*
    };
}

macro_rules! table {
    ($name:ident $($group:ident { $($clause:ident),* $(,)? })*) => {
        static $name: &[Clause] = &[$($(
            Clause {
                name: stringify!($clause),
                group: stringify!($group),
                run: |fixture| Box::pin($group::$clause(fixture)),
            },
        )*)*];
    };
}

crate::__for_each_clause! { table, CLAUSES }

/// What a clause found: an error that the contract does not allow, or nothing. What else is wrong panics.
type Outcome = Result<()>;

/// One numbered sentence of the contract and its proof.
#[derive(Clone, Copy)]
pub struct Clause {
    /// `cNN_` and the sentence in short.
    pub name: &'static str,
    /// The chapter of `docs/contract.md` it stands in.
    pub group: &'static str,
    run: fn(&Fixture) -> BoxFuture<'_, Outcome>,
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clause").field("name", &self.name).field("group", &self.group).finish_non_exhaustive()
    }
}

/// Every clause, in the order of its number.
#[must_use]
pub fn clauses() -> &'static [Clause] {
    CLAUSES
}

/// How a test sees the store of its fixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Concrete,
    /// Behind one more `Arc<dyn KvStore>`.
    Dynamic,
    /// Below a namespace.
    Prefixed,
}

impl Form {
    fn of(self, fixture: Fixture) -> Fixture {
        match self {
            Self::Concrete => fixture,
            Self::Dynamic => fixture.dynamic(),
            Self::Prefixed => fixture.prefixed(Namespace::new("view:of%tests").expect("the namespace is legal")),
        }
    }
}

/// Runs the clause `name` on a new fixture.
///
/// # Panics
/// If the store breaks the clause, does not finish, or there is no such clause.
pub fn check<F, O>(form: Form, fixture: F, name: &str)
where
    F: FnOnce() -> O,
    O: Future<Output = Fixture>,
{
    let clause = CLAUSES.iter().find(|clause| clause.name == name);
    let clause = clause.unwrap_or_else(|| panic!("the contract has no clause `{name}`"));
    block_on(async {
        let fixture = form.of(fixture().await);
        match tokio::time::timeout(PATIENCE, (clause.run)(&fixture)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("{name}: the contract does not allow this error: {error}\n{error:?}"),
            Err(_) => panic!("{name}: not done after {PATIENCE:?}"),
        }
    });
}

/// Compares what a test says that a store lacks with what the store says.
///
/// # Panics
/// If they differ.
pub fn check_lacks<F, O>(fixture: F, lacks: &[Capability])
where
    F: FnOnce() -> O,
    O: Future<Output = Fixture>,
{
    let denied: HashSet<_> = block_on(async { fixture().await.store().capabilities() }).denied().iter().collect();
    let lacks: HashSet<_> = lacks.iter().copied().collect();
    assert_eq!(lacks, denied, "`lacks` (left) must name exactly what `capabilities()` deny (right)");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a test may start threads")
        .block_on(future)
}
