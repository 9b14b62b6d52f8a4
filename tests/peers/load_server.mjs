// For load.mjs: the server under load, random requests, the texts of answers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const headers = { "Content-Type": "application/json" };
export const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
export const random = (limit) => Math.floor(Math.random() * limit);

const words = ("once upon a time there was an old king who had three sons and the youngest " +
  "went into the deep forest where he met a grey wolf \u201cgood morning\u201d said she my dear " +
  "child do not be afraid of winter ships sailed over the cold sea 1807 Caf\u00e9").split(" ");

// 1 to 120 random words, 1 to 64 tokens of any seed, in whole or as a stream.
export function askedBody() {
  const prompt = Array.from({ length: 1 + random(random(2) ? 12 : 120) },
    () => words[random(words.length)]).join(" ");
  return { prompt, seed: random(2 ** 31), max_tokens: 1 + random(64), temperature: random(3) / 2,
    stream: random(2) === 0, ...(random(4) ? {} : { stop: ["\n\n", "."] }) };
}

export function textOf(answer, stream) {
  if (!stream) return JSON.parse(answer).choices[0].text;
  assert.ok(answer.endsWith("data: [DONE]\n\n"), "a stream that was cut: " + answer);
  return answer.split("\n\n").filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice(6)).choices[0].text).join("");
}

export async function ask(server, body) {
  const response = await fetch(server.url + "/v1/completions",
    { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return textOf(text, body.stream);
}

export class LoadServer {
  constructor(program) {
    this.program = program;
    process.on("exit", () => this.process?.kill("SIGKILL"));  // after a failure
  }

  // As many slots and places to wait that all clients at once are too many, and
  // little enough for keys and values that they are full within a minute.
  async start(port) {
    this.process = spawn(this.program, ["serve", "--port", String(port), "--slots", "16",
      "--max-waiting", "40", "--cache-mib", "256", "--request-timeout", "120",
      "--idle-timeout", "300", "--write-timeout", "90", "--shutdown-timeout", "180"],
      { stdio: ["ignore", "pipe", "ignore"] });
    this.exit = once(this.process, "exit");
    const [line] = await once(createInterface({ input: this.process.stdout }), "line");
    this.url = line.replace("listening on ", "");
    this.hostname = new URL(this.url).hostname;
    this.port = Number(new URL(this.url).port);
  }

  async term() {
    this.process.kill("SIGTERM");
    return (await this.exit)[0];
  }

  async kill() {
    this.process.kill("SIGKILL");
    await this.exit;
  }

  memory() {
    const status = readFileSync(`/proc/${this.process.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
  }

  async look(path) {
    const response = await fetch(this.url + path);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return text;
  }

  async metrics() {
    const text = await this.look("/metrics");
    const statuses = {};
    for (const [, status, count] of
      text.matchAll(/^tern_http_requests_total\{.*status="(\d+)"\} (\d+)$/gm)) {
      statuses[status] = (statuses[status] ?? 0) + Number(count);
    }
    const value = (name) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)[1]);
    return { statuses, failed: value("tern_texts_failed_total"),
      generated: value("tern_generated_tokens_total"), reused: value("tern_reused_tokens_total") };
  }
}
