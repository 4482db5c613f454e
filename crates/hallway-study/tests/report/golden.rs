//! What a report looked like when somebody last looked at it, byte by byte.

use std::fs;
use std::path::Path;

use hallway_study::chart;
use hallway_study::report;

use crate::sample;

/// Fails if these are not the texts of the files in `testdata`; those that are not are kept below the target folder.
fn check(texts: &[(&str, String)]) {
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/report");
    let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    fs::create_dir_all(&new).unwrap();
    let mut changed = Vec::new();
    for (name, text) in texts {
        // A file that is not there yet differs too.
        let wanted = fs::read_to_string(known.join(name)).unwrap_or_default();
        if *text != wanted {
            fs::write(new.join(name), text).unwrap();
            let first = text.lines().zip(wanted.lines()).find(|(new, old)| new != old);
            changed.push(format!("{name}, first at {first:?}"));
        }
    }
    let (from, to) = (new.display(), known.display());
    assert!(changed.is_empty(), "changed: {changed:#?}; look at them in {from} and, if it is meant, copy them to {to}");
}

#[test]
fn pictures_are_as_they_were() {
    let known = ["q2-get.svg", "q3-break-even.svg", "q9-frontier.svg"];
    let pictures = sample::figures().into_iter().filter_map(|figure| {
        let name = known.into_iter().find(|known| known.strip_suffix(".svg") == Some(&figure.name))?;
        Some((name, chart::svg(&figure.chart)))
    });
    let pictures: Vec<_> = pictures.collect();
    assert_eq!(pictures.len(), known.len());
    check(&pictures);
}

/// Of the page only the outline: its pictures and its data have tests of their own.
#[test]
fn texts_are_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let files = report::write(&sample::report(), folder.path()).unwrap();
    let text = |path| fs::read_to_string(path).unwrap();
    check(&[
        ("report.md", text(files.markdown)),
        ("crossover.json", text(files.json)),
        ("github-action-benchmark.json", text(files.benchmark)),
        ("outline.txt", crate::page::outline(&text(files.index))),
    ]);
}
