//! The measured staleness names the read and what it missed.

use std::time::Duration;

use hallway_testkit::history::{History, Input, Lag, Missed, Operation, Output, measured_staleness};

fn write(call: u64, value: u64) -> Operation {
    Operation::new(0, "a", call, call + 10, Input::Write(value), Output::Done)
}

fn read(call: u64, value: u64) -> Operation {
    Operation::new(1, "a", call, call + 10, Input::Read, Output::Value(Some(value)))
}

fn lag(operations: Vec<Operation>) -> Lag {
    measured_staleness(&History { operations }).worst().clone()
}

#[test]
fn the_worst_read_is_named_with_the_write_it_missed() {
    let operations = vec![
        write(0, 1),
        write(100, 2),
        read(150, 1).cached(),
        write(200, 3),
        read(700, 2).cached(),
        read(710, 3).cached(),
    ];
    let Lag::Behind { by, missed } = lag(operations) else { panic!("two reads were behind") };
    assert_eq!(by, Duration::from_micros(490), "write 3 returned at 210, the read was called at 700");
    assert_eq!(missed, Missed { read: 4, shown_by: 3, write: Some(3) });
}

#[test]
fn a_read_in_time_is_not_named_for_one_called_at_the_same_moment() {
    let operations = vec![write(0, 1), write(100, 2), read(400, 2).cached(), read(400, 1).cached()];
    let Lag::Behind { by, missed } = lag(operations) else { panic!("the last read was behind") };
    assert_eq!(by, Duration::from_micros(290));
    assert_eq!(missed, Missed { read: 3, shown_by: 1, write: Some(1) });
}

#[test]
fn a_write_of_unknown_outcome_is_missed_from_when_somebody_saw_it() {
    let operations =
        vec![write(0, 1), Operation::unknown(0, "a", 100, Input::Write(2)), read(200, 2), read(500, 1).cached()];
    let Lag::Behind { by, missed } = lag(operations) else { panic!("the last read was behind") };
    assert_eq!(by, Duration::from_micros(290), "value 2 was seen by 210");
    assert_eq!(missed, Missed { read: 3, shown_by: 2, write: Some(1) });
}

#[test]
fn a_copy_kept_past_its_deadline_is_behind_by_that() {
    let operations = vec![write(0, 1).with_ttl(50), read(400, 1).cached()];
    let Lag::Behind { by, missed } = lag(operations) else { panic!("the read was behind") };
    assert_eq!(by, Duration::from_micros(340), "the value ended at 60 at the latest");
    assert_eq!(missed, Missed { read: 1, shown_by: 0, write: Some(0) });
}

#[test]
fn what_no_delta_explains_is_wrong() {
    // Only cached reads may be behind.
    assert!(matches!(lag(vec![write(0, 1), write(100, 2), read(150, 1)]), Lag::Wrong(_)));
    // Not ahead.
    assert!(matches!(lag(vec![read(0, 1).cached(), write(100, 1)]), Lag::Wrong(_)));
}

#[test]
fn reads_in_time_are_not_behind() {
    assert_eq!(lag(vec![write(0, 1), read(5, 1).cached(), read(30, 1)]), Lag::None);
    assert_eq!(lag(vec![]), Lag::None);
}
