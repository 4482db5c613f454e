//! Each verdict on curves whose truth is known, with the sentence it comes to.

use super::*;
use crate::report::CrossCheck;
use crate::statistics::noise::{Noise, Truth};
use crate::statistics::{Pair, cross_check, noise_floor};

const QUIET: Noise = Noise { round: 0.01, outliers: 0.05, outlier: 0.3, drift: 0.15 };

fn sizes() -> Vec<f64> {
    (3..10).map(|power| 4_f64.powi(power)).collect()
}

/// Side A costs `1 us` times these, side B `1 us`.
fn ratios(ratios: [f64; 7]) -> Truth {
    Truth { xs: sizes(), a: ratios.map(|ratio| 1e3 * ratio).to_vec(), b: vec![1e3; 7], x: None }
}

fn judged(truth: &Truth, noise: Noise, rounds: usize, seed: u64) -> Judgement {
    Judge::new(0.02, seed).judge(&noise.measure(truth, rounds, seed).unwrap())
}

fn pair(axis: &str) -> Pair {
    Pair {
        id: "Q1/get/moka/redis".into(),
        question: "Q1".into(),
        metric: "median_ns".into(),
        a: "moka".into(),
        b: "redis".into(),
        axis: axis.into(),
        plot: None,
    }
}

fn rule(judgement: &Judgement) -> String {
    judgement.finding(&pair("value_bytes"), None).rule
}

#[test]
fn a_crossing_has_a_place_a_band_and_two_winners() {
    let truth = Truth::of_the_design();
    let judgement = judged(&truth, QUIET, 5, 1);
    assert_eq!(judgement.verdict, Verdict::Crossover);
    let [only] = judgement.crossings[..] else { panic!("{judgement:?}") };
    assert_eq!((only.left, only.right), (Side::A, Side::B));
    assert!(only.ci[0] < only.x && only.x < only.ci[1]);
    assert!(only.tie_band[0] < only.x && only.x < only.tie_band[1]);
    assert!((only.x / truth.x.unwrap()).ln().abs() < 0.1);
    assert!(judgement.p_cross >= 0.95);
    assert_eq!((judgement.winner, judgement.factor, judgement.beyond), (None, None, None));
    assert!(rule(&judgement).starts_with("redis wins once values are larger than 2"), "{}", rule(&judgement));
    assert!(rule(&judgement).ends_with("; moka wins below"), "{}", rule(&judgement));
}

#[test]
fn a_sure_bracket_asks_for_its_middle_until_it_is_narrow() {
    let mut truth = Truth::of_the_design();
    let [middle] = judged(&truth, QUIET, 12, 1).wants[..] else { panic!("one bracket has one middle") };
    assert!((middle - 32_768.0).abs() < 1e-6);
    truth = Truth::lines([&truth.xs[..5], &[middle], &truth.xs[5..]].concat(), [5_000.0, 2.76], [60_000.0, 0.4]);
    assert_eq!(judged(&truth, QUIET, 12, 1).wants, [0.0; 0]);
}

#[test]
fn one_winner_wins_by_at_least_and_at_most() {
    let judgement = judged(&ratios([0.0030, 0.0030, 0.0029, 0.0029, 0.0028, 0.0026, 0.0024]), QUIET, 12, 2);
    assert_eq!((judgement.verdict, judgement.winner), (Verdict::NoCrossover, Some(Side::A)));
    let [least, most] = judgement.factor.unwrap();
    assert!(least > 300.0 && least < 334.0 && most > 416.0 && most < 450.0, "{least} {most}");
    assert!(judgement.crossings.is_empty() && judgement.ties.is_empty() && judgement.p_cross == 0.0);
    assert!(rule(&judgement).starts_with("moka wins from 64 B to 256 KiB, by 3"), "{}", rule(&judgement));
}

#[test]
fn a_winner_that_loses_its_lead_has_a_tie_there() {
    let judgement = judged(&ratios([2.0, 1.8, 1.5, 1.3, 1.0, 1.0, 1.0]), QUIET, 12, 3);
    assert_eq!((judgement.verdict, judgement.winner), (Verdict::NoCrossover, Some(Side::B)));
    let [[from, to]] = judgement.ties[..] else { panic!("{judgement:?}") };
    assert!(from > 4_096.0 && from < 16_384.0 && (to - 262_144.0).abs() < 1e-6);
    assert!(rule(&judgement).contains("; equal within 5 % from "), "{}", rule(&judgement));
}

