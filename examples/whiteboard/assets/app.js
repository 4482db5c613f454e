// Lets the numbers of the panel go on. The page says the same without it, as of when it was made.
"use strict";

for (const life of document.querySelectorAll("[data-left]")) {
  const began = performance.now();
  const age = Number(life.dataset.age);
  const left = Number(life.dataset.left);
  const bar = life.querySelector("progress");
  const show = (name, text) => {
    const place = life.querySelector(`[data-show="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
  };
  const tick = () => {
    const passed = performance.now() - began;
    const rest = Math.max(0, left - passed);
    show("age", `${Math.floor((age + passed) / 1000)} s`);
    show("left", `${Math.ceil(rest / 1000)} s`);
    if (bar) bar.value = rest;
    life.classList.toggle("is-over", rest === 0);
    if (rest === 0) clearInterval(timer);
  };
  const timer = setInterval(tick, 250);
  tick();
}
