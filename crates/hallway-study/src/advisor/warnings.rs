//! What to be careful about.

use super::advice::NamedFact;
use super::architecture::Architecture;
use super::costs::Costs;
use super::fact::Basis;
use super::hits::{LINKED_TTL_S, LONGEST_TTL_S};
use super::model::operations;
use super::predict::Prediction;
use super::units::{bytes, time};
use super::workload::{Loss, Purpose, Workload};

/// How much larger than what was measured values may be before that is worth a warning.
const MUCH_LARGER: f64 = 4.0;

pub(super) fn warnings(workload: &Workload, costs: &Costs, choice: &Prediction, basis: &[NamedFact]) -> Vec<String> {
    let mut warnings = of_numbers(workload, basis);
    warnings.extend(of_costs(workload, costs, choice));
    warnings.extend(of_copies(workload, choice));
    warnings.extend(of_loss(workload, choice));
    warnings
}

/// Numbers that are not those of whoever asks.
fn of_numbers(workload: &Workload, basis: &[NamedFact]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (weak, what) in [
        (Basis::Assumed, "assumed"),
        (Basis::Shipped, "from another machine, not from yours"),
        (Basis::Preset, "from a public trace, not from your keys"),
    ] {
        let names: Vec<&str> = basis.iter().filter(|fact| fact.fact.basis == weak).map(|fact| fact.name).collect();
        if !names.is_empty() {
            warnings.push(format!("{what}: {}", names.join(", ")));
        }
    }
    if workload.purpose != Purpose::Cache && workload.loss_basis == Basis::Assumed {
        warnings.push(format!("assumed: what may be lost is `{}`; --loss says otherwise", workload.loss));
    }
    warnings.extend(workload.curve.doubt().filter(|_| basis.iter().any(|fact| fact.name == "total_hit_ratio")));
    warnings
}

/// Costs that are known of less than is asked.
fn of_costs(workload: &Workload, costs: &Costs, choice: &Prediction) -> Vec<String> {
    let used = operations(choice.architecture, workload, costs);
    let mut warnings = Vec::new();
    let names = |is_it: &dyn Fn(&super::cost::Cost) -> bool| -> Vec<&str> {
        used.iter().filter(|operation| is_it(costs.of(**operation))).map(|operation| operation.name()).collect()
    };
    let pinged = names(&|cost| cost.is_least);
    if !pinged.is_empty() {
        warnings.push(format!(
            "{}: a ping stands for it, which is less than a read; --db-read says what yours takes",
            pinged.join(", ")
        ));
    }
    let small = names(&|cost| cost.known_to() * MUCH_LARGER < workload.bytes.value);
    if !small.is_empty() {
        warnings.push(format!(
            "measured for values much smaller than {}: {}",
            bytes(workload.bytes.value),
            small.join(", ")
        ));
    }
    if !names(&|cost| !cost.is_tail_known).is_empty() {
        let target =
            workload.p99_target_us.filter(|target| choice.p99_us > *target).map_or_else(String::new, |target| {
                format!(", and over the target of {}, which alone rules nothing out", time(target))
            });
        warnings.push(format!("p99 is a guess (tail assumed; --calibrate measures it){target}"));
    }
    warnings
}

/// Copies that are older than they should be.
fn of_copies(workload: &Workload, choice: &Prediction) -> Vec<String> {
    let mut warnings = Vec::new();
    let architecture = choice.architecture;
    if !architecture.has_copies() {
        return warnings;
    }
    if workload.instances > workload.curve.most_instances() && architecture.has_local_copies() {
        warnings.push(format!(
            "beyond {} instances local copies hit less than is said here",
            workload.curve.most_instances()
        ));
    }
    let tolerance = time(workload.stale_ms * 1e3);
    if architecture.has_bus() && workload.is_shared() && workload.stale_ms < LINKED_TTL_S * 1e3 {
        warnings.push(format!(
            "where a server or proxy tells of no writes, as `hallway ping` shows, local copies may be {} old; with \
             `local_ttl` of {tolerance} they are not, and hit less",
            time(LINKED_TTL_S * 1e6)
        ));
    }
    // What ends by a TTL alone ends in time, whoever writes; but copies in Redis behind it do not.
    let by_writes = architecture.has_redis() || choice.copy_ttl_ms.is_none();
    let life_s = if architecture == Architecture::LocalRedis { LINKED_TTL_S } else { LONGEST_TTL_S };
    if by_writes && workload.stale_ms < life_s * 1e3 && architecture.has_database() {
        let remedy = if architecture.has_redis() {
            "a row in the outbox ends them (it needs the database as the consistent tier)"
        } else {
            "a shorter TTL bounds that"
        };
        warnings.push(format!(
            "what is written past hallway leaves copies for up to {}, your tolerance is {tolerance}: {remedy}",
            time(life_s * 1e6)
        ));
    }
    if architecture.has_redis() && architecture.has_database() {
        warnings.push(
            "while Redis is down, writes are refused (`on_shared_down = \"fail\"`): that is what keeps the bound"
                .to_owned(),
        );
        if workload.stale_ms == 0.0 {
            warnings.push("a failover of Redis that forgets the last writes may bring an old copy back".to_owned());
        }
    }
    warnings
}

/// State that may be lost.
fn of_loss(workload: &Workload, choice: &Prediction) -> Option<String> {
    let is_truth = matches!(choice.architecture, Architecture::Redis | Architecture::LocalRedis);
    (is_truth && workload.loss != Loss::All).then(|| {
        "Redis loses seconds at most only with `appendonly yes`, and evicts nothing only with `noeviction`".to_owned()
    })
}
