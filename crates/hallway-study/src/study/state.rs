//! The folder of a study: which study it is, so that an interrupted one goes on and another one is not mixed in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Plan;
use crate::Result;
use crate::failure::refused;
use crate::lab::Choice;
use crate::placement::Placement;
use crate::report::StudyMode;

/// Where the lock is kept.
const LOCK: &str = "study.lock";
/// The folder of what was supposed, in that of the study.
pub(super) const SUPPOSED: &str = "what-if";
/// How the folders of SQLite's files begin.
const DATABASES: &str = "sqlite-";

/// What must be the same for two runs to be one study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    version: String,
    mode: StudyMode,
    seed: u64,
    rounds: u32,
    only: Vec<String>,
    injection: Option<String>,
    servers: String,
    #[serde(default = "shared")]
    placement: String,
    traces: Vec<PathBuf>,
}

impl Identity {
    /// Whether the two differ by their placement at most.
    fn is_but_for_cores(&self, other: &Self) -> bool {
        Self { placement: other.placement.clone(), ..self.clone() } == *other
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    study: Identity,
    started: String,
    complete: bool,
    /// What the stores were; known once the servers are.
    #[serde(default)]
    stores: String,
}

/// The folder of a study.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    file: File,
    resumed: bool,
    /// Held while this study lives, so that no other one measures into the same folder.
    _lock: fs::File,
}

impl State {
    /// Makes the folder this study's: goes on with it if it was interrupted there, begins anew if another was finished.
    /// What is only supposed of a finished study is computed from it.
    pub(super) fn claim(plan: &Plan) -> Result<Self> {
        let folder = plan.out.clone();
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
        let lock = lock(&folder)?;
        let study = identity(plan);
        let path = folder.join("study.json");
        let before: Option<File> = match fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice(&text).map_err(|error| {
                format!("{} is damaged ({error}); remove it, or choose another folder by --out", path.display())
            })?),
            Err(_) => None,
        };
        match before {
            Some(file) if !file.complete && file.study == study && !plan.restart => {
                remove_databases(&folder)?;
                Ok(Self { folder, file, resumed: true, _lock: lock })
            }
            // Nothing of it is measured again, so that it does not matter where this runs.
            Some(file)
                if file.complete && file.study.is_but_for_cores(&study) && plan.supposed.is_some() && !plan.restart =>
            {
                remove_databases(&folder)?;
                Ok(Self { folder, file, resumed: true, _lock: lock })
            }
            Some(file) if !file.complete && file.study.is_but_for_cores(&study) && !plan.restart => {
                Err(refused(format!(
                    "the study in {} that was not finished ran `{}`, and this one would run `{}`: go on with it by the same \
                 --placement on the same cores, or drop it by --restart",
                    folder.display(),
                    file.study.placement,
                    study.placement
                )))
            }
            Some(file) if !file.complete && file.study != study && !plan.restart => Err(refused(format!(
                "{} holds another study that was not finished; --restart drops it, --out chooses another folder",
                folder.display()
            ))),
            None if !is_empty(&folder)? => Err(refused(format!(
                "{} is not empty and holds no study; choose another folder by --out",
                folder.display()
            ))),
            _ => {
                remove_databases(&folder)?;
                for old in ["criterion", "runs", SUPPOSED] {
                    match fs::remove_dir_all(folder.join(old)) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                        _ => {}
                    }
                }
                let started = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
                let state = Self {
                    folder,
                    file: File { study, started, complete: false, stores: String::new() },
                    resumed: false,
                    _lock: lock,
                };
                state.write()?;
                Ok(state)
            }
        }
    }

    /// Notes which stores there are; an interrupted study goes on with the same ones alone.
    pub(super) fn same_stores(&mut self, stores: &str) -> Result<()> {
        if self.resumed && !self.file.stores.is_empty() && self.file.stores != stores {
            return Err(refused(format!(
                "the interrupted study in {} measured {}, and now there are {stores}; bring them back, or begin anew by \
                 --restart",
                self.folder.display(),
                self.file.stores
            )));
        }
        stores.clone_into(&mut self.file.stores);
        self.write()
    }

    /// Whether a study is gone on with.
    pub(super) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether that one was finished: then nothing is to be measured.
    pub(super) fn is_finished(&self) -> bool {
        self.file.complete
    }

    /// When the study began.
    pub(super) fn started(&self) -> &str {
        &self.file.started
    }

    /// Where criterion keeps its files.
    pub(super) fn criterion(&self) -> PathBuf {
        self.folder.join("criterion")
    }

    /// What a run has found, if it was done.
    pub(super) fn find_run(&self, id: &str, name: &str) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.run_path(id, name)).ok()?).ok()
    }

    /// Keeps what a run has found.
    pub(super) fn keep_run(&self, id: &str, name: &str, found: &Value) -> Result<()> {
        let path = self.run_path(id, name);
        fs::create_dir_all(self.folder.join("runs"))?;
        write_whole(&path, &serde_json::to_vec_pretty(found)?)
    }

    /// The study is finished: the next one in this folder begins anew.
    pub(super) fn complete(mut self) -> Result<()> {
        self.file.complete = true;
        self.write()
    }

    fn run_path(&self, id: &str, name: &str) -> PathBuf {
        self.folder.join("runs").join(format!("{id}-{name}.json"))
    }

    fn write(&self) -> Result<()> {
        write_whole(&self.folder.join("study.json"), &serde_json::to_vec_pretty(&self.file)?)
    }
}

fn identity(plan: &Plan) -> Identity {
    Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: plan.mode,
        seed: plan.seed,
        rounds: plan.rounds(),
        only: plan.only.clone(),
        injection: plan.injection.map(|injection| format!("{injection:?}")),
        // A URL may hold a password, and a private server has another port each time.
        servers: format!("{} {}", kind(&plan.choices.redis), kind(&plan.choices.postgres)),
        placement: plan.choices.placement.to_string(),
        traces: plan.traces.clone(),
    }
}

/// Where studies ran that do not say so.
fn shared() -> String {
    Placement::Shared.to_string()
}

fn kind(choice: &Choice) -> &'static str {
    match choice {
        Choice::Find => "find",
        Choice::None => "none",
        Choice::Start => "start",
        Choice::Url(_) => "url",
    }
}

/// Whether there is nothing but the lock.
fn is_empty(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != LOCK {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(folder: &Path) -> Result<fs::File> {
    let file = fs::File::create(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(refused(format!(
            "another study is measuring into {}; wait for it, or choose another folder by --out",
            folder.display()
        ))),
    }
}

/// Removes the databases of a study that was killed.
fn remove_databases(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(DATABASES) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A file that is there whole or not at all.
fn write_whole(path: &Path, text: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, text)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// What runs have found, by question and name.
pub(super) type Runs = BTreeMap<(String, String), Value>;
