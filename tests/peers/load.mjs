// `tern serve` under load: a load generator (autocannon) with random prompts,
// beside it clients that leave, read slowly, do not read or send nonsense.  No
// status but the documented ones, no answer lost, memory that has stopped to
// grow, sampled texts equal to those of a lone request.  Then it is told to end
// in the middle of load, and killed in the middle of load and started again.
//   node load.mjs PROGRAM [SECONDS] [CLIENTS]
// The times that the server allows are long, so that a machine that stops all of
// this for a minute makes no error.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import autocannon from "autocannon";
import { gone, hand, nonsense, unread } from "./load_clients.mjs";
import { ask, askedBody, headers, LoadServer, pause, random, textOf } from "./load_server.mjs";

const program = process.argv[2];
const seconds = Number(process.argv[3] ?? 30);
const clients = Number(process.argv[4] ?? 64);
const steady = Math.round(clients * 5 / 8);
const wantedSamples = Math.min(200, 20 + Math.round(seconds / 4));

const server = new LoadServer(program);
await server.start(0);

// Answers under load to be compared later: a fair choice of all.
const samples = [];
let seen = 0;
function sample(body, text) {
  ++seen;
  const place = samples.length < wantedSamples ? samples.length : random(seen);
  if (place < wantedSamples) samples[place] = { body, text };
}

// Of the generator: how many requests it sent and how many were answered, as it
// takes a connection that closes before its answer for nothing special.
let sent = 0, answered = 0;
function generate() {
  return autocannon({
    url: server.url, connections: steady, duration: seconds, timeout: 240,
    connectionRate: 10, ignoreCoordinatedOmission: true, excludeErrorStats: true,
    requests: [{
      method: "POST", path: "/v1/completions", headers,
      setupRequest: (outgoing, context) => {
        ++sent;
        context.body = askedBody();
        return { ...outgoing, body: JSON.stringify(context.body) };
      },
      onResponse: (status, body, context) => {
        ++answered;
        if (status === 200) sample(context.body, textOf(body, context.body.stream));
      },
    }],
  });
}

const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };
const end = Date.now() + seconds * 1000;

// A client by hand is another one each time.
async function misbehave() {
  while (Date.now() < end) {
    const kind = random(10);
    if (kind < 2) {
      assert.equal(await nonsense(server), 400);
      count("nonsense: 400");
    } else if (kind < 5) {
      await gone(server);
      count("left");
    } else if (kind < 6) {
      count(await unread(server));
    } else {
      // Slowly, to the end.
      const body = { ...askedBody(), logprobs: 5 };
      const answer = await hand(server, body, 64 + random(192));
      count("read slowly: " + answer.status);
      if (answer.status === 200) sample(body, answer.text);
      else assert.equal(answer.status, 429, answer.text);
      if (answer.status === 429) await pause(500);
    }
  }
}

const sizes = [];
async function watch() {
  while (Date.now() < end) {
    await pause(1000);
    sizes.push(server.memory());
    if (sizes.length % 5 === 0) await server.look("/health");
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const part = (from, to) =>
  median(sizes.slice(Math.floor(from * sizes.length), Math.ceil(to * sizes.length)));

console.log(steady + " connections of autocannon and " + (clients - steady) +
  " other clients for " + seconds + " s");
const [result] = await Promise.all([generate(), watch(),
  ...Array.from({ length: clients - steady }, misbehave)]);

const statuses = Object.fromEntries(
  Object.entries(result.statusCodeStats).map(([status, { count: n }]) => [status, n]));
console.log("autocannon: statuses", statuses, "errors", result.errors, "timeouts", result.timeouts,
  "200s in ms: median", result.latency.p50, "99 %", result.latency.p99, "most", result.latency.max);
assert.deepEqual([result.errors, result.timeouts, result.mismatches], [0, 0, 0]);
assert.deepEqual(Object.keys(statuses).filter((s) => s !== "200" && s !== "429"), []);
assert.ok(statuses[200] > 0);
// The rest was on its way when the generator ended.
console.log("sent", sent, "answered", answered);
assert.ok(sent - answered <= steady, "answers were lost");
console.log("other clients", counts);
const [early, late] = [part(0.2, 0.4), part(0.8, 1)];
console.log("resident MiB: start " + sizes[0].toFixed(1) + ", medians of the second fifth " +
  early.toFixed(1) + ", of the last fifth " + late.toFixed(1) + ", most " +
  Math.max(...sizes).toFixed(1));
// A short run is still filling the keys and values that it may keep.
const growth = seconds >= 300 ? 1.02 : 1.1;
assert.ok(late <= early * growth + 4, "memory grows: " + sizes.map(Math.round));
const metrics = await server.metrics();
console.log("metrics: requests", metrics.statuses, "generated tokens", metrics.generated,
  "failed texts", metrics.failed, "reused prompt tokens", metrics.reused);
assert.deepEqual(
  Object.keys(metrics.statuses).filter((s) => !["200", "400", "429", "499"].includes(s)), []);
assert.equal(metrics.failed, 0);

// TERM in the middle of load.  What is taken is answered whole; what comes
// later is refused.
let stopping = false;
const ending = { finished: 0, finishedAfterTerm: 0, refused: 0, busy: 0, unavailable: 0 };
async function untilRefused() {
  for (;;) {
    const body = askedBody();
    let answer;
    try {
      answer = await hand(server, body, 0);
    } catch (error) {
      // No byte of an answer came: hand() tells the difference.
      assert.ok(stopping && error.untouched, error);
      ++ending.refused;
      return;
    }
    if (answer.status === 503) {
      assert.ok(stopping);
      ++ending.unavailable;
      return;
    }
    if (answer.status === 429) {
      ++ending.busy;
      await pause(200);
      continue;
    }
    assert.equal(answer.status, 200);
    ++ending.finished;
    if (!stopping) continue;
    ++ending.finishedAfterTerm;
    samples.push({ body, text: answer.text });
  }
}
// One that has sent half of its request is open, but not taken.
const half = connect(server.port, server.hostname);
await once(half, "connect");
half.write("POST /v1/completions HTTP/1.1\r\nHost: x\r\n");
const halfText = (async () => {
  let text = "";
  for await (const piece of half) text += piece;
  return text;
})();
const loadAtTerm = Array.from({ length: clients }, untilRefused);
await pause(3000);
stopping = true;
const exit = server.term();
await pause(100);
half.write("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
await Promise.all(loadAtTerm);
assert.match(await halfText, /^HTTP\/1.1 503 /);
assert.equal(await exit, 0);
console.log("TERM under load: exit 0;", ending);
assert.ok(ending.finishedAfterTerm > 0 && ending.refused + ending.unavailable === clients);

// kill -9 in the middle of load, then the same port again.
await server.start(server.port);
const doomed = Array.from({ length: 16 }, () =>
  hand(server, { ...askedBody(), max_tokens: 400 }, 0).catch(() => "cut"));
await pause(1500);
await server.kill();
const begin = Date.now();
await server.start(server.port);
await server.look("/health");
console.log("kill -9 under load: answers again on the same port after", Date.now() - begin, "ms");
await Promise.all(doomed);

// What was sampled, asked again alone: one request at a time on the new server.
for (const { body, text } of samples) {
  const alone = await ask(server, { ...body, stream: false });
  assert.equal(alone, text, "another text than alone: " + JSON.stringify(body));
}
assert.equal(await server.term(), 0);
console.log("ok      " + clients + " clients for " + seconds + " s; " + samples.length +
  " of " + (seen + ending.finished) + " texts asked again alone are the same");
