// Node's HTTP server as a member.
const http = require("node:http");

const server = http.createServer((request, response) => {
  let body = "";
  request.setEncoding("latin1").on("data", (data) => (body += data));
  request.on("end", () => {
    const { method, url: target } = request;
    const client = request.headers["x-forwarded-for"] ?? "";
    process.stdout.write(JSON.stringify({ client, method, target, body }) + "\n");
    response.setHeader("Content-Length", 0).end();
  });
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
