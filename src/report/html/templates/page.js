"use strict";
(() => {
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const SVG = "http://www.w3.org/2000/svg";
const drawn = (name, attributes) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// Curves: a switch per arm, and the values where the pointer or the slider is.
const curves = (figure) => {
  const { axis, labels, panels } = JSON.parse(figure.querySelector(".values").textContent);
  const plot = figure.querySelector(".plot");
  const svg = plot.querySelector("svg");
  const names = new Map(labels);
  const parts = (line) => svg.querySelectorAll('[data-series="' + line + '"]');
  const key = (line) => {
    const sample = [...parts(line)].find((part) => part.localName === "path" && !part.getAttribute("d").endsWith("z"));
    const icon = drawn("svg", { viewBox: "0 0 72 14", class: "key", "aria-hidden": "true" });
    icon.append(drawn("path", { d: "M0,7h72", class: sample ? sample.getAttribute("class") : "" }));
    return icon;
  };
  const shown = new Set(names.keys());
  const boxes = new Map();
  const show = (line, on) => {
    if (on) shown.add(line); else shown.delete(line);
    boxes.get(line).checked = on;
    for (const part of parts(line)) part.classList.toggle("off", !on);
    update();
  };
  const switches = make("fieldset", { class: "controls" }, make("legend", {}, "Show"));
  for (const [line, name] of names) {
    const box = make("input", { type: "checkbox" });
    box.checked = true;
    box.addEventListener("change", () => show(line, box.checked));
    boxes.set(line, box);
    switches.append(make("label", {}, box, " ", key(line), " ", name));
  }
  if (names.size > 3) {
    for (const [words, on] of [["All", true], ["None", false]]) {
      const button = make("button", { type: "button" }, words);
      button.addEventListener("click", () => names.forEach((_, line) => show(line, on)));
      switches.append(button, " ");
    }
  }

  const slider = make("input", { type: "range", min: 0, step: 1, value: 0, "aria-label": axis });
  const place = make("output", {});
  const reading = make("div", { class: "reading" }, "Values at " + axis, slider, place);
  const controls = make("div", { class: "controls" }, reading);
  const choice = make("select", { "aria-label": "Panel" });
  panels.forEach((panel, k) => choice.append(make("option", { value: k }, panel.title || axis)));
  if (panels.length > 1) reading.prepend(choice);
  plot.before(switches);
  plot.after(controls);

  const cursor = drawn("path", { class: "cursor", d: "" });
  svg.append(cursor);
  const tip = make("div", { class: "tip", hidden: "" });
  figure.append(tip);
  let current = null;
  const digits = (panel) => {
    const all = panel.lines.flatMap((line) => line.means).filter((mean) => mean !== null);
    const span = Math.max(...all) - Math.min(...all);
    return span > 0 ? Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(span)))) : 2;
  };
  const minus = (number, count) => number.toFixed(count).replace("-", "\u2212");
  const value = (panel, line, at) => {
    if (line.means[at] === null) return null;
    const half = line.halves[at];
    return minus(line.means[at], digits(panel)) + (half === null ? "" : " \u00b1 " + minus(half, digits(panel)));
  };
  const across = (panel, at) => {
    const [left, , right] = panel.frame;
    const [low, high] = panel.range;
    return left + (panel.at[at] - low) / (high - low) * (right - left);
  };
  const update = () => {
    if (!current) return;
    const panel = panels[current.panel];
    const at = current.at;
    const x = across(panel, at);
    cursor.setAttribute("d", "M" + x + "," + panel.frame[1] + "V" + panel.frame[3]);
    slider.max = panel.at.length - 1;
    slider.value = at;
    choice.value = current.panel;
    place.textContent = panel.at[at];
    const rows = panel.lines.filter((line) => shown.has(line.line))
      .map((line) => [line, value(panel, line, at)])
      .filter(([, text]) => text !== null)
      .sort(([a], [b]) => b.means[at] - a.means[at]);
    const body = make("tbody", {});
    for (const [line, text] of rows) {
      body.append(make("tr", {}, make("td", {}, key(line.line)), make("td", {}, names.get(line.line)), make("td", { class: "r" }, text)));
    }
    const head = (panel.title ? panel.title + ", " : "") + axis + " " + panel.at[at] + ": mean \u00b1 half of the 95 % interval";
    tip.replaceChildren(head, make("table", {}, body));
    slider.setAttribute("aria-valuetext", axis + " " + panel.at[at] + ": " + rows.map(([line, text]) => names.get(line.line) + " " + text).join("; "));
    tip.hidden = false;
    // Beside the cursor, inside the figure.
    const box = svg.getBoundingClientRect();
    const own = figure.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const left = box.left - own.left + x * scale;
    const room = own.width - tip.offsetWidth;
    const beside = left + 14 <= room ? left + 14 : left - 14 - tip.offsetWidth;
    tip.style.left = Math.max(0, Math.min(beside, room)) + "px";
    const top = box.top - own.top + panel.frame[1] * scale;
    tip.style.top = top + 4 + "px";
  };
  const hide = () => {
    tip.hidden = true;
    cursor.setAttribute("d", "");
  };
  const nearest = (panel, x) => {
    let best = 0;
    panel.at.forEach((_, k) => {
      if (Math.abs(across(panel, k) - x) < Math.abs(across(panel, best) - x)) best = k;
    });
    return best;
  };
  const point = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    const found = panels.findIndex(({ frame: [left, top, right, bottom] }) =>
      x >= left - 20 && x <= right + 20 && y >= top && y <= bottom);
    if (found < 0) return hide();
    current = { panel: found, at: nearest(panels[found], x) };
    update();
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", hide);
  slider.max = panels[0].at.length - 1;
  slider.value = slider.max;
  place.textContent = panels[0].at[panels[0].at.length - 1];
  const slide = () => {
    const panel = Number(choice.value) || 0;
    current = { panel, at: Math.min(Number(slider.value), panels[panel].at.length - 1) };
    update();
  };
  slider.addEventListener("input", slide);
  slider.addEventListener("focus", slide);
  slider.addEventListener("blur", hide);
  choice.addEventListener("change", slide);
};
document.querySelectorAll("figure.curves").forEach(curves);

// Closed parts are printed, too.
const closed = () => [...document.querySelectorAll("details:not([open])")];
let opened = [];
addEventListener("beforeprint", () => { opened = closed(); opened.forEach((part) => { part.open = true; }); });
addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));

// The search of the index.
const search = document.getElementById("search");
if (search) {
  const found = document.getElementById("found");
  const entries = [...document.querySelectorAll("[data-search]")].map((element) => [element, element.textContent.toLowerCase()]);
  search.closest("[hidden]").hidden = false;
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [element, text] of entries) {
      const match = words.every((word) => text.includes(word));
      element.hidden = !match;
      count += match;
    }
    found.textContent = words.length ? count + " found" : "";
  });
}
})();
