//! What the documents say of measurements: tables, sentences and figures made from the raw results in `docs/benchmarks`, and
//! the costs that the advisor ships.
//!
//! A document holds blocks, `<!-- bench-tables: NAME -->` to `<!-- end -->`; everything between the two is made here, and
//! nothing else is touched. [`generate`] gives every file as it has to be. What nobody measured yet is a block that says
//! so, with the command.

mod blocks;
mod decisions;
mod defaults;
mod goals;
mod raw;
mod rivals;
mod study;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hallway_study::chart::{Chart, svg};
use hallway_study::report::markdown::words;

use self::raw::Raw;
use crate::Result;

/// Documents with blocks, and how a file of [`FOLDER`] is linked from each.
const DOCUMENTS: [(&str, &str); 3] = [
    ("README.md", "docs/benchmarks/"),
    ("docs/benchmarks.md", "benchmarks/"),
    ("docs/guide/choosing.md", "../benchmarks/"),
];

/// Where raw results and figures are.
const FOLDER: &str = "docs/benchmarks";

/// Files as the raw results want them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Generated {
    /// Path from the root of the workspace, and the whole text.
    pub files: BTreeMap<PathBuf, String>,
    /// Figures that no document shows any more.
    pub outdated: BTreeSet<PathBuf>,
}

impl Generated {
    /// Files that are not as they have to be.
    pub fn differing(&self, root: &Path) -> Vec<&Path> {
        let differs = |(path, text): &(&PathBuf, &String)| {
            // A file that is not there yet differs too.
            fs::read_to_string(root.join(path)).unwrap_or_default() != **text
        };
        let changed = self.files.iter().filter(differs).map(|(path, _)| path.as_path());
        changed.chain(self.outdated.iter().map(PathBuf::as_path)).collect()
    }

    /// Writes what differs and removes what is outdated.
    ///
    /// # Errors
    /// If a file cannot be written or removed.
    pub fn write(&self, root: &Path) -> Result<()> {
        for path in self.differing(root) {
            match self.files.get(path) {
                Some(text) => hallway_study::report::save(&root.join(path), text)?,
                None => fs::remove_file(root.join(path))?,
            }
        }
        Ok(())
    }
}

/// Every document and figure, and the advisor's defaults, as the raw results below this root have it.
///
/// # Errors
/// If a raw result cannot be understood, a document is missing, or one of its blocks has no end or an unknown name.
pub fn generate(root: &Path) -> Result<Generated> {
    let raw = Raw::read(&root.join(FOLDER))?;
    let mut shown = BTreeMap::new();
    let mut generated = Generated::default();
    for (document, link) in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).map_err(|error| format!("{document}: {error}"))?;
        let filled = blocks::fill(&text, |name| block(name, &raw, link, &mut shown));
        generated.files.insert(document.into(), filled.map_err(|error| format!("{document}: {error}"))?);
    }
    for (name, chart) in &shown {
        generated.files.insert(Path::new(FOLDER).join(format!("{name}.svg")), svg(chart));
    }
    if let Some(defaults) = defaults::text(raw.study())? {
        generated.files.insert(defaults::FILE.into(), defaults);
    }
    for entry in fs::read_dir(root.join(FOLDER))? {
        let path = Path::new(FOLDER).join(entry?.file_name());
        if path.extension().is_some_and(|end| end == "svg") && !generated.files.contains_key(&path) {
            generated.outdated.insert(path);
        }
    }
    Ok(generated)
}

