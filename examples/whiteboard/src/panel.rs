//! The panel beside a profile: who answered, how old the answer is, and how the tiers are.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use hallway::{Bound, BreakerState, CacheStats, Health, ServedBy, TierHealth};

use crate::html::Text;

/// How one read went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) tier: ServedBy,
    pub(crate) age: Duration,
    pub(crate) stale: bool,
    pub(crate) took: Duration,
}

/// What the panel shows.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    pub(crate) reading: Option<Reading>,
    pub(crate) ttl: Duration,
    pub(crate) delay: Duration,
    pub(crate) stats: CacheStats,
    pub(crate) health: Health,
    pub(crate) bound: Bound,
    pub(crate) instance: Arc<str>,
}

impl Panel {
    /// The panel as HTML. It reads without script; with it the numbers go on.
    pub(crate) fn html(&self) -> String {
        let verdict = self.reading.as_ref().map(verdict).unwrap_or_default();
        let age = self.reading.as_ref().map(|reading| self.life(reading)).unwrap_or_default();
        format!(
            r#"<section class="panel card" aria-labelledby="panel-title">
<div class="panel-head"><h2 id="panel-title">Behind this page</h2><span class="badge" id="instance">{instance}</span></div>
{alert}{verdict}
<ol class="tiers" aria-label="Where an answer is looked for, in this order">{tiers}</ol>
{age}<dl class="facts">
{link}{bound}</dl>
</section>"#,
            instance = Text(&self.instance),
            alert = self.alert(),
            tiers = self.tiers(),
            link = fact("Link to the shared tier", self.link(), ""),
            bound = self.bound(),
        )
    }

    fn alert(&self) -> String {
        if self.health.shared != TierHealth::Degraded {
            return String::new();
        }
        "<p class=\"alert\" role=\"status\"><strong>The shared tier does not answer.</strong> Profiles come from the database, \
         and each is kept here for a few seconds. Older copies fall silent a few seconds after that tier was last heard of. \
         It is tried again all the time.</p>"
            .to_owned()
    }

    fn tiers(&self) -> String {
        let CacheStats { local_hits, shared_hits, loads, .. } = self.stats;
        let by = self.reading.map(|reading| reading.tier);
        let delay = millis(self.delay);
        tier("Local", "moka, on the desk", local_hits, "hit", self.health.local, by == Some(ServedBy::Local))
            + &tier(
                "Shared",
                "Redis, in the hallway",
                shared_hits,
                "hit",
                self.health.shared,
                by == Some(ServedBy::Shared),
            )
            + &tier(
                "Database",
                &format!("SQLite, a query of {delay}"),
                loads,
                "query",
                TierHealth::Ready,
                by == Some(ServedBy::Loader),
            )
    }

    fn life(&self, reading: &Reading) -> String {
        let left = self.ttl.saturating_sub(reading.age);
        let (age_ms, left_ms, ttl_ms) = (reading.age.as_millis(), left.as_millis(), self.ttl.as_millis());
        format!(
            r#"<div class="life" data-age="{age_ms}" data-left="{left_ms}" data-ttl="{ttl_ms}">
<p><span>Age <output data-show="age" id="age">{age}</output></span><span><output data-show="left" id="left">{left}</output> left of {ttl}</span></p>
<progress max="{ttl_ms}" value="{left_ms}" aria-label="Time that this copy is good for"></progress>
</div>
"#,
            age = seconds(reading.age),
            // Rounded up, where age is rounded down: so the two make up the whole.
            left = seconds(left + Duration::from_millis(999)),
            ttl = seconds(self.ttl),
        )
    }

    fn link(&self) -> &'static str {
        match (self.health.shared, self.health.breaker) {
            (TierHealth::Absent, _) => "none: one instance",
            (TierHealth::Ready, _) => "up",
            (TierHealth::Degraded, BreakerState::Open) => "down; calls are not even tried",
            (TierHealth::Degraded, BreakerState::HalfOpen) => "down; one call is finding out",
            (TierHealth::Degraded, BreakerState::Closed) => "down",
        }
    }

    fn bound(&self) -> String {
        let short = match self.bound.single_fault {
            Some(Duration::ZERO) => "never stale".to_owned(),
            Some(bound) => format!("at most {} stale", humantime::format_duration(bound)),
            None => "none".to_owned(),
        };
        fact("Promised to readers", short, &self.bound.to_string())
    }
}

fn verdict(reading: &Reading) -> String {
    let (who, class) = match reading.tier {
        ServedBy::Local => ("A copy in this process", "local"),
        ServedBy::Shared => ("A copy in the shared tier", "shared"),
        ServedBy::Loader => ("The database", "database"),
    };
    let stale = if reading.stale { " It is past its time: the database did not give a newer one." } else { "" };
    format!(
        "<p class=\"verdict\" id=\"verdict\" data-tier=\"{class}\">{who} answered in <strong>{}</strong>.{stale}</p>",
        millis(reading.took)
    )
}

fn tier(name: &str, what: &str, count: u64, unit: &str, health: TierHealth, answered: bool) -> String {
    let plural = match (count, unit) {
        (1, unit) => unit.to_owned(),
        (_, "query") => "queries".to_owned(),
        (_, unit) => format!("{unit}s"),
    };
    let (class, state) = match health {
        TierHealth::Absent => (" is-absent", "not set up".to_owned()),
        TierHealth::Degraded => (" is-down", format!("no answer · {count} {plural}")),
        TierHealth::Ready => ("", format!("{count} {plural}")),
    };
    let (current, badge) =
        if answered { (" is-answering", "<span class=\"answered\">answered</span>") } else { ("", "") };
    format!(
        "<li class=\"tier{class}{current}\"><span class=\"tier-name\">{name}</span><span class=\"tier-what\">{what}</span>\
         <span class=\"tier-count\">{state}</span>{badge}</li>"
    )
}

fn fact(name: &str, value: impl Display, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!("<small>{}</small>", Text(more)) };
    format!("<div><dt>{name}</dt><dd>{}{more}</dd></div>\n", Text(value))
}

/// As precise as is telling.
fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1_000.0;
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_precise_as_is_telling() {
        assert_eq!(millis(Duration::from_micros(31)), "0.03 ms");
        assert_eq!(millis(Duration::from_micros(803_400)), "803 ms");
        assert_eq!(seconds(Duration::from_millis(59_900)), "59 s");
    }

    #[test]
    fn a_tier_says_how_it_is() {
        assert!(tier("A", "b", 1, "hit", TierHealth::Ready, true).contains("is-answering"));
        assert!(tier("A", "b", 2, "query", TierHealth::Ready, false).contains("2 queries"));
        assert!(tier("A", "b", 0, "hit", TierHealth::Absent, false).contains("not set up"));
        assert!(tier("A", "b", 0, "hit", TierHealth::Degraded, false).contains("no answer"));
    }
}
