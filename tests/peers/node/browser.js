// Chromium, told what to do on standard input, one JSON array a line: [ACTION, ARGUMENT, …]. Answers {"value": …} or
// {"error": …}. Ends with its standard input.
const { createInterface } = require("node:readline");
const { chromium } = require("playwright-core");

const TIMEOUT = 10_000;
const tabs = {};
// The status of the answer to each WebSocket handshake of a tab.
const handshakes = {};
let context;

const actions = {
  async open(tab, url) {
    tabs[tab] ??= await newTab(tab);
    tabs[tab].setDefaultTimeout(TIMEOUT);
    return (await tabs[tab].goto(url)).status();
  },
  text: (tab, selector) => tabs[tab].textContent(selector),
  async type(tab, selector, text) {
    await tabs[tab].fill(selector, text);
    await tabs[tab].press(selector, "Enter");
  },
  async wait(tab, selector, text) {
    await tabs[tab].locator(selector, { hasText: text }).first().waitFor({ timeout: TIMEOUT });
  },
  handshakes: async (tab) => handshakes[tab],
  evaluate: (tab, script) => tabs[tab].evaluate(script),
  screenshot: (tab, path) => tabs[tab].screenshot({ path }).then(() => path),
};

async function newTab(name) {
  const page = await context.newPage();
  const tools = await context.newCDPSession(page);
  await tools.send("Network.enable");
  handshakes[name] = [];
  tools.on("Network.webSocketHandshakeResponseReceived", ({ response }) => handshakes[name].push(response.status));
  return page;
}

async function main() {
  context = await chromium.launchPersistentContext(process.argv[2], {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    ignoreHTTPSErrors: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  for await (const line of createInterface({ input: process.stdin })) {
    const [action, ...rest] = JSON.parse(line);
    const answer = await actions[action](...rest).then(
      (value) => ({ value: value ?? null }),
      (error) => ({ error: `${action} ${rest.join(" ")}: ${error.message}` }),
    );
    console.log(JSON.stringify(answer));
  }
  await context.close();
}

main().catch((error) => {
  console.log(JSON.stringify({ error: `Chromium does not start: ${error.message}` }));
  process.exit(1);
});
