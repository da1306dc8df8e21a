// A backend of TLS, told by its argument (JSON: key, cert, http2, connect, streams) what it offers. It echoes what comes in
// sessions, over HTTP/2 by extended CONNECT or over HTTP/1.1, and writes a line of JSON about whatever happens.
const { createHash } = require("node:crypto");
const http2 = require("node:http2");
const https = require("node:https");

const told = JSON.parse(process.argv[2]);
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const { key, cert } = told;
const settings = { enableConnectProtocol: told.connect, maxConcurrentStreams: told.streams };
const server = told.http2
  ? http2.createSecureServer({ key, cert, allowHTTP1: true, settings })
  : https.createServer({ key, cert });

server.on("secureConnection", (socket) => socket.alpnProtocol && tell({ connection: socket.alpnProtocol }));

server.on("stream", (stream, headers) => {
  if (headers[":method"] !== "CONNECT") return;
  tell({ session: "h2", headers, port: stream.session.socket.remotePort });
  stream.on("error", () => {});
  stream.on("close", () => tell({ closed: headers[":path"], code: stream.rstCode }));
  const path = headers[":path"];
  if (path === "/refuse") return stream.respond({ ":status": 403, "x-from": "backend" }), stream.end("not you");
  if (path === "/fail") return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  if (path === "/refuse-slowly") return stream.respond({ ":status": 403 }), stream.write("wait");
  stream.respond({ ":status": 200, ...(headers["sec-websocket-protocol"] && { "sec-websocket-protocol": "chat" }),
    ...(path === "/other" && { "sec-websocket-protocol": "other" }) });
  if (path === "/reset") return stream.on("data", () => stream.close(http2.constants.NGHTTP2_CANCEL));
  if (path === "/break") return stream.on("data", () => stream.session.destroy());
  if (path === "/goaway") stream.once("data", () => stream.session.close());
  if (path === "/full") return stream.pause();
  if (path === "/flood") {
    const more = () => { while (!stream.destroyed && stream.write(Buffer.alloc(65536))); };
    return stream.on("drain", more), more();
  }
  stream.pipe(stream);
});

// Else it answers 405 by itself.
server.on("connect", () => {});

server.on("request", (request, response) => {
  if (request.url !== "/") tell({ request: request.httpVersion });
  response.end("ok");
});

server.on("upgrade", (request, socket) => {
  tell({ session: "http/1.1", headers: request.headers });
  const proof = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${proof.digest("base64")}\r\n\r\n`);
  socket.on("error", () => {});
  socket.pipe(socket);
});

server.listen(0, "127.0.0.1", () => tell({ port: server.address().port }));
