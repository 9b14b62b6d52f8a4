// The page of `tern serve` in headless Chromium, used as a person would.
//   node page.mjs PROGRAM FOLDER      (pictures of it go to FOLDER)
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [program, folder] = process.argv.slice(2);
const server = spawn(program, ["serve", "--port", "0", "--api-key", "secret",
  "--model-name", "books"], { stdio: ["ignore", "pipe", "ignore"] });
const [line] = await once(createInterface({ input: server.stdout }), "line");
const url = line.replace("listening on ", "");

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const problems = [];

async function open(scheme) {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width: 900, height: 700 } });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) {
      problems.push("asks " + request.url());
    }
  });
  await page.goto(url);
  return page;
}

async function say(page, text) {
  await page.getByRole("textbox", { name: /Message|Text to go on with/ }).fill(text);
  await page.keyboard.press("Enter");
}
const answers = (page) => page.locator(".message.assistant .text");
const rates = (page) => page.locator(".message .rate");

async function aConversation() {
  const page = await open("light");
  // Without the key the page says what is missing, and where it goes.
  await page.getByText("wants an API key").waitFor();
  await page.getByLabel("API key").fill("secret");
  await page.getByLabel("API key").press("Tab");
  await page.locator("#model", { hasText: "books" }).waitFor();
  await page.getByLabel("Most tokens").fill("40");
  await page.getByLabel("Seed").fill("7");
  await page.getByLabel("Seed").press("Tab");
  await page.getByText("Settings", { exact: true }).click();
  await say(page, "Once upon a time");
  await rates(page).first().waitFor({ timeout: 120000 });
  assert.match(await rates(page).first().textContent(), /tokens?, [\d.]+ tokens\/s/);
  const first = await answers(page).first().textContent();
  assert.ok(first.length > 20, first);
  await page.screenshot({ path: join(folder, "light.png") });
  // Again from the start, with the seed: the same text.
  await page.getByRole("button", { name: "New" }).click();
  assert.equal(await answers(page).count(), 0);
  await say(page, "Once upon a time");
  await rates(page).first().waitFor({ timeout: 120000 });
  assert.equal(await answers(page).first().textContent(), first);
  // A second turn has the first one before it.
  const asked = page.waitForRequest((r) => r.url().endsWith("/v1/chat/completions"));
  await say(page, "And then?");
  const body = (await asked).postDataJSON();
  assert.deepEqual(body.messages.map((m) => m.role), ["user", "assistant", "user"]);
  await rates(page).nth(1).waitFor({ timeout: 120000 });
  await page.close();
}

async function stoppingAndCompleting() {
  const page = await open("dark");
  await page.getByLabel("API key").fill("secret");
  await page.getByLabel("API key").press("Tab");
  await page.locator("#model", { hasText: "books" }).waitFor();
  await page.getByLabel("Most tokens").fill("900");
  await page.getByLabel("Mode").selectOption("complete");
  await say(page, "In the middle of the night the old house");
  await page.waitForFunction(() => document.querySelector(".message.text .text").childNodes.length > 5,
    null, { timeout: 120000 });
  await page.screenshot({ path: join(folder, "dark.png") });
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  const text = await page.locator(".message.text .text").textContent();
  assert.ok(text.startsWith("In the middle of the night the old house"));
  await page.waitForTimeout(300);
  assert.equal(await page.locator(".message.text .text").textContent(), text);
  // A model's markup is text.
  await page.evaluate(() => addMessage("assistant", "<img src=x onerror=alert(1)>"));
  assert.equal(await page.locator(".message img").count(), 0);
  await page.close();
}

async function withTheKeyboardAloneAndOnATelephone() {
  const page = await open("light");
  await page.setViewportSize({ width: 360, height: 640 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, "wider than the screen: " + wide);
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, select, textarea")]
      .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.closest("label")))
      .map((e) => e.id));
  assert.deepEqual(nameless, []);
  await page.close();
}

for (const test of [aConversation, stoppingAndCompleting, withTheKeyboardAloneAndOnATelephone]) {
  await test();
  console.log("ok      the page: " + test.name);
}
await browser.close();
server.kill("SIGTERM");
assert.equal((await once(server, "exit"))[0], 0);
assert.deepEqual(problems, []);
