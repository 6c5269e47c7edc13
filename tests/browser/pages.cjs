// Opens the pages of a results folder in headless Chromium, as a reader would.
//
//   NODE_PATH=<folder of npm ci>/node_modules node tests/browser/pages.cjs results
//
// Every page: valid HTML, at most 300 KB without its raw data, no message on the console, no request,
// nothing wider than a phone. Some pages: also at three widths in both themes with axe-core, contrast of
// figures, print, without a script, and everything that the script adds.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");
const { HtmlValidate } = require("html-validate");

const results = path.resolve(process.argv[2] || "results");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [390, 800, 1280];
const THEMES = ["light", "dark"];
// Pages that differ most: the index, a claim, few and many arms, an experiment without a contrast.
const CHOSEN = ["index.html", "claims/C6.html", "bn-bias/report.html", "scale-center/report.html", "identities/report.html"];
const MOST_BYTES = 300 * 1024;
// For a machine that is busy with other things, in milliseconds.
const PATIENCE = 180_000;
// From A4 with margins of 15 mm, in CSS pixels.
const PRINTED = 680;

const validator = new HtmlValidate({
  extends: ["html-validate:recommended"],
  rules: {
    // Short source: these are choices of style, and the pages are valid either way.
    "no-inline-style": "error",
    "long-title": "off",
    "no-trailing-whitespace": "off",
    "void-style": "off",
    // The first cell of a row is its header by the rules of HTML; saying so would cost a tenth of a page.
    "wcag/h63": "off",
    // Regions that scroll must be reachable by keyboard.
    "prefer-native-element": "off",
  },
});

const failures = [];
let checks = 0;
const check = async (name, test) => {
  checks += 1;
  try {
    await test();
  } catch (error) {
    failures.push(name + ": " + error.message.split("\n").slice(0, 12).join("\n    "));
  }
};

const pagesBelow = (folder) => fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
  const full = path.join(folder, entry.name);
  if (entry.isDirectory()) return pagesBelow(full);
  return entry.name.endsWith(".html") ? [full] : [];
});

// Opens a page and collects what it prints and asks for.
const open = async (browser, file, { width = 1280, height = 900, theme = "light", script = true } = {}) => {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, javaScriptEnabled: script, acceptDownloads: true,
  });
  context.setDefaultTimeout(PATIENCE / 10);
  context.setDefaultNavigationTimeout(PATIENCE);
  const page = await context.newPage();
  const seen = [];
  page.on("console", (message) => seen.push("console: " + message.text()));
  page.on("pageerror", (error) => seen.push("error: " + error.message));
  const address = pathToFileURL(file).href;
  page.on("request", (request) => {
    if (request.url() !== address) seen.push("request: " + request.url());
  });
  await page.goto(address);
  return { page, seen, close: () => context.close() };
};

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

// Elements that reach over the right edge of the paper.
const cut = (page) => page.evaluate(() => {
  const edge = document.documentElement.clientWidth + 1;
  const out = [...document.querySelectorAll("main *")].filter((element) => element.getBoundingClientRect().right > edge);
  return out.slice(0, 5).map((element) => element.localName + " " + element.textContent.trim().slice(0, 40));
});

const axeViolations = async (page) => {
  // The policy of the page forbids scripts from elsewhere, so the tool comes through the debugger.
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map((violation) => violation.id + ": " + violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + " " + node.failureSummary).join(" | "));
};

// Contrast in figures, which axe-core does not look at: 4.5 for texts, 3 for lines and dots.
const paleParts = (page) => page.evaluate(() => {
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const pale = [];
  for (const svg of document.querySelectorAll("figure svg[role=img]")) {
    const own = getComputedStyle(svg).backgroundColor;
    const ground = rgb(own === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.body).backgroundColor : own);
    // Texts in the color of the ground stand on discs.
    for (const text of svg.querySelectorAll("text")) {
      const fill = rgb(getComputedStyle(text).fill);
      const found = ratio(fill, ground);
      if (found < 4.5 && found > 1.01) pale.push(text.textContent + " " + found.toFixed(2));
    }
    for (const line of svg.querySelectorAll("path[data-series]")) {
      const stroke = getComputedStyle(line).stroke;
      if (stroke !== "none" && ratio(rgb(stroke), ground) < 3) pale.push("line " + line.dataset.series + " " + stroke);
    }
  }
  return pale.slice(0, 5);
});