/// However surely the first point is below zero: three in a thousand are nobody's victory.
#[test]
fn who_leads_within_the_tie_before_he_loses_has_not_won() {
    let silent = Noise { round: 0.0005, outliers: 0.0, ..QUIET };
    let judgement = judged(&ratios([0.997, 1.3, 1.8, 2.5, 4.0, 6.0, 9.0]), silent, 12, 11);
    assert!(judgement.p_cross >= 0.95, "{}", judgement.p_cross);
    assert_eq!((judgement.verdict, judgement.winner), (Verdict::NoCrossover, Some(Side::B)));
    assert!(judgement.crossings.is_empty() && judgement.ties.len() == 1);
    let beyond = judged(&ratios([0.94, 1.3, 1.8, 2.5, 4.0, 6.0, 9.0]), silent, 12, 11);
    assert_eq!((beyond.verdict, beyond.crossings.len()), (Verdict::Crossover, 1));
}

#[test]
fn what_crosses_twice_lists_both() {
    let judgement = judged(&ratios([0.5, 0.6, 0.8, 1.5, 1.5, 0.7, 0.5]), QUIET, 12, 4);
    assert_eq!(judgement.verdict, Verdict::Multiple);
    assert_eq!(judgement.crossings.len(), 2);
    assert_eq!(judgement.crossings[1].right, Side::A);
    assert!(judgement.crossings[0].ci[1] < judgement.crossings[1].ci[0]);
    assert!(rule(&judgement).contains(", moka again above "), "{}", rule(&judgement));
}

#[test]
fn what_is_alike_everywhere_is_equal() {
    let judgement = judged(&ratios([1.01, 0.99, 1.0, 1.01, 1.0, 0.99, 1.01]), QUIET, 12, 5);
    assert_eq!(judgement.verdict, Verdict::Equal);
    assert_eq!(rule(&judgement), "equal within 5 % from 64 B to 256 KiB: choose on other grounds");
    assert!(judgement.crossings.is_empty() && judgement.winner.is_none());
}

#[test]
fn noise_is_called_noise() {
    let wild = Noise { round: 0.8, ..QUIET };
    let judgement = judged(&ratios([1.0; 7]), wild, 5, 6);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert!(rule(&judgement).starts_with("too noisy to say"), "{}", rule(&judgement));
    assert!(judgement.wants.is_empty());
}

#[test]
fn a_crossing_that_only_the_last_point_shows_lies_beyond_the_others() {
    let curves = |last: [f64; 5]| {
        let a = last.map(|last| vec![500.0, 600.0, 700.0, last]).to_vec();
        Curves::new(Scale::Log, vec![64.0, 1_024.0, 16_384.0, 262_144.0], a, vec![vec![1_000.0; 4]; 5]).unwrap()
    };
    let judgement = Judge::new(0.0, 7).judge(&curves([700.0, 1_400.0, 1_300.0, 600.0, 1_200.0]));
    assert_eq!((judgement.verdict, judgement.beyond), (Verdict::Inconclusive, Some(Beyond::Above(16_384.0))));
    let finding = judgement.finding(&pair("value_bytes"), None);
    assert_eq!(finding.beyond.as_deref(), Some("> 16 KiB"));
    let said = "too noisy to say for every point; a crossing, if there is one, lies above 16 KiB";
    assert!(finding.rule.starts_with(said), "{}", finding.rule);
    assert!(finding.rule.contains("; on the whole moka wins from 64 B to 256 KiB, by 1."), "{}", finding.rule);
}

#[test]
fn a_linear_axis_may_begin_at_zero() {
    let silent = Noise { round: 0.0, outliers: 0.0, outlier: 0.0, drift: 0.0 };
    let xs = vec![0.0, 1_000.0, 2_000.0];
    let near = silent.measure(&Truth::lines(vec![1.0, 1_000.0, 2_000.0], [100.0, 0.0], [60.0, 1.0]), 5, 1).unwrap();
    let curves = Curves::new(Scale::Linear, xs, near.a().to_vec(), near.b().to_vec()).unwrap();
    let judgement = Judge::new(0.0, 1).judge(&curves);
    assert_eq!(judgement.verdict, Verdict::Crossover);
    assert_eq!(judgement.range, [0.0, 2_000.0]);
    assert!(judgement.crossings[0].x > 0.0 && judgement.crossings[0].x < 1_000.0);
    assert_eq!(judgement.wants, [500.0]);
    let finding = judgement.finding(&pair("rtt_us"), Some(cross_check(&curves).unwrap()));
    assert_eq!(finding.method, "paired-semilog-bootstrap");
    assert!(finding.rule.starts_with("moka wins once the round trip is longer than "), "{}", finding.rule);
    assert!(finding.rule.contains("straight lines cross at 39"), "{}", finding.rule);
}

