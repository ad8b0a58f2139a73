// The official TypeScript SDK as a client of POST /mcp: URL TOKEN VERSION TOOL ARGUMENTS ANSWER
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, token, version, tool, args, answer] = process.argv.slice(2);
const asked = [];
const options = { capabilities: answer ? { elicitation: { form: {} } } : {} };
if (version === "2026-07-28") options.versionNegotiation = { mode: { pin: version } };
else options.supportedProtocolVersions = [version];
const client = new Client({ name: "test", version: "1" }, options);
if (answer)
  client.setRequestHandler("elicitation/create", async (request) => {
    asked.push(request.params.message);
    return answer === "accept" ? { action: answer, content: { approve: true } } : { action: answer };
  });
await client.connect(
  new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }),
);
const tools = (await client.listTools()).tools.map((one) => one.name);
const prompts = (await client.listPrompts()).prompts.map((one) => one.name);
const resources = (await client.listResources()).resources.map((one) => one.uri);
const read = resources.length ? (await client.readResource({ uri: resources[0] })).contents[0] : null;
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) });
console.log(JSON.stringify({ tools, prompts, resources, read, result, asked }));
await client.close();