/// The text of one block; figures that it shows are put aside.
fn block(name: &str, raw: &Raw, link: &str, shown: &mut BTreeMap<String, Chart>) -> Result<String> {
    if let Some(figure) = name.strip_prefix("figure ") {
        let found = decisions::figure(figure, raw.study()).or_else(|| study::figure(figure, raw.study()));
        return Ok(match found {
            Some((caption, chart)) => {
                let (title, caption) = (words(title(&chart)), words(&caption));
                shown.insert(figure.to_owned(), chart);
                format!("![{title}]({link}{figure}.svg)\n\n_{caption}_\n")
            }
            None if raw.study().is_some() => {
                format!("_The study has no figure `{figure}`; see what was not measured._")
            }
            None => raw::missing(study::COMMAND),
        });
    }
    Ok(match name {
        "answers" => study::answers(raw.study(), 3),
        "answers-short" => study::answers(raw.study(), 1),
        "controls" => trust::controls(&raw.controls),
        "goals" => goals::table(&raw.goals),
        "goals-by-tasks" => goals::by_tasks(&raw.goals),
        "goals-missed" => goals::missed(&raw.goals),
        "injected" => trust::injected(&raw.studies, &raw.injected)?,
        "lost" => rivals::lost(&raw.peers, &raw.sessions),
        "not-measured" => study::not_measured(raw.study()),
        "peers" => rivals::tables(&raw.peers, rivals::PEERS),
        "raw" => raw.table(),
        "repeated" => trust::repeated(&raw.studies)?,
        "rules" => decisions::rules(raw.study())?,
        "sessions" => rivals::tables(&raw.sessions, rivals::SESSIONS),
        "study-machine" => study::machine(raw.study()),
        "validation" => study::validation(raw.study()),
        "verdicts" => study::verdicts(raw.study()),
        other => return Err(format!("there is no block `{other}`").into()),
    })
}

fn title(chart: &Chart) -> &str {
    match chart {
        Chart::ChoiceMap(map) => &map.title,
        Chart::HeatMap(map) => &map.title,
        Chart::Lines(lines) => &lines.title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn documents_say_what_the_raw_results_say() {
        let generated = generate(root()).unwrap();
        let differing = generated.differing(root());
        assert!(differing.is_empty(), "{differing:?} are out of date: run `cargo xtask bench-tables`");
    }

    /// The documents in a folder of their own, with these raw results.
    fn with(raw: &[(&str, &str)]) -> (tempfile::TempDir, Generated) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        fs::create_dir_all(folder.path().join("docs/guide")).unwrap();
        for (document, _) in DOCUMENTS {
            fs::copy(root().join(document), folder.path().join(document)).unwrap();
        }
        for (name, text) in raw {
            fs::write(folder.path().join(FOLDER).join(name), text).unwrap();
        }
        let generated = generate(folder.path()).unwrap();
        (folder, generated)
    }

    #[test]
    fn what_was_not_measured_says_so_with_the_command() {
        let (_folder, generated) = with(&[]);
        let text = &generated.files[Path::new("docs/benchmarks.md")];
        for command in ["cargo hallway compare", "cargo xtask ratios --json", "cargo run", "cargo bench"] {
            assert!(text.contains(&format!("_Not measured yet: `{command}")), "{command}: {text}");
        }
        // A map of choices rests on shipped costs where nobody measured any.
        assert!(generated.files.contains_key(Path::new("docs/benchmarks/decision-map.svg")));
    }

    #[test]
    fn a_study_fills_its_blocks_and_a_second_time_changes_nothing() {
        let study = include_str!("../../crates/hallway-study/testdata/report/crossover.json");
        let (folder, generated) = with(&[("crossover.json", study), ("left-over.svg", "<svg/>")]);
        assert!(generated.outdated.contains(Path::new("docs/benchmarks/left-over.svg")));
        let text = &generated.files[Path::new("docs/benchmarks.md")];
        assert!(text.contains("| x* [95 % interval] |") && text.contains("| `crossover.json` | `"), "{text}");
        assert!(!text.contains("`cargo hallway compare --full --start &&"), "nothing of it is missing: {text}");
        generated.write(folder.path()).unwrap();
        assert!(!folder.path().join("docs/benchmarks/left-over.svg").exists());
        let again = generate(folder.path()).unwrap();
        assert_eq!(again.differing(folder.path()), [] as [&Path; 0]);
        assert_eq!(again.files, generated.files);
    }

    #[test]
    fn raw_results_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        fs::write(folder.path().join(FOLDER).join("peers.json"), "{}").unwrap();
        let error = generate(folder.path()).unwrap_err().to_string();
        assert!(error.contains("peers.json") && error.contains("hallway-peers"), "{error}");
    }
}
