// Two replicas of `tern serve` behind nginx, by the example's own nginx.conf:
// one after the other is told to end and started again while clients ask, and
// no client sees an error.
//   node replicas.mjs PROGRAM NGINX_CONF FOLDER
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [program, example, folder] = process.argv.slice(2);

// Nothing is left running after a failure (nginx, if killed, would leave its
// worker).
const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGTERM")));
function start(file, words, stdio) {
  const child = spawn(file, words, { stdio });
  children.push(child);
  return child;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function replica(port) {
  const server = start(program, ["serve", "--port", String(port), "--slots", "4"],
    ["ignore", "pipe", "ignore"]);
  await once(createInterface({ input: server.stdout }), "line");
  return server;
}

const [front, one, two] = [await freePort(), await freePort(), await freePort()];
const place = mkdtempSync(join(folder, "nginx-"));
writeFileSync(join(place, "nginx.conf"), readFileSync(example, "utf8")
  .replace("127.0.0.1:8080", "127.0.0.1:" + front)
  .replace("127.0.0.1:8081", "127.0.0.1:" + one)
  .replace("127.0.0.1:8082", "127.0.0.1:" + two));
const replicas = { [one]: await replica(one), [two]: await replica(two) };
const nginx = start("/usr/sbin/nginx", ["-p", place, "-c", "nginx.conf", "-g", "daemon off;"],
  ["ignore", "inherit", "inherit"]);
const url = "http://127.0.0.1:" + front;
for (let i = 0; ; ++i) {
  try {
    assert.equal((await fetch(url + "/health")).status, 200);
    break;
  } catch (error) {
    if (i > 100) throw error;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// The same seed is the same text, whichever replica answers.
const body = (seed, stream) => JSON.stringify({
  prompt: "Once upon a time", max_tokens: 24, seed, stream });
async function ask(seed, stream) {
  const response = await fetch(url + "/v1/completions", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: body(seed, stream) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  if (!stream) return JSON.parse(text).choices[0].text;
  assert.ok(text.endsWith("data: [DONE]\n\n"), text);
  return text.split("\n\n").filter((e) => e.startsWith("data: {"))
    .map((e) => JSON.parse(e.slice(6)).choices[0].text).join("");
}
const expected = [];
for (let seed = 0; seed < 4; ++seed) expected.push(await ask(seed, false));

let answers = 0, restarted = false;
async function client(number) {
  for (let i = 0; !restarted || i < 4; ++i) {
    const seed = (number + i) % 4;
    assert.equal(await ask(seed, (number + i) % 2 === 0), expected[seed]);
    ++answers;
  }
}
// How many completions this replica has answered.
async function answersOf(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const count =
    /^tern_http_requests_total\{route="\/v1\/completions",status="200"\} (\d+)$/m.exec(text);
  return Number(count?.[1] ?? 0);
}
// nginx tries one that it had left out with one request, and when that is
// answered, with all: so the second answer says that it is back.
async function isBack(port) {
  const end = Date.now() + 180_000;
  while (await answersOf(port) < 2) {
    assert.ok(Date.now() < end, "nginx does not ask a replica that is back");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
async function restartAll() {
  for (const port of [one, two]) {
    const old = replicas[port];
    old.kill("SIGTERM");
    assert.equal((await once(old, "exit"))[0], 0);
    replicas[port] = await replica(port);
    await isBack(port);
  }
  restarted = true;
}
await Promise.all([restartAll(), ...[0, 1, 2, 3].map(client)]);
console.log("ok      two replicas behind nginx, each restarted: " + answers + " answers, no error");

nginx.kill("SIGQUIT");
await once(nginx, "exit");
for (const server of Object.values(replicas)) {
  server.kill("SIGTERM");
  assert.equal((await once(server, "exit"))[0], 0);
}
