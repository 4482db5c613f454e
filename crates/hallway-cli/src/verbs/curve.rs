//! `hallway curve`: how often a cache of each size hits on a stream of requests.

mod answer;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hallway_study::trace::{
    CapacityCurve, CurveBuilder, CurvePlan, Format, Interner, OnWrite, Preset, Reader, Requests, StackModel, Stage,
};

use crate::failure::Failure;
use crate::numbers::grouped;
use crate::output::{Output, note};
use crate::preset_arg::PresetArg;
use crate::progress::Progress;

/// How long a preset goes on if nobody says: long enough for the largest cache that matters on it.
const PRESET_REQUESTS: u64 = 1_000_000;

/// Requests between two looks at progress.
const BREATH: u64 = 1 << 14;

#[derive(Args)]
pub(crate) struct Curve {
    /// Key log: text with a key on each line, big-endian 32-bit keys, oracleGeneral, or Twitter's CSV; each may be xz
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "seed"])]
    trace: Option<PathBuf>,
    /// How the log is written, if its name and its beginning do not tell: keys, numbers, oracle-general, twitter
    #[arg(long, value_name = "FORMAT", requires = "trace", conflicts_with_all = ["preset", "seed"])]
    format: Option<Format>,
    /// Built-in stream in the place of a log; orm-busy if neither is given
    #[arg(long, value_enum)]
    preset: Option<PresetArg>,
    /// Which of the streams of a preset
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Requests to look at; the whole log, or 1,000,000 of a preset, if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    requests: Option<u64>,
    /// Bytes of a value; the mean in the log, or 256 if it does not tell, if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    value_bytes: Option<u32>,
    /// A write takes the cached copy away; if not given, it replaces it. A log that does not tell has only reads
    #[arg(long)]
    invalidate: bool,
    /// Folder for `curve.json`, `curve.svg` and `curve.html`; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave out moka, which takes most of the time
    #[arg(long)]
    no_moka: bool,
    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
}

impl Curve {
    pub(crate) fn run(self, output: Output) -> Result<ExitCode, Failure> {
        if let Some(folder) = &self.out {
            // Not after minutes of work.
            answer::make_folder(folder)?;
        }
        let (name, curve) = match &self.trace {
            Some(path) => (file_name(path), self.of_trace(path)?),
            None => {
                let preset = Preset::from(self.preset.unwrap_or_default());
                (format!("preset {}", preset.name()), self.of_preset(preset))
            }
        };
        if curve.reads == 0 {
            return Err(Failure::usage("the trace has no reads"));
        }
        if let Some(folder) = &self.out {
            answer::write(folder, &name, &curve)?;
            if !self.quiet {
                note(&format!("note: to look at: {}", folder.join("curve.html").display()));
            }
        }
        output.answer(&answer::json(&name, &curve), || answer::text(&name, &curve))?;
        if !self.quiet && self.trace.is_none() && !self.no_moka {
            note(
                "note: a preset has the locality of its trace and not its frequencies; moka goes by both, and hits more often on the trace",
            );
        } else if !self.quiet {
            curve.doubts().iter().for_each(|doubt| note(&format!("note: {doubt}")));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn of_preset(&self, preset: Preset) -> CapacityCurve {
        let total = self.requests.unwrap_or(PRESET_REQUESTS);
        let progress = Progress::new("LRU", Some(total), self.quiet);
        let mut model = StackModel::new(preset, self.seed);
        let mut builder = CurveBuilder::new(OnWrite::Keep);
        while builder.requests() < total {
            builder.push(model.next_request());
            if builder.requests().is_multiple_of(BREATH) {
                progress.at(builder.requests());
            }
        }
        progress.finish();
        // What applications call their objects is about that long.
        self.finish(builder, 16.0)
    }

    fn of_trace(&self, path: &Path) -> Result<CapacityCurve, Failure> {
        let failed = |error| Failure::local(format!("cannot read the trace {}", path.display()), error);
        let reader = Reader::open(path, self.format).map_err(failed)?;
        // What was read of a pipe to count it would be lost.
        let length = path.is_file().then(|| Reader::length(path, Some(reader.format()))).flatten();
        let limit = self.requests.unwrap_or(u64::MAX);
        let progress = Progress::new("LRU", length.map(|length| length.min(limit)).or(self.requests), self.quiet);
        let mut requests = Requests::new(reader, Interner::default());
        let mut builder = CurveBuilder::new(if self.invalidate { OnWrite::Invalidate } else { OnWrite::Keep });
        while builder.requests() < limit
            && let Some(request) = requests.next()
        {
            builder.push(request.map_err(|error| match error.kind() {
                io::ErrorKind::OutOfMemory => Failure::usage(error.to_string()),
                _ => failed(error),
            })?);
            if builder.requests().is_multiple_of(BREATH) {
                progress.at(builder.requests());
            }
        }
        progress.finish();
        if builder.is_too_long_to_hold() {
            note("note: the trace is too long to be held in memory, so LRU alone is worked out; see --requests");
        }
        Ok(self.finish(builder, requests.interner().mean_key_bytes()))
    }

    fn finish(&self, builder: CurveBuilder, key_bytes: f64) -> CapacityCurve {
        let plan = CurvePlan {
            entries: Vec::new(),
            moka: !self.no_moka,
            clairvoyant: true,
            key_bytes,
            value_bytes: self.value_bytes.map(f64::from),
        };
        let total = builder.requests();
        let mut shown: Option<(Stage, Progress)> = None;
        let curve = builder.finish(&plan, &mut |stage, done| {
            if shown.as_ref().is_none_or(|(before, _)| *before != stage) {
                if let Some((_, progress)) = shown.take() {
                    progress.finish();
                }
                let label = match stage {
                    Stage::Clairvoyant(entries) => format!("clairvoyant with {} entries", grouped(entries)),
                    Stage::Moka(entries) => format!("moka with {} entries", grouped(entries)),
                };
                shown = Some((stage, Progress::new(&label, Some(total), self.quiet)));
            }
            if let Some((_, progress)) = &shown {
                progress.at(done);
            }
        });
        if let Some((_, progress)) = shown {
            progress.finish();
        }
        curve
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
