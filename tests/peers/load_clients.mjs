// For load.mjs: clients by hand, on sockets of their own.
import { once } from "node:events";
import { connect } from "node:net";
import { askedBody, pause, random, textOf } from "./load_server.mjs";

async function open(server) {
  const socket = connect(server.port, server.hostname);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

function requestText(body, connection) {
  const json = JSON.stringify(body);
  return "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
    `Connection: ${connection}\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`;
}

// The text of a chunked body.
function dechunk(bytes) {
  const parts = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf("\r\n", at);
    const size = parseInt(bytes.toString("latin1", at, line), 16);
    if (!(size >= 0)) throw new Error("a chunked answer that was cut");
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

// Asks on a new connection, takes `rate` bytes every 10 ms (0: all at once), and
// returns {status, text}.  An error has .untouched if no byte of an answer came.
export async function hand(server, body, rate) {
  const parts = [];
  const socket = connect({ port: server.port, host: server.hostname, onread: {
    buffer: Buffer.alloc(rate || 65536),
    callback: (count, buffer) => {
      parts.push(Buffer.from(buffer.subarray(0, count)));
      if (rate) setTimeout(() => socket.resume(), 10);
      return !rate;
    },
  } });
  try {
    socket.on("connect", () => socket.write(requestText(body, "close")));
    await once(socket, "close");  // rejects with the socket's error
    if (parts.length === 0) throw new Error("closed without an answer");
  } catch (error) {
    error.untouched = parts.length === 0;
    throw error;
  }
  const bytes = Buffer.concat(parts);
  const split = bytes.indexOf("\r\n\r\n");
  const head = bytes.toString("latin1", 0, split);
  const status = Number(head.split(" ")[1]);
  const rest = bytes.subarray(split + 4);
  if (status !== 200) return { status, text: rest.toString() };
  const text = /transfer-encoding: chunked/i.test(head) ? dechunk(rest) : rest.toString();
  return { status, text: textOf(text, body.stream) };
}

// Leaves within its request, before its answer, or in the middle of it.
export async function gone(server) {
  const socket = await open(server);
  const text = requestText({ ...askedBody(), max_tokens: 600, stream: random(2) === 0 },
    "keep-alive");
  socket.write(random(3) ? text : text.slice(0, random(text.length)));
  await pause(random(random(2) ? 300 : 3000));
  if (random(2)) socket.destroy();
  else socket.resetAndDestroy();
}

// Asks for much and reads nothing: twice 400 tokens with 20 others for each are
// more than the server and the system keep, so that it ends the stream itself.
export async function unread(server) {
  const socket = await open(server);
  socket.pause();
  socket.write(requestText({ ...askedBody(), prompt: "A", max_tokens: 400, stream: true,
    n: 2, logprobs: 20, temperature: 1 }, "keep-alive"));
  await pause(3000 + random(27000));
  socket.destroy();
  return "did not read";
}

// Returns the status that nonsense gets.
export async function nonsense(server) {
  const kinds = ["POST /v1/completions HTTP/1.1\r\nHost: x\r\n\0\r\n\r\n", "\x16\x03\x01\r\n\r\n",
    requestText({ prompt: "a", max_tokens: -1 }, "close"),
    requestText({ prompt: "a", colour: "red" }, "close"),
    requestText({ prompt: [1, 2, 1e9] }, "close"), requestText("[", "close")];
  const socket = await open(server);
  socket.write(kinds[random(kinds.length)]);
  let text = "";
  try {
    for await (const piece of socket) text += piece;
  } catch {
    // The status was there before the connection was reset, or it is missing.
  }
  return Number(text.split(" ")[1]);
}
