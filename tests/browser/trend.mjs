// node trend.mjs SITE [SCREENSHOTS]: opens the built trend pages from disk in headless Chromium.
// Fails on any console message, policy violation or request, and when filter, hover or keys do nothing.
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const site = resolve(process.argv[2] ?? "site");
const shots = process.argv[3];
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const complaints = [];

async function open(path, context) {
  const page = await context.newPage();
  const address = pathToFileURL(join(site, path)).href;
  page.on("console", (message) => complaints.push(`${path}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`${path}: ${error.stack}`));
  page.on("dialog", (dialog) => {
    complaints.push(`${path}: dialog ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith("file://") && !url.startsWith("data:")) complaints.push(`${path}: request ${url}`);
    if (url.startsWith("file://") && !request.isNavigationRequest()) complaints.push(`${path}: loads ${url}`);
  });
  const started = performance.now();
  await page.goto(address);
  return { page, milliseconds: performance.now() - started };
}

const pages = readdirSync(join(site, "bench")).filter((name) => name.endsWith(".html"));
const largest = pages.map((name) => [statSync(join(site, "bench", name)).size, name]).sort((a, b) => b[0] - a[0])[0];

const desk = await browser.newContext({ viewport: { width: 1200, height: 900 } });

// Filter, search and order.
{
  const { page } = await open("index.html", desk);
  const rows = page.locator("#benchmarks tbody tr:visible");
  const all = await rows.count();
  assert.equal(all, pages.length);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  const first = await page.locator("#benchmarks tbody th a").first().textContent();
  await page.fill("#search", first.slice(0, 12));
  assert.ok((await rows.count()) >= 1 && (await rows.count()) <= all);
  await page.fill("#search", "no such benchmark");
  assert.equal(await rows.count(), 0);
  assert.match(await page.textContent("#shown"), /^0 of/);
  await page.click("#reset");
  assert.equal(await rows.count(), all);
  const boxes = page.locator("#tools input[type=checkbox]");
  const states = await boxes.count();
  for (let i = 0; i < states; i += 1) await boxes.nth(i).uncheck();
  assert.equal(await rows.count(), 0);
  for (let i = 0; i < states; i += 1) await boxes.nth(i).check();
  await page.selectOption("#order", "name");
  const names = await page.locator("#benchmarks tbody tr").evaluateAll((all) => all.map((row) => row.dataset.name));
  assert.deepEqual(names, [...names].sort((a, b) => a.localeCompare(b)));
  await page.close();
}

// Hover and keys on the largest page, and how soon it answers.
{
  const path = `bench/${largest[1]}`;
  const { page, milliseconds } = await open(path, desk);
  await page.waitForSelector("#chart canvas");
  const ready = await page.evaluate(() => performance.timing.loadEventEnd - performance.timing.navigationStart);
  const box = await page.locator("#chart .u-over").boundingBox();
  const reading = () => page.textContent("#reading .head");
  const before = await reading();
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
  await page.waitForFunction((old) => document.querySelector("#reading .head").textContent !== old, before);
  const text = await page.textContent("#reading");
  for (const metric of ["p50", "p95", "p99", "mean"]) assert.ok(text.includes(metric), `${metric} is not in: ${text}`);
  await page.mouse.move(0, 0);
  await page.focus("#chart");
  await page.keyboard.press("End");
  const last = await reading();
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((old) => document.querySelector("#reading .head").textContent !== old, last);
  await page.keyboard.press("Home");
  await page.keyboard.press("+");
  await page.keyboard.press("Escape");
  const button = page.locator("#controls button").first();
  await button.focus();
  await page.keyboard.press("Space");
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  await button.press("Space");
  await page.focus("#chart");
  await page.keyboard.press("End");
  await Promise.all([page.waitForURL(/\/run\//), page.keyboard.press("Enter")]);
  console.log(`${path}: ${largest[0]} bytes, loaded after ${ready} ms, ${Math.round(milliseconds)} ms with the driver`);
  await page.close();
}

// Every kind of page without complaint: light, dark, on a phone, and without scripts.
const run = readdirSync(join(site, "run")).sort()[0];
const first = pages.find((name) => name.startsWith("tokenization")) ?? pages[0];
const kinds = { overview: "index.html", benchmark: `bench/${first}`, run: `run/${run}` };
const looks = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
  plain: { javaScriptEnabled: false },
};
for (const [look, options] of Object.entries(looks)) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  for (const [kind, path] of Object.entries(kinds)) {
    const { page } = await open(path, context);
    if (kind === "benchmark" && look !== "plain") await page.waitForSelector("#chart canvas");
    const wide = await page.locator("html").evaluate((html) => html.scrollWidth - html.clientWidth);
    if (wide > 0) complaints.push(`${path}: ${wide} pixels too wide (${look})`);
    if (look === "plain") assert.ok((await page.locator("table tbody tr").count()) > 0);
    if (shots) await page.screenshot({ path: join(shots, `${kind}-${look}.png`), fullPage: true });
    await page.close();
  }
  await context.close();
}
const context = await browser.newContext();
for (const name of pages.slice(0, 10)) {
  const { page } = await open(`bench/${name}`, context);
  await page.waitForSelector("#chart canvas");
  await page.close();
}
await browser.close();
for (const complaint of complaints) console.error(complaint);
assert.equal(complaints.length, 0);
console.log(`${pages.length} benchmark pages: no message, no violation, no request`);
