// OpenAI's SDK as a client of /v1: URL KEY WHAT
import OpenAI from "openai";

const [baseURL, apiKey, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Is it up?" }];
const say = (value) => console.log(JSON.stringify(value));

async function caught(make) {
  try {
    await make();
    return null;
  } catch (e) {
    return { kind: e.constructor.name, status: e.status ?? null, code: e.code ?? null, message: e.message };
  }
}

if (what === "stream") {
  let text = "";
  let usage = null;
  let finish = null;
  const stream = await client.chat.completions.create({
    model: "persai", messages, stream: true, stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  say({ text, usage, finish });
} else if (what === "whole") {
  const answer = await client.chat.completions.create({ model: "persai", messages });
  const models = (await client.models.list()).data.map((one) => one.id);
  const last = await client.models.retrieve(models.at(-1));
  say({ text: answer.choices[0].message.content, usage: answer.usage, models, last: last.id });
} else if (what === "close") {
  const stream = await client.chat.completions.create({ model: "persai", messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break; // closes the connection
  say({ closed: true });
} else {
  say({
    key: await caught(() => new OpenAI({ baseURL, apiKey: "pk-wrong", maxRetries: 0 }).models.list()),
    model: await caught(() => client.chat.completions.create({ model: "gpt-5", messages })),
    messages: await caught(() => client.chat.completions.create({ model: "persai", messages: [] })),
    tools: await caught(() =>
      client.chat.completions.create({
        model: "persai", messages, tools: [{ type: "function", function: { name: "f", parameters: {} } }],
      }),
    ),
  });
}
