// How results show a message, and the bytes that tests send; the same as in websocket_peers.py.
const { createHash } = require("node:crypto");

const sha256 = (data) => createHash("sha256").update(data).digest();

exports.told = (data, isBinary) => {
  if (isBinary) return { bytes: data.length, sha256: sha256(data).toString("hex") };
  const text = data.toString();
  return text.length < 1000 ? text : { text: text.length };
};

exports.pattern = (count) => {
  const block = Buffer.concat(Array.from({ length: 2048 }, (_, number) => sha256(String(number))));
  return Buffer.alloc(count, block);
};