const curvesWork = async (page, name) => {
  const figure = page.locator("figure.curves").first();
  if (await figure.count() === 0) return;
  const values = JSON.parse(await figure.locator(".values").textContent());
  const line = values.labels[0][0];
  const visible = () => figure.locator(`svg[role=img] [data-series="${line}"]`).evaluateAll((parts) =>
    parts.map((part) => getComputedStyle(part).visibility));
  const box = figure.locator("fieldset input[type=checkbox]").first();
  await check(name + ": a switch hides its arm and shows it again", async () => {
    assert.equal(await figure.locator("fieldset input[type=checkbox]").count(), values.labels.length);
    assert.ok((await visible()).every((state) => state === "visible"));
    await box.uncheck();
    assert.ok((await visible()).length > 0 && (await visible()).every((state) => state === "hidden"));
    await box.check();
    assert.ok((await visible()).every((state) => state === "visible"));
  });
  await check(name + ": the pointer shows values", async () => {
    const svg = figure.locator("svg[role=img]");
    await svg.scrollIntoViewIfNeeded();
    const panel = values.panels[0];
    const [, top, right, bottom] = panel.frame;
    const scale = (await svg.boundingBox()).width / Number((await svg.getAttribute("viewBox")).split(" ")[2]);
    // On a narrow screen the figure scrolls inside the page.
    await figure.locator(".plot").evaluate((plot, x) => { plot.scrollLeft = x - plot.clientWidth / 2; }, right * scale);
    const place = await svg.boundingBox();
    await page.mouse.move(place.x + (right - 2) * scale, place.y + ((top + bottom) / 2) * scale);
    const tip = figure.locator(".tip");
    assert.ok(await tip.isVisible());
    const text = await tip.textContent();
    const last = panel.at.length - 1;
    assert.ok(text.includes(values.axis + " " + panel.at[last]), text);
    assert.equal(await tip.locator("tr").count(), panel.lines.filter((one) => one.means[last] !== null).length);
    const whole = Math.trunc(panel.lines[0].means[last]);
    assert.ok(text.includes(String(whole)), text + " lacks " + whole);
    assert.ok(await overflow(page) <= 0);
    await page.mouse.move(place.x + (right - 2) * scale, place.y - 30);
    assert.ok(!await tip.isVisible());
  });
  await check(name + ": the keyboard shows values", async () => {
    const slider = figure.locator("input[type=range]");
    await slider.focus();
    await page.keyboard.press("Home");
    const first = await slider.getAttribute("aria-valuetext");
    assert.ok(first.startsWith(values.axis + " " + values.panels[0].at[0] + ": "), first);
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await slider.getAttribute("aria-valuetext"), first);
    assert.ok(await figure.locator(".tip").isVisible());
  });
};

const searchWorks = async (page) => {
  await check("index: the search keeps what matches", async () => {
    const entries = page.locator("[data-search]");
    const all = await entries.count();
    await page.getByLabel("Search claims and experiments").fill("bn-bias sgd");
    const left = await entries.evaluateAll((found) => found.filter((one) => !one.hidden).map((one) => one.textContent));
    assert.ok(left.length > 0 && left.length < all, String(left.length));
    assert.ok(left.every((text) => /bn-bias/.test(text) && /sgd/i.test(text)));
    assert.equal(await page.locator("#found").textContent(), left.length + " found");
    await page.getByLabel("Search claims and experiments").fill("");
    assert.equal(await entries.evaluateAll((found) => found.filter((one) => !one.hidden).length), all);
  });
};

