// SPDX-License-Identifier: Apache-2.0
// Opens a report in a headless Chromium and checks it as a reader would find it: the numbers of the
// run are on it, nothing fails, nothing is fetched, nothing sticks out at the side.
//
//     node render.mjs REPORT.html METRICS.json [FOLDER]
//
// With FOLDER, screenshots are left there. CHROMIUM names the browser's program.
import { chromium } from "playwright-core";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [page_path, metrics_path, shots] = process.argv.slice(2);
if (!page_path || !metrics_path) {
  console.error("usage: node render.mjs REPORT.html METRICS.json [FOLDER]");
  process.exit(2);
}
const metrics = JSON.parse(fs.readFileSync(metrics_path, "utf8"));
const address = pathToFileURL(path.resolve(page_path)).href;

const problems = [];
let n_checks = 0;
function check(holds, what) {
  n_checks += 1;
  if (!holds) {
    problems.push(what);
  }
}

const percent = (x, digits) => (100 * x).toFixed(digits);

// every figure of the run that the page must show, and where
function check_numbers(text, name) {
  check(text.includes(metrics.name), `${name}: the name of the run is not shown`);
  check(text.includes(percent(metrics.mean_accuracy, 2)), `${name}: no mean accuracy`);
  for (const task of metrics.tasks) {
    check(text.includes(task.name), `${name}: no task '${task.name}'`);
    const shown = metrics.quantised ? task.accuracy_integer : task.accuracy;
    check(text.includes(percent(shown, 2)), `${name}: no accuracy of '${task.name}'`);
  }
  for (const layer of metrics.layers) {
    check(text.includes(layer.name), `${name}: no layer '${layer.name}'`);
  }
}

const views = [
  { name: "desktop", width: 1280, height: 900, colorScheme: "light", javaScriptEnabled: true },
  { name: "dark", width: 1280, height: 900, colorScheme: "dark", javaScriptEnabled: true },
  { name: "phone", width: 390, height: 844, colorScheme: "light", javaScriptEnabled: true },
  { name: "plain", width: 390, height: 844, colorScheme: "light", javaScriptEnabled: false },
];

// scrolls first and lets the scrolling end, since it hides a tooltip
async function hover(page, selector) {
  const place = page.locator(selector).first();
  await place.scrollIntoViewIfNeeded();
  await page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  await place.hover();
}

async function look(browser, view) {
  const context = await browser.newContext({
    viewport: { width: view.width, height: view.height },
    colorScheme: view.colorScheme,
    javaScriptEnabled: view.javaScriptEnabled,
  });
  const page = await context.newPage();
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") {
      problems.push(`${view.name}: console: ${m.text()}`);
    }
  });
  page.on("pageerror", (e) => problems.push(`${view.name}: script: ${e.message}`));
  page.on("request", (r) => {
    if (!r.url().startsWith("file:")) {
      problems.push(`${view.name}: the page asks for ${r.url()}`);
    }
  });
  page.on("dialog", (d) => {
    problems.push(`${view.name}: text of the run was executed: ${d.message()}`);
    d.dismiss();
  });
  await page.goto(address, { waitUntil: "load" });

  check_numbers(await page.locator("body").innerText(), view.name);

  // what is wider than the window scrolls inside its own box
  const widths = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  check(widths[0] <= widths[1], `${view.name}: ${widths[0]} px wide in ${widths[1]} px`);

  // one row a layer, one coloured cell a measured accuracy
  const measured = metrics.accuracy_matrix.flat().filter((x) => x !== null).length;
  const cells = await page.locator("table.heat").first().locator("tbody td[style]").count();
  check(cells === measured, `${view.name}: ${cells} cells of ${measured} in the matrix`);
  const stacks = await page.locator(".stack").count();
  const owned = (layer) => layer.tasks.reduce((sum, task) => sum + task.new, 0);
  const shared = metrics.layers.every((layer) => owned(layer) <= layer.units_total);
  const expected = shared ? metrics.layers.length : 0; // a network a task has no owners to draw
  check(stacks === expected, `${view.name}: ${stacks} layers drawn of ${expected}`);

  // background and text must differ in light and dark alike
  const colours = await page.evaluate(() => {
    const style = getComputedStyle(document.body);
    return [style.color, style.backgroundColor];
  });
  check(colours[0] !== colours[1], `${view.name}: text has the colour of the background`);

  if (view.javaScriptEnabled) {
    await hover(page, "table.heat tbody td[style]");
    check(await page.locator("#tip").isVisible(), `${view.name}: no tooltip over a cell`);
    if ((await page.locator("svg.plot").count()) > 0) {
      await hover(page, "svg.plot");
      const tip = await page.locator("#tip").innerText();
      check(/after epoch \d+/.test(tip), `${view.name}: the tooltip over a curve says '${tip}'`);
    }
    await page.mouse.move(1, 1);
  }
  if (shots) {
    await page.screenshot({ path: path.join(shots, `${view.name}.png`), fullPage: true });
    if (view.name === "desktop") {
      await page.pdf({ path: path.join(shots, "print.pdf"), format: "A4" });
    }
  }
  await context.close();
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  for (const view of views) {
    await look(browser, view);
  }
} finally {
  await browser.close();
}
for (const problem of problems) {
  console.error(`FAIL ${problem}`);
}
console.log(`${n_checks} checks, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
