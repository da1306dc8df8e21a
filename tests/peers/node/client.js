// A `ws` client: takes a request as JSON on standard input, follows its steps, prints what happened as JSON.
const { readFileSync } = require("node:fs");
const { once } = require("node:events");
const { WebSocket } = require("ws");
const { told, pattern } = require("./messages.js");

async function main() {
  const { url, steps, subprotocols, deflate, ca } = JSON.parse(readFileSync(0, "utf8"));
  const socket = new WebSocket(url, subprotocols, {
    perMessageDeflate: deflate,
    ca: ca ? readFileSync(ca) : undefined,
  });
  let close = null;
  const closed = new Promise((resolve) =>
    socket.on("close", (code, reason) => {
      close = [code, reason.toString()];
      resolve();
    }),
  );
  await once(socket, "open");
  const received = [];
  const answer = async () => {
    const message = once(socket, "message").then(([data, isBinary]) => received.push(told(data, isBinary)));
    await Promise.race([message, closed]);
  };
  for (const step of steps) {
    if ("close" in step) {
      socket.close(...step.close);
      await closed;
    } else if ("await_close" in step) {
      await closed;
    } else if ("ping" in step) {
      socket.ping(step.ping);
      const [data] = await once(socket, "pong");
      received.push(`pong ${data}`);
    } else if ("fragments" in step) {
      const next = answer();
      step.fragments.forEach((part, index) => socket.send(part, { fin: index === step.fragments.length - 1 }));
      await next;
    } else {
      const next = answer();
      socket.send("send" in step ? step.send : pattern(step.bytes));
      await next;
    }
  }
  const result = {
    subprotocol: socket.protocol,
    deflate: socket.extensions.includes("permessage-deflate"),
    received,
    close,
  };
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
