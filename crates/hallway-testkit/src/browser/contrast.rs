//! Whether the words of a page can be read.

/// An expression in JavaScript for a list of the words of a page that stand out too little, as sentences.
///
/// Contrast is that of WCAG 2.2: 4.5, and 3 for large text, of the letters against the nearest ground that is opaque. Words
/// in SVG pictures are left out: their ground is whatever was drawn before.
pub const CONTRAST: &str = r#"(() => {
  const wrong = [];
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
    if (!words.length || !element.getClientRects().length || element.closest("svg")) continue;
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
