//! What holds for every page in every form: it fits, it can be read, and everything in it has a name.

use serde_json::json;

use crate::browser::Browser;

/// What is wrong with the page, as a list of sentences.
///
/// Contrast is that of WCAG 2.2: 4.5, and 3 for large text, of the letters against the nearest ground that is opaque.
const LOOK: &str = r#"(() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push(`it is ${root.scrollWidth} px wide on ${root.clientWidth}`);
  if (!root.lang) wrong.push("no language");
  const heads = document.querySelectorAll("h1").length;
  if (heads !== 1) wrong.push(`${heads} first headings`);
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!field.labels.length) wrong.push(`field ${field.name} has no label`);
  for (const image of document.images)
    if (!image.hasAttribute("alt") || !image.complete || !image.naturalWidth) wrong.push(`image ${image.src}`);
  for (const control of document.querySelectorAll("a, button"))
    if (!(control.textContent.trim() || control.ariaLabel)) wrong.push(`a control without a name: ${control.outerHTML}`);
  for (const button of document.querySelectorAll(".button, nav a, nav button, input:not([type=hidden]):not([type=radio]), select")) {
    const { height } = button.getBoundingClientRect();
    if (height < 44) wrong.push(`${height} px is too low to tap: ${button.outerHTML}`);
  }
  const parts = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const light = ({ r, g, b }) => {
    const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      if (color.a === 1) return color;
    }
    return { r: 255, g: 255, b: 255, a: 1 };
  };
  let seen = 0;
  for (const element of document.querySelectorAll("body *")) {
    const words = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!words.length || !element.getClientRects().length) continue;
    seen += 1;
    const style = getComputedStyle(element);
    const [one, two] = [light(parts(style.color)), light(ground(element))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) wrong.push(`contrast ${contrast.toFixed(2)}: ${words[0].data.trim()}`);
  }
  if (seen < 5) wrong.push(`only ${seen} pieces of text`);
  return wrong;
})()"#;

/// Fails the test if something is wrong with the page that the browser shows.
pub(crate) async fn page(browser: &Browser, name: &str) {
    let wrong = browser.value(LOOK).await;
    assert_eq!(wrong, json!([]), "{name}");
}
