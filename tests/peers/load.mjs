// Many clients at once against `tern serve`: random prompts, some that leave,
// some that read slowly, some that send nonsense.  Afterwards: no status beside
// the documented ones, texts equal to those of a single user, and memory that has
// stopped to grow.
//   node load.mjs PROGRAM [SECONDS] [CLIENTS]
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const program = process.argv[2];
const seconds = Number(process.argv[3] ?? 30);
const clients = Number(process.argv[4] ?? 64);

const server = spawn(program, ["serve", "--port", "0", "--slots", "16",
  "--max-waiting", "32", "--write-timeout", "5"], { stdio: ["ignore", "pipe", "ignore"] });
const [line] = await once(createInterface({ input: server.stdout }), "line");
const url = line.replace("listening on ", "");
const { hostname, port } = new URL(url);

const prompts = ["Once upon a time", "The king", "In the deep forest there was", "A ship",
  "My dear child, said the old woman,", "It was a cold morning"];
const body = (prompt, seed, stream) => JSON.stringify(
  { prompt: prompts[prompt], seed, max_tokens: 16 + seed, stream, stop: ["\n\n"] });
const headers = { "Content-Type": "application/json" };
const textOf = (events) => events.split("\n\n").filter((e) => e.startsWith("data: {"))
  .map((e) => JSON.parse(e.slice(6)).choices[0].text).join("");

async function ask(prompt, seed, stream) {
  const response = await fetch(url + "/v1/completions",
    { method: "POST", headers, body: body(prompt, seed, stream) });
  const text = await response.text();
  if (response.status !== 200) return { status: response.status };
  return { status: 200, text: stream ? textOf(text) : JSON.parse(text).choices[0].text };
}

const alone = [];
for (let prompt = 0; prompt < prompts.length; ++prompt) {
  alone.push([]);
  for (let seed = 0; seed < 4; ++seed) alone[prompt].push((await ask(prompt, seed, false)).text);
}

const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

// A connection by hand: leaves after some bytes, reads slowly, or sends nonsense.
async function misbehave(kind) {
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  await once(socket, "connect");
  const json = JSON.stringify({ prompt: prompts[0], max_tokens: 900, stream: true, logprobs: 5 });
  if (kind === 0) {
    socket.write("POST /v1/completions HTTP/1.1\r\nHost: x\r\n\0\r\n\r\n");
    await pause(20);
  } else {
    socket.write("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
      "Content-Length: " + json.length + "\r\n\r\n" + json.slice(0, kind === 1 ? 20 : undefined));
    if (kind === 3) socket.pause();
    await pause(kind === 3 ? 3000 : 300 * Math.random());
  }
  socket.destroy();
  count("misbehaved");
}

const memory = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) / 1024;
const sizes = [];
const end = Date.now() + seconds * 1000;

async function client(number) {
  while (Date.now() < end) {
    const kind = Math.floor(Math.random() * 10);
    if (kind < 4) {
      await misbehave(kind);
      continue;
    }
    const prompt = Math.floor(Math.random() * prompts.length);
    const seed = Math.floor(Math.random() * 4);
    const answer = await ask(prompt, seed, kind % 2 === 0);
    count(answer.status);
    if (answer.status === 200) {
      assert.equal(answer.text, alone[prompt][seed], "another text than alone");
    } else {
      assert.equal(answer.status, 429);
      await pause(200);
    }
  }
}
async function watch() {
  while (Date.now() < end) {
    await pause(1000);
    sizes.push(Math.round(memory()));
  }
}
await Promise.all([watch(), ...Array.from({ length: clients }, (_, i) => client(i))]);

const third = Math.floor(sizes.length / 3);
const peak = (part) => Math.max(...part);
const early = peak(sizes.slice(third, 2 * third)), late = peak(sizes.slice(2 * third));
console.log("answers", counts, "memory in MiB: second third", early, "last third", late);
assert.ok(late <= early * 1.05 + 8, "memory grows: " + sizes);
assert.ok((counts[200] ?? 0) > clients);
server.kill("SIGTERM");
assert.equal((await once(server, "exit"))[0], 0);
console.log("ok      " + clients + " clients for " + seconds + " s");
