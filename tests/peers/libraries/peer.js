// The peer of Node's `ws`.
const { createServer } = require("node:http");
const { readFileSync } = require("node:fs");
const { once } = require("node:events");
const { WebSocket, WebSocketServer } = require("ws");

const MIB = 1024 * 1024;
const tell = (session, what) => console.log(JSON.stringify({ session, ...what }));

function server() {
  const http = createServer((request, response) => response.end());
  const server = new WebSocketServer({ server: http, perMessageDeflate: true });
  server.on("connection", (socket, request) => {
    let ours = false;
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => {
      const [order, code, ...reason] = isBinary ? [] : data.toString().split(" ");
      if (order === "fragments") {
        ["one ", "two ", "three"].forEach((part, index) => socket.send(part, { fin: index === 2 }));
      } else if (order === "ping") {
        socket.once("pong", () => socket.send("pong")).ping("are you there");
      } else if (order === "close") {
        ours = true;
        socket.close(Number(code), reason.join(" "));
      } else if (order === "abort") {
        ours = true;
        socket.terminate();
      } else {
        socket.send(data, { binary: isBinary });
      }
    });
    socket.on("close", (code, reason) => ours || tell(request.url, { code, reason: reason.toString() }));
  });
  http.listen(0, "127.0.0.1", () => console.log(http.address().port));
  process.stdin.on("end", () => process.exit(0)).resume();
}

function pattern(count) {
  const block = Buffer.from(Array.from({ length: 251 * 256 }, (_, at) => (at + Math.floor(at / 251)) & 255));
  return Buffer.alloc(count, block);
}

const text = (data) => data.toString();

const sessions = {
  async echo({ socket, ask }) {
    const answer = text(await ask("å ∀ 🙂"));
    const deflate = socket.extensions.includes("permessage-deflate");
    return { subprotocol: socket.protocol, deflate, text: answer, bytes: await echoed(ask, 100_000) };
  },
  async fragments({ socket, ask, next }) {
    ["in ", "three ", "frames"].forEach((part, index) => socket.send(part, { fin: index === 2 }));
    return { whole: text(await next()), parts: text(await ask("fragments")) };
  },
  async pings({ socket, ask }) {
    socket.ping("are you there");
    const [data] = await once(socket, "pong");
    return { pong: text(data) === "are you there", asked: text(await ask("ping")) };
  },
  async deflated({ socket, ask }) {
    return { deflate: socket.extensions.includes("permessage-deflate"), bytes: await echoed(ask, MIB) };
  },
  large: async ({ ask }) => ({ bytes: await echoed(ask, 64 * MIB) }),
  async "client-closes"({ socket, closed }) {
    socket.close(4001, "enough");
    return closed;
  },
  async "server-closes"({ socket, closed }) {
    socket.send("close 4002 go away now");
    return closed;
  },
  async "server-aborts"({ socket, closed }) {
    socket.send("abort");
    return { code: (await closed).code };
  },
  async "client-aborts"({ socket, ask }) {
    const answer = text(await ask("I am here"));
    socket.terminate();
    return { text: answer };
  },
  async waits({ ask, closed }) {
    await ask("I am here");
    return closed;
  },
};

async function echoed(ask, count) {
  const sent = pattern(count);
  const answer = await ask(sent);
  if (!answer.equals(sent)) throw new Error(`${answer.length} bytes that are not the ${count} sent`);
  return answer.length;
}

async function one(url, name, ca) {
  const socket = new WebSocket(`${url}/${name}`, name === "echo" ? ["chat", "superchat"] : [], {
    perMessageDeflate: name === "echo" || name === "deflated",
    ca: ca && readFileSync(ca),
  });
  const closed = once(socket, "close").then(([code, reason]) => ({ code, reason: reason.toString() }));
  const next = () =>
    Promise.race([
      once(socket, "message").then(([data]) => data),
      closed.then(({ code }) => Promise.reject(new Error(`closed with ${code}`))),
    ]);
  const ask = (message) => {
    const answer = next();
    socket.send(message);
    return answer;
  };
  const tooLong = new Promise((_, reject) => setTimeout(() => reject(new Error("40 s are over")), 40_000).unref());
  const steps = async () => {
    await once(socket, "open");
    const told = await sessions[name]({ socket, ask, next, closed });
    socket.close(1000, "done");
    await closed;
    return told;
  };
  return Promise.race([steps(), tooLong]);
}

async function client(url, ca, ...names) {
  for (const name of names) {
    await one(url, name, ca).then(
      (told) => tell(name, told),
      (error) => tell(name, { error: String(error) }),
    );
  }
  process.exit(0);
}

if (process.argv[2] === "server") server();
else client(...process.argv.slice(3));
