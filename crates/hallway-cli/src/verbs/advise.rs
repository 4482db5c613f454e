//! `hallway advise`: where the state of a workload should live, why, and what would change that.

mod evidence;
mod question;

use std::process::ExitCode;

use clap::Args;
use hallway_study::advisor::{Refusal, SCHEMA, advise};
use serde_json::json;

use self::evidence::Evidence;
use self::question::Question;
use crate::failure::{Failure, NO};
use crate::output::Output;

/// Every number of the answer says what it rests on: what was given, then what is measured now, then a report of this
/// machine, then assumptions of this program. What must not be guessed is asked for.
#[derive(Args)]
pub(crate) struct Advise {
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    evidence: Evidence,
    /// Print the configuration alone, ready to be put into hallway.toml
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

impl Advise {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let mut inputs = self.question.inputs()?;
        self.evidence.name_database(&mut inputs)?;
        // What is missing is said before anything is read or measured.
        inputs.workload(None).map_err(refused)?;
        let curve = self.evidence.curve(&inputs)?;
        let workload = inputs.workload(curve).map_err(refused)?;
        let costs = inputs.costs(self.evidence.costs(workload.bytes.value).await?);
        match advise(&workload, &costs) {
            Ok(advice) if self.toml => output.line(advice.hallway_toml.trim_end()).map(|()| ExitCode::SUCCESS),
            Ok(advice) => output.answer(&advice, || advice.to_string()).map(|()| ExitCode::SUCCESS),
            Err(Refusal::NothingFits(eliminated)) => {
                let document = json!({ "schema": SCHEMA, "choice": null, "eliminated": &eliminated });
                output.answer(&document, || Refusal::NothingFits(eliminated).to_string())?;
                Ok(ExitCode::from(NO))
            }
            Err(refusal) => Err(refused(refusal)),
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    Failure::usage(refusal.to_string())
}
