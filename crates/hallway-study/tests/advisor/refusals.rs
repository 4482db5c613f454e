//! What is not guessed.

use hallway_study::advisor::{Inputs, Keys, Loss, Purpose, Rate, Refusal, Span, Ycsb, advise};

use crate::stage::{inputs, known_costs};

#[test]
fn nothing_said_is_all_missing() {
    let Err(Refusal::Missing(missing)) = Inputs::default().workload(None) else { panic!("it was guessed") };
    let how: Vec<_> = missing.iter().map(|missing| missing.how).collect();
    assert_eq!(how.len(), 5);
    for flag in ["--purpose", "--instances", "--reads", "--writes", "--stale"] {
        assert!(how.iter().any(|how| how.contains(flag)), "{flag} is not named: {how:?}");
    }
}

#[test]
fn each_of_them_alone_is_missed() {
    let whole = || inputs(Purpose::Cache, 4, 2_000.0, 40.0, 0.0);
    type Forget = fn(&mut Inputs);
    let without: [(&str, Forget); 5] = [
        ("--purpose", |inputs| inputs.purpose = None),
        ("--instances", |inputs| inputs.instances = None),
        ("--reads", |inputs| inputs.reads = None),
        ("--ycsb", |inputs| inputs.writes = None),
        ("--stale", |inputs| inputs.stale = None),
    ];
    for (flag, forget) in without {
        let mut inputs = whole();
        forget(&mut inputs);
        let refusal = inputs.workload(None).unwrap_err();
        let Refusal::Missing(missing) = &refusal else { panic!("{refusal:?}") };
        assert!(missing.len() == 1 && missing[0].how.contains(flag), "{refusal}");
        assert!(refusal.to_string().contains(flag), "{refusal}");
    }
}

#[test]
fn sessions_are_read_where_they_live_so_nobody_is_asked_how_old_they_may_be() {
    let mut sessions = inputs(Purpose::Session, 4, 2_000.0, 40.0, 0.0);
    sessions.stale = None;
    let advice = advise(&sessions.workload(None).unwrap(), &known_costs()).unwrap();
    assert!(advice.basis.iter().all(|fact| fact.name != "stale_ms"), "{advice}");
}

#[test]
fn what_is_no_latency_is_refused_and_not_ignored() {
    type Say = fn(&mut Inputs, Span);
    let all: [(&str, Say); 4] = [
        ("--db-read", |inputs, span| inputs.db_read = Some(span)),
        ("--db-write", |inputs, span| inputs.db_write = Some(span)),
        ("--redis-rtt", |inputs, span| inputs.redis_rtt = Some(span)),
        ("--p99", |inputs, span| inputs.p99 = Some(span)),
    ];
    for (flag, say) in all {
        let of = |us: f64| {
            let mut asked = inputs(Purpose::Cache, 4, 2_000.0, 40.0, 0.0);
            say(&mut asked, Span(us));
            asked.workload(None).map_err(|refusal| refusal.to_string())
        };
        assert!(of(1_000.0).is_ok());
        let hours = of(3.6e9 * 3.0).unwrap_err();
        assert!(hours.contains(flag) && hours.contains("60 s"), "{hours}");
        // There may be no wire before Redis.
        assert_eq!(of(0.0).is_ok(), flag == "--redis-rtt", "{flag}");
    }
    let mut sessions = inputs(Purpose::Session, 4, 2_000.0, 40.0, 0.0);
    sessions.idle = Some(Span(11.0 * 365.25 * 8.64e10));
    assert!(sessions.workload(None).unwrap_err().to_string().contains("idle"));
}

#[test]
fn a_mix_stands_for_the_writes() {
    let mut asked = inputs(Purpose::Cache, 4, 1_900.0, 0.0, 0.0);
    asked.ycsb = Some(Ycsb::B);
    assert!(matches!(asked.workload(None), Err(Refusal::Invalid(reason)) if reason.contains("leave one out")));
    asked.writes = None;
    assert!((asked.workload(None).unwrap().writes_per_s - 100.0).abs() < 1e-9);
    assert!("E".parse::<Ycsb>().unwrap_err().contains("ranges"));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (asked, words) in [
        (inputs(Purpose::Cache, 0, 1.0, 1.0, 0.0), "instances"),
        (inputs(Purpose::Cache, 1, f64::NAN, 1.0, 0.0), "reads per second"),
        (inputs(Purpose::Cache, 1, 0.0, 0.0, 0.0), "no requests"),
    ] {
        let refusal = asked.workload(None).unwrap_err();
        assert!(matches!(&refusal, Refusal::Invalid(reason) if reason.contains(words)), "{refusal:?}");
    }
}

#[test]
fn where_nothing_fits_every_reason_is_given() {
    // State of several instances that no server can take.
    let mut asked = inputs(Purpose::State, 4, 100_000.0, 50_000.0, 0.0);
    asked.loss = Some(Loss::None);
    asked.db_capacity = Some(Rate(1_000.0));
    let refusal = advise(&asked.workload(None).unwrap(), &known_costs()).unwrap_err();
    let Refusal::NothingFits(out) = &refusal else { panic!("{refusal:?}") };
    assert_eq!(out.len(), hallway_study::advisor::Architecture::ALL.len());
    assert!(refusal.to_string().contains("70 % of its 1,000/s"), "{refusal}");
}

#[test]
fn a_file_says_the_rest() {
    let file: Inputs = toml::from_str(
        "purpose = 'cache'\ninstances = 4\nreads = '2000/s'\nwrites = '40/s'\nstale = '2s'\nkeys = 50000\nhas = ['redis']\n\
         stale-share = '1%'\ndb-read = '1.1ms'\nloss = 'none'\n",
    )
    .unwrap();
    let mut flags = Inputs::default();
    flags.instances = Some(1);
    flags.ycsb = Some(Ycsb::C);
    let workload = flags.or(file).workload(None).unwrap();
    assert_eq!((workload.instances, workload.writes_per_s, workload.stale_ms), (1, 0.0, 2_000.0));
    assert!(toml::from_str::<Inputs>("instnces = 4").unwrap_err().to_string().contains("instnces"));
    for keys in ["-5", "0", "0.5", "nan"] {
        let error = toml::from_str::<Inputs>(&format!("keys = {keys}")).unwrap_err().to_string();
        assert!(error.contains("keys are a number of at least 1"), "{keys}: {error}");
    }
    assert_eq!(toml::from_str::<Inputs>("keys = 1e6").unwrap().keys, Some(Keys::Count(1e6)));
    assert!(toml::from_str::<Inputs>("reads = '2000'").unwrap_err().to_string().contains("2000/s"));
}
