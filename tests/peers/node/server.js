// A `ws` server: echoes; prints its port, then [CODE, REASON] of each session that its client closed. Ends with its
// standard input.
const { createServer } = require("node:http");
const { WebSocketServer } = require("ws");

const http = createServer((request, response) => response.end("a plain page\n"));
const server = new WebSocketServer({ server: http, perMessageDeflate: true });

server.on("connection", (socket) => {
  let ours = false;
  socket.on("error", () => {}); // a frame that is wrong: `ws` closes
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    const close = /^close (\d+) (.*)$/.exec(text);
    if (close) {
      ours = true;
      socket.close(Number(close[1]), close[2]);
    } else if (text === "fragments") {
      ["one ", "two ", "three"].forEach((part, index) => socket.send(part, { fin: index === 2 }));
    } else {
      socket.send(data, { binary: isBinary });
    }
  });
  socket.on("close", (code, reason) => {
    if (!ours) console.log(JSON.stringify([code, reason.toString()]));
  });
});

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
