//! What holds for every page in every form: it fits, it can be read, and everything in it has a name.

/// What is wrong with the page, as a list of sentences.
pub(crate) const LOOK: &str = r#"(() => {
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
  return wrong;
})()"#;
