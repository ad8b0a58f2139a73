// LibreChat's agents package, as LibreChat runs a custom endpoint of its librechat.yaml: URL KEY WHAT
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { Providers, Run } from "@librechat/agents";

const [baseURL, apiKey, model] = process.argv.slice(2);
const run = await Run.create({
  runId: crypto.randomUUID(),
  returnContent: true,
  graphConfig: {
    type: "standard",
    instructions: "Be brief.",
    llmConfig: {
      provider: Providers.OPENAI, model, apiKey, streaming: true, streamUsage: true, maxRetries: 0, configuration: { baseURL },
    },
  },
});
const messages = [new HumanMessage("hello"), new AIMessage("Hello."), new HumanMessage("Is it up?")];
try {
  const content = await run.processStream(
    { messages },
    { runId: crypto.randomUUID(), streamMode: "values", version: "v2", configurable: { thread_id: "one" } },
  );
  console.log(JSON.stringify({ content }));
} catch (e) {
  console.log(JSON.stringify({ status: e.status ?? null, code: e.code ?? null, message: e.message }));
}