#[test]
fn a_model_that_agrees_is_not_told() {
    let judgement = judged(&Truth::of_the_design(), QUIET, 12, 8);
    let x = judgement.crossings[0].x;
    let check = |x| CrossCheck { method: "fieller".into(), x: Some(x), ci95: Some([x, x]) };
    let rule = |x| judgement.finding(&pair("value_bytes"), Some(check(x))).rule;
    assert!(!rule(x * 1.4).contains("straight lines") && rule(x * 1.6).contains("straight lines"));
}

#[test]
fn a_crossing_that_may_lie_beyond_its_bracket_asks_for_rounds_instead_of_points() {
    let a = [700.0, 800.0, 1_200.0, 1_300.0, 900.0].map(|middle| vec![500.0, middle, 2_000.0]).to_vec();
    let curves = Curves::new(Scale::Log, vec![64.0, 1_024.0, 16_384.0], a, vec![vec![1_000.0; 3]; 5]).unwrap();
    let judgement = Judge::new(0.0, 9).judge(&curves);
    let [only] = judgement.crossings[..] else { panic!("{judgement:?}") };
    assert!(only.ci[0] < 1_024.0 && only.x > 1_024.0);
    assert!(judgement.wants.is_empty(), "{:?}", judgement.wants);
}

#[test]
fn resamples_that_cross_the_other_way_are_no_agreement() {
    let a = [[2_000.0, 500.0], [2_000.0, 500.0], [2_000.0, 500.0], [500.0, 2_000.0], [500.0, 2_000.0]].map(Vec::from);
    let curves = Curves::new(Scale::Log, vec![64.0, 1_024.0], a.to_vec(), vec![vec![1_000.0; 2]; 5]).unwrap();
    let judgement = Judge::new(0.0, 10).judge(&curves);
    assert_eq!((judgement.verdict, judgement.p_cross), (Verdict::Inconclusive, 1.0));
}

/// One study of twenty: the noise floor of one pair, and another pair of which side A is `factor` times as slow.
fn control(factor: f64, rounds: usize, run: u64) -> Judgement {
    let noise = Noise::default();
    let same = noise.measure(&ratios([1.0; 7]), rounds, 1_000 + run).unwrap();
    let pair = noise.measure(&ratios([factor; 7]), rounds, 2_000 + run).unwrap();
    Judge::new(noise_floor(&same), run).judge(&pair)
}

#[test]
fn one_backend_under_two_names_is_equal_in_twenty_of_twenty() {
    for run in 0..20 {
        assert_eq!(control(1.0, 12, run).verdict, Verdict::Equal, "run {run}");
    }
}

#[test]
fn a_fifth_more_is_found_in_twenty_of_twenty() {
    for run in 0..20 {
        let judgement = control(1.2, 12, run);
        assert_eq!((judgement.verdict, judgement.winner), (Verdict::NoCrossover, Some(Side::B)), "run {run}");
        let [least, most] = judgement.factor.unwrap();
        assert!(least <= 1.2 && 1.2 <= most, "run {run}: {least} to {most}");
    }
}

/// Five rounds leave single points too noisy for a verdict more often than not; all points together do not.
#[test]
fn on_the_whole_a_fifth_more_is_found_from_five_rounds_too() {
    let overall: Vec<Estimate> = (0..20).map(|run| control(1.2, 5, run).overall).collect();
    let found = overall.iter().filter(|found| found.low > 0.0).count();
    let held = overall.iter().filter(|found| found.low <= 1.2_f64.ln() && 1.2_f64.ln() <= found.high).count();
    assert!(found >= 19 && held >= 19, "{overall:?}");
    let same = (0..20).map(|run| control(1.0, 5, run));
    assert!(same.filter(|same| same.overall.median.abs() <= same.tie).count() == 20);
}
