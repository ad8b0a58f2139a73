// @ag-ui/client over a life: URL TOKEN THREAD STEPS, each a line that is told when it is over.
// Steps: ask TEXT, join, cancel, yes, no.
import { HttpAgent } from "@ag-ui/client";

const [url, token, threadId, ...steps] = process.argv.slice(2);
const agent = new HttpAgent({ url, threadId, headers: { Authorization: `Bearer ${token}` } });

// What fetch says of a connection that was cut comes to the run, and once more to nobody.
process.on("uncaughtException", () => {});

for (let i = 0; i < steps.length; i++) {
  const run = { runId: `run-${i}` };
  const events = [];
  let outcome = null;
  let error = null;
  const step = steps[i];
  if (step === "ask") agent.addMessage({ id: `q-${i}`, role: "user", content: steps[++i] });
  else if (step === "join" || step === "cancel") agent.setMessages([]);
  if (step === "cancel") run.forwardedProps = { persai: { cancel: true } };
  if (step === "yes" || step === "no")
    run.resume = agent.pendingInterrupts.map((one) => ({
      interruptId: one.id,
      status: "resolved",
      payload: { approve: step === "yes" },
    }));
  const failed = (e) => String(e?.message ?? e);
  try {
    await agent.runAgent(run, {
      onEvent: ({ event }) => {
        if (events[events.length - 1] !== event.type) events.push(event.type);
        if (event.type === "TEXT_MESSAGE_CONTENT" && events.filter((type) => type === event.type).length === 1)
          console.log(JSON.stringify({ step, at: "text" }));
        if (event.type === "RUN_FINISHED") outcome = event.outcome ?? null;
        if (event.type === "RUN_ERROR") error = event.message;
      },
    });
  } catch (e) {
    error = error ?? failed(e);
  }
  console.log(JSON.stringify({ step, events, outcome, error, messages: agent.messages, pending: agent.pendingInterrupts }));
}
