//! What lies in the folder, and that nothing is written by halves.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hallway_study::report::{self, JSON_SCHEMA};

use crate::sample;

#[test]
fn a_folder_has_everything_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("deep/er");
    let files = report::write(&sample::report(), &dir).unwrap();
    let mut named: Vec<_> = [&files.index, &files.markdown, &files.json, &files.schema, &files.benchmark].into();
    named.extend(&files.figures);
    let mut found: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    named.sort();
    found.sort();
    assert_eq!(found.iter().collect::<Vec<_>>(), named);
    assert_eq!(files.figures.len(), sample::figures().len());
    assert_eq!(fs::read_to_string(&files.schema).unwrap(), JSON_SCHEMA);
    assert_eq!(report::read(&files.json).unwrap(), sample::report());
}

#[test]
fn the_same_report_gives_the_same_files_and_takes_the_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = sample::report();
    other.env.cpu = "another".into();
    let all = |report: &report::Report| {
        report::write(report, folder.path()).unwrap();
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = names.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let first = all(&sample::report());
    assert_ne!(all(&other), first);
    assert_eq!(all(&sample::report()), first);
}

#[test]
fn files_are_for_whoever_may_read_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let (ordinary, ours) = (folder.path().join("ordinary"), folder.path().join("ours"));
    fs::write(&ordinary, "").unwrap();
    report::save(&ours, "text").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&ordinary));
    assert_eq!(fs::read_to_string(&ours).unwrap(), "text");
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |change: fn(&mut report::Report), wanted: &str| {
        let mut report = sample::report();
        change(&mut report);
        let error = report::write(&report, folder.path()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{wanted}");
    };
    refuse(|report| report.primitives[0].median_ns = f64::NAN, "not finite");
    refuse(|report| report.crossovers[0].range[1] = f64::INFINITY, "not finite");
    refuse(|report| report.answers[0].figures[0].name = "../q1".into(), "a figure cannot be named `../q1`");
    refuse(|report| report.answers[0].figures[0].name = "q2-get".into(), "two figures are named `q2-get`");

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = report::write(&sample::report(), &file).unwrap_err().to_string();
    assert!(error.contains("cannot be made"), "{error}");
    let error = report::save(&folder.path().join("no/where"), "").unwrap_err().to_string();
    assert!(error.contains("no/where cannot be written"), "{error}");
}