const downloadWorks = async (page, name) => {
  const link = page.locator("a[download]");
  if (await link.count() === 0) return;
  await check(name + ": the raw data are a CSV file", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    const lines = fs.readFileSync(await download.path(), "utf8").trim().split("\n");
    const cells = Number((await link.textContent()).replace(/,/g, "").match(/\d+/)[0]);
    assert.equal(lines.length, cells + 1);
    assert.ok(lines.every((line) => line.split(",").length === lines[0].split(",").length));
  });
};

const readableWithoutScript = async (browser, file, name) => {
  await check(name + ": it reads without its script", async () => {
    const { page, seen, close } = await open(browser, file, { script: false });
    assert.deepEqual(seen, []);
    assert.ok(await page.locator("h1").isVisible());
    const figures = page.locator("figure svg[role=img]");
    for (const figure of await figures.all()) assert.ok((await figure.boundingBox()).height > 50);
    assert.equal(await page.locator("fieldset, .tip, input:visible").count(), 0);
    await close();
  });
};

const prints = async (browser, file, name) => {
  await check(name + ": it fits on A4", async () => {
    const { page, close } = await open(browser, file, { width: PRINTED });
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
    assert.deepEqual(await cut(page), []);
    const pdf = await page.pdf({ format: "A4", preferCSSPageSize: true });
    assert.ok(pdf.length > 10000);
    await close();
  });
};

const everyPage = async (browser, file, name) => {
  await check(name + ": valid HTML", async () => {
    const report = await validator.validateFile(file);
    const messages = report.results.flatMap((result) => result.messages);
    assert.deepEqual(messages.slice(0, 5).map((m) => `${m.line}:${m.column} ${m.ruleId} ${m.message}`), []);
  });
  await check(name + ": small", () => {
    const text = fs.readFileSync(file, "utf8").replace(/href="data:[^"]*"/g, "");
    assert.ok(Buffer.byteLength(text) <= MOST_BYTES, Buffer.byteLength(text) + " bytes");
  });
  await check(name + ": silent, alone, and no wider than a phone", async () => {
    const { page, seen, close } = await open(browser, file, { width: 390, height: 844 });
    assert.deepEqual(seen, []);
    assert.ok(await overflow(page) <= 0, (await overflow(page)) + " pixels too wide");
    await close();
  });
};

const chosenPage = async (browser, file, name) => {
  for (const width of WIDTHS) {
    for (const theme of THEMES) {
      const where = `${name} at ${width}, ${theme}`;
      const { page, seen, close } = await open(browser, file, { width, theme });
      await check(where + ": no serious violation", async () => assert.deepEqual(await axeViolations(page), []));
      await check(where + ": contrast of figures", async () => assert.deepEqual(await paleParts(page), []));
      await check(where + ": not too wide", async () => assert.ok(await overflow(page) <= 0));
      await curvesWork(page, where);
      if (name === "index.html") await searchWorks(page);
      await check(where + ": silent and alone", () => assert.deepEqual(seen, []));
      await close();
    }
  }
  const { page, close } = await open(browser, file);
  await check(name + ": the first key leads to the content", async () => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "#main");
    assert.ok((await page.locator(".skip").boundingBox()).x >= 0);
  });
  await downloadWorks(page, name);
  await close();
  await readableWithoutScript(browser, file, name);
  await prints(browser, file, name);
};

(async () => {
  const browser = await chromium.launch({
    timeout: PATIENCE,
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  const files = pagesBelow(results).sort();
  assert.ok(files.length > 0, "no pages in " + results);
  for (const file of files) {
    const name = path.relative(results, file);
    await everyPage(browser, file, name);
    if (CHOSEN.includes(name)) await chosenPage(browser, file, name);
  }
  await browser.close();
  for (const failure of failures) console.error("FAILED " + failure);
  console.log(`${checks} checks of ${files.length} pages, ${failures.length} failed`);
  process.exitCode = failures.length > 0 ? 1 : 0;
})();
