// The official client of OpenAI's API against `tern serve`: every endpoint,
// streaming, and the errors that it throws.
//   node openai.mjs PROGRAM
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import OpenAI from "openai";

const program = process.argv[2];

// `tern serve` on a free port: its process and its address.
async function serve(...more) {
  const server = spawn(program, ["serve", "--port", "0", ...more],
    { stdio: ["ignore", "pipe", "ignore"] });
  const lines = createInterface({ input: server.stdout });
  const [line] = await once(lines, "line");
  return { server, url: line.replace("listening on ", "") };
}

async function end({ server }) {
  server.kill("SIGTERM");
  const [status] = await once(server, "exit");
  assert.equal(status, 0);
}

async function thrown(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("nothing was thrown");
}

const running = await serve("--model-name", "books", "--api-key", "secret",
  "--slots", "4");
const client = new OpenAI({ baseURL: running.url + "/v1", apiKey: "secret", maxRetries: 0 });
const messages = [{ role: "system", content: "You tell stories." },
  { role: "user", content: "Once upon a time" }];
const chat = { model: "books", messages, max_tokens: 24, seed: 11, temperature: 0.8 };

const tests = {
  async "models are listed and retrieved"() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names, ["books"]);
    const model = await client.models.retrieve("books");
    assert.equal(model.object, "model");
  },

  async "a chat is answered, and again for the same seed"() {
    const one = await client.chat.completions.create(chat);
    const two = await client.chat.completions.create(chat);
    assert.equal(one.object, "chat.completion");
    assert.equal(one.choices[0].message.role, "assistant");
    assert.equal(one.choices[0].message.content, two.choices[0].message.content);
    assert.equal(one.usage.total_tokens, one.usage.prompt_tokens + one.usage.completion_tokens);
    assert.match(one._request_id, /^req_/);
    const other = await client.chat.completions.create({ ...chat, seed: 12 });
    assert.notEqual(one.choices[0].message.content, other.choices[0].message.content);
  },

  async "a streamed chat is the same text, with usage"() {
    const whole = await client.chat.completions.create(chat);
    const stream = await client.chat.completions.create(
      { ...chat, stream: true, stream_options: { include_usage: true } });
    let text = "", usage = null, reason = null;
    for await (const chunk of stream) {
      assert.equal(chunk.object, "chat.completion.chunk");
      text += chunk.choices[0]?.delta.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(reason, whole.choices[0].finish_reason);
    assert.deepEqual(usage.completion_tokens, whole.usage.completion_tokens);
  },

  async "the client's own gathering of a stream works"() {
    const runner = client.chat.completions.stream({ ...chat, n: 2 });
    const final = await runner.finalChatCompletion();
    assert.equal(final.choices.length, 2);
    assert.notEqual(final.choices[0].message.content, final.choices[1].message.content);
  },

  async "a text is completed, whole and streamed"() {
    const body = { model: "books", prompt: "The old man", max_tokens: 16, seed: 5 };
    const whole = await client.completions.create(body);
    assert.equal(whole.object, "text_completion");
    assert.equal(whole.usage.completion_tokens, 16);
    assert.equal(whole.choices[0].finish_reason, "length");
    let text = "";
    for await (const chunk of await client.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.text ?? "";
    }
    assert.equal(text, whole.choices[0].text);
  },

  async "several prompts and choices come in order"() {
    const answer = await client.completions.create(
      { model: "books", prompt: ["A dog", "A cat"], n: 2, max_tokens: 4, echo: true });
    assert.deepEqual(answer.choices.map((c) => c.index), [0, 1, 2, 3]);
    assert.ok(answer.choices.slice(0, 2).every((c) => c.text.startsWith("A dog")));
    assert.ok(answer.choices.slice(2).every((c) => c.text.startsWith("A cat")));
  },

  async "stop strings end a text"() {
    const body = { model: "books", prompt: "The old man", max_tokens: 40, temperature: 0 };
    const whole = (await client.completions.create(body)).choices[0].text;
    const stop = whole.slice(20, 25);
    const cut = (await client.completions.create({ ...body, stop })).choices[0];
    assert.equal(cut.text, whole.slice(0, whole.indexOf(stop)));
    assert.equal(cut.finish_reason, "stop");
  },

  async "log probabilities come in both forms"() {
    const talk = await client.chat.completions.create(
      { ...chat, logprobs: true, top_logprobs: 2 });
    const tokens = talk.choices[0].logprobs.content;
    const bytes = Buffer.from(tokens.flatMap((t) => t.bytes));
    assert.equal(bytes.toString(), talk.choices[0].message.content);
    assert.ok(tokens.every((t) => t.logprob <= 0 && t.top_logprobs.length === 2));
    const text = await client.completions.create(
      { model: "books", prompt: "A", max_tokens: 3, logprobs: 4 });
    const old = text.choices[0].logprobs;
    assert.equal(old.tokens.length, 3);
    assert.equal(Object.keys(old.top_logprobs[0]).length, 4);
  },

  async "a schema is kept to, and parsed by the client"() {
    const answer = await client.chat.completions.parse({
      ...chat, max_tokens: 800,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "animal", strict: true,
          schema: {
            type: "object", additionalProperties: false, required: ["kind", "legs", "tame"],
            properties: { kind: { enum: ["dog", "bird"] }, legs: { enum: [2, 4] }, tame: { type: "boolean" } },
          },
        },
      },
    });
    const animal = JSON.parse(answer.choices[0].message.content);
    assert.deepEqual(Object.keys(animal), ["kind", "legs", "tame"]);
    assert.ok(["dog", "bird"].includes(animal.kind));
  },

  async "embeddings have length 1, in both encodings"() {
    const input = ["A ship on the sea", "A house"];
    const coded = await client.embeddings.create({ model: "books", input });  // base64
    const plain = await client.embeddings.create({ model: "books", input, encoding_format: "float" });
    for (const i of [0, 1]) {
      const length = Math.hypot(...coded.data[i].embedding);
      assert.ok(Math.abs(length - 1) < 1e-5, String(length));
      coded.data[i].embedding.forEach((x, j) =>
        assert.ok(Math.abs(x - plain.data[i].embedding[j]) < 1e-6));
    }
    assert.equal(coded.usage.total_tokens, plain.usage.total_tokens);
  },

  async "a stream may be left, and its text ends"() {
    const stream = await client.chat.completions.create({ ...chat, max_tokens: 900, stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content) break;  // this aborts the request
    }
    for (let i = 0; i < 300; ++i) {
      const text = await (await fetch(running.url + "/metrics",
        { headers: { Authorization: "Bearer secret" } })).text();
      if (/^tern_slots_active 0$/m.test(text)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail("the text goes on");
  },

  async "errors are the client's classes, with code and parameter"() {
    const wrong = (more) => thrown(client.chat.completions.create({ ...chat, ...more }));
    const bad = await wrong({ temperature: 9 });
    assert.ok(bad instanceof OpenAI.BadRequestError);
    assert.equal(bad.status, 400);
    assert.equal(bad.param, "temperature");
    assert.equal(bad.type, "invalid_request_error");
    const tools = await wrong({ tools: [{ type: "function", function: { name: "f" } }] });
    assert.ok(tools instanceof OpenAI.BadRequestError);
    assert.equal(tools.param, "tools");
    assert.equal(tools.code, "unsupported_parameter");
    const long = await wrong({ messages: [{ role: "user", content: "word ".repeat(2000) }] });
    assert.equal(long.code, "context_length_exceeded");
    const model = await wrong({ model: "gpt-9" });
    assert.ok(model instanceof OpenAI.NotFoundError);
    assert.equal(model.code, "model_not_found");
    const stranger = new OpenAI({ baseURL: running.url + "/v1", apiKey: "guess", maxRetries: 0 });
    const denied = await thrown(stranger.models.list());
    assert.ok(denied instanceof OpenAI.AuthenticationError);
    assert.equal(denied.code, "invalid_api_key");
    const large = await wrong({ messages: [{ role: "user", content: "x".repeat(2 << 20) }] });
    assert.equal(large.status, 413);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log("ok      " + name);
  } catch (error) {
    ++failed;
    console.log("FAILED  " + name + "\n" + error.stack);
  }
}

// A full queue: 429, which the client retries by itself and then throws.
{
  const small = await serve("--slots", "1", "--max-waiting", "0");
  const impatient = new OpenAI({ baseURL: small.url + "/v1", apiKey: "-", maxRetries: 0 });
  const long = { messages, model: undefined, max_tokens: 900 };
  const first = await impatient.chat.completions.create({ ...long, stream: true });
  const error = await thrown(impatient.chat.completions.create(long));
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.ok(Number(error.headers.get("retry-after")) >= 1);
  first.controller.abort();
  await end(small);
  console.log("ok      a full queue is a RateLimitError");
}
await end(running);
if (failed > 0) process.exit(1);
