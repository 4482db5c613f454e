//! What is asked: a workload, from flags and a file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use hallway_study::advisor::{Inputs, Keys, Loss, Purpose, Rate, Service, Share, Size, Span, Ycsb};

use crate::failure::Failure;

/// A workload is a few lines.
const MAX_FILE: u64 = 1 << 20;

#[derive(Args)]
pub(super) struct Question {
    /// TOML file with any of these, such as `reads = "2000/s"`; flags have the last word
    #[arg(long, value_name = "FILE", help_heading = "Workload")]
    workload: Option<PathBuf>,
    /// What the state is for: cache (copies of a database), session, or state of its own
    #[arg(long, value_name = "PURPOSE", help_heading = "Workload")]
    purpose: Option<Purpose>,
    /// Processes that share it
    #[arg(long, value_name = "N", help_heading = "Workload")]
    instances: Option<u32>,
    /// Reads over all instances, such as 2000/s
    #[arg(long, value_name = "RATE", help_heading = "Workload")]
    reads: Option<Rate>,
    /// Writes over all instances, such as 40/s
    #[arg(long, value_name = "RATE", conflicts_with = "ycsb", help_heading = "Workload")]
    writes: Option<Rate>,
    /// Writes by a standard mix instead: A, B, C, D or F
    #[arg(long, value_name = "LETTER", help_heading = "Workload")]
    ycsb: Option<Ycsb>,
    /// How old an answer may be, such as 2s; 0 if every read counts
    #[arg(long, value_name = "DURATION", help_heading = "Workload")]
    stale: Option<Span>,
    /// Share of the answers of copies that may be stale at all; 1% if not given
    #[arg(long, value_name = "SHARE", help_heading = "Workload")]
    stale_share: Option<Share>,
    /// What may be lost when a process or server dies: none, seconds or all
    #[arg(long, value_name = "WHAT", help_heading = "Workload")]
    loss: Option<Loss>,
    /// Bytes of a value, such as 400 or 4KiB
    #[arg(long, value_name = "SIZE", help_heading = "Workload")]
    bytes: Option<Size>,
    /// How many keys there are, such as 50000 or 2M, or a log of them as for `hallway curve`
    #[arg(long, value_name = "N|FILE", help_heading = "Workload")]
    keys: Option<Keys>,
    /// A log of keys, whatever its name
    #[arg(long, value_name = "FILE", conflicts_with = "keys", help_heading = "Workload")]
    key_log: Option<PathBuf>,
    /// What 99 of 100 requests must stay within, such as 5ms
    #[arg(long, value_name = "DURATION", help_heading = "Workload")]
    p99: Option<Span>,
    /// How long a session lives that nobody loads
    #[arg(long, value_name = "DURATION", help_heading = "Workload")]
    idle: Option<Span>,
    /// Memory of an instance for local copies, such as 64MiB
    #[arg(long, value_name = "SIZE", help_heading = "Machines")]
    memory: Option<Size>,
    /// Memory of Redis; enough for all keys if not given
    #[arg(long, value_name = "SIZE", help_heading = "Machines")]
    redis_memory: Option<Size>,
    /// How long a read of the database takes, such as 1.1ms
    #[arg(long, value_name = "DURATION", help_heading = "Machines")]
    db_read: Option<Span>,
    /// How long a write of the database takes
    #[arg(long, value_name = "DURATION", help_heading = "Machines")]
    db_write: Option<Span>,
    /// Queries that the database can take, such as 5000/s
    #[arg(long, value_name = "RATE", help_heading = "Machines")]
    db_capacity: Option<Rate>,
    /// A round trip to Redis, such as 300us
    #[arg(long, value_name = "DURATION", help_heading = "Machines")]
    redis_rtt: Option<Span>,
    /// Operations that Redis can take
    #[arg(long, value_name = "RATE", help_heading = "Machines")]
    redis_capacity: Option<Rate>,
    /// What runs already and costs nothing more to look after: redis, postgres, sqlite
    #[arg(long, value_name = "SERVICES", value_delimiter = ',', help_heading = "Machines")]
    has: Option<Vec<Service>>,
}

impl Question {
    /// What flags say, and for the rest what the file says.
    pub(super) fn inputs(&self) -> Result<Inputs, Failure> {
        let mut said = Inputs::default();
        said.purpose = self.purpose;
        said.instances = self.instances;
        said.reads = self.reads;
        said.writes = self.writes;
        said.ycsb = self.ycsb;
        said.stale = self.stale;
        said.stale_share = self.stale_share;
        said.loss = self.loss;
        said.bytes = self.bytes;
        said.keys = self.key_log.clone().map(Keys::Log).or_else(|| self.keys.clone());
        said.p99 = self.p99;
        said.idle = self.idle;
        said.memory = self.memory;
        said.redis_memory = self.redis_memory;
        said.db_read = self.db_read;
        said.db_write = self.db_write;
        said.db_capacity = self.db_capacity;
        said.redis_rtt = self.redis_rtt;
        said.redis_capacity = self.redis_capacity;
        said.has.clone_from(&self.has);
        match &self.workload {
            Some(path) => Ok(said.or(read(path)?)),
            None => Ok(said),
        }
    }
}

fn read(path: &Path) -> Result<Inputs, Failure> {
    let name = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|error| Failure::usage(format!("cannot read the workload {name}: {error}")))?;
    if text.len() as u64 > MAX_FILE {
        return Err(Failure::usage(format!(
            "the workload {name} is over 1 MiB; it is a few lines, such as instances = 4"
        )));
    }
    let mut inputs: Inputs = toml::from_str(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    // A log lies where the file says, seen from the file.
    if let (Some(Keys::Log(log)), Some(folder)) = (&mut inputs.keys, path.parent()) {
        *log = folder.join(&log);
    }
    Ok(inputs)
}
