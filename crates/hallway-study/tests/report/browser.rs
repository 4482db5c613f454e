//! The page before a real browser: on a desk and on a phone, in light and in dark, without a network.

use std::path::{Path, PathBuf};

use hallway_study::report;
use hallway_testkit::browser::{Browser, CONTRAST, Form, Shots};
use serde_json::json;

use crate::sample;

/// What is wrong with the page as it is, as a list of sentences.
///
/// A picture has two drawings, and the one for the width is to be seen, with all its words inside and large enough.
const LOOK: &str = r#"(() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) wrong.push(`it is ${root.scrollWidth} px wide on ${innerWidth}`);
  const asked = performance.getEntriesByType("resource").map((entry) => entry.name);
  if (asked.length) wrong.push(`it asked for ${asked}`);
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one first heading");
  const figures = document.querySelectorAll("figure");
  if (!figures.length) wrong.push("no figures");
  for (const figure of figures) {
    const name = figure.querySelector("title").textContent;
    const picture = figure.querySelector("svg").getBoundingClientRect();
    if (picture.width < 300 || picture.height < 200) wrong.push(`${name} is ${picture.width} by ${picture.height} px`);
    const seen = [...figure.querySelectorAll("svg > g")].filter((drawing) => drawing.getClientRects().length);
    const names = seen.map((drawing) => drawing.className.baseVal).join();
    if (names !== (innerWidth > 560 ? "wide" : "narrow")) wrong.push(`${name} shows: ${names}`);
    let words = 0;
    for (const text of seen.flatMap((drawing) => [...drawing.querySelectorAll("text")])) {
      if (!text.textContent.trim()) continue;
      words += 1;
      const box = text.getBoundingClientRect();
      const inside = box.left >= picture.left - 1 && box.right <= picture.right + 1
        && box.top >= picture.top - 1 && box.bottom <= picture.bottom + 1;
      if (!inside) wrong.push(`${name}: outside is ${text.textContent}`);
      const size = parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a;
      if (size < 9) wrong.push(`${name}: ${size.toFixed(1)} px is too small for ${text.textContent}`);
    }
    if (words < 8) wrong.push(`${name} has only ${words} words`);
  }
  for (const link of document.querySelectorAll("a[href^='#']"))
    if (!document.getElementById(link.hash.slice(1))) wrong.push(`nothing is at ${link.hash}`);
  for (const box of document.querySelectorAll(".scroll"))
    if (getComputedStyle(box).overflowX !== "auto") wrong.push("a table does not scroll in its box");
  return wrong;
})()"#;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_in_every_form_and_asks_nobody() {
    let files = report::write(&sample::report(), &folder("report")).unwrap();
    let single = folder("report").join("curve.html");
    let report = sample::report();
    let tables = &report.answers[0].tables;
    report::save(&single, &report::page("The curve", "From 5,000,000 keys.", &sample::figures()[3..4], tables))
        .unwrap();

    let browser = Browser::start().await;
    let mut shots = Shots::begin(folder("report-screenshots"), &Form::desk_and_phone(390), &[LOOK, CONTRAST]);
    browser.goto(&format!("file://{}", files.index.display())).await;
    shots.take(&browser, "report").await;

    // A question is one click away, and stands at the top then.
    browser.value("document.querySelector('.verdicts a.id[href=\"#q2\"]').click()").await;
    browser
        .wait("location.hash === '#q2' && Math.abs(document.querySelector('#q2').getBoundingClientRect().top) < 60")
        .await;
    // Everything that is folded away fits too.
    browser.value("document.querySelectorAll('details').forEach((part) => { part.open = true; })").await;
    shots.take(&browser, "unfolded").await;

    browser.goto(&format!("file://{}", single.display())).await;
    shots.take(&browser, "curve").await;
    shots.end();
    assert_eq!(json!(browser.console().await), json!([]), "the browser complains");
}
