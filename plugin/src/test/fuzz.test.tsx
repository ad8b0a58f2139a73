// @vitest-environment jsdom
// Properties of what reads input that is not ours: whatever comes, nothing throws and nothing comes out that must not. Two
// seconds each; PERSAI_FUZZ_SECONDS=240 for a long run. A failure prints the seed that repeats it.
import { cleanup, render } from '@testing-library/react';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { StepType, TurnEvent, parseEvent } from '../api/events';
import { parseSessionDetail } from '../api/sessions';
import { StreamMessage, readStream } from '../api/stream';
import { splitBlocks } from '../chat/view/blocks';
import { citationsOf } from '../chat/tools/documents';
import { boardOf, draftsOf, previewOf } from '../chat/tools/drafts';
import { exchangesOf } from '../chat/store/exchanges';
import { Markdown } from '../chat/view/Markdown';
import { definitionOf, exploreLink, panelOf, parseSettings, settingsOf } from '../chat/tools/panels';
import { Turn, answerText, blocksOf, newTurn, reduce, statusOf } from '../chat/store/reduce';
import { hasLoneSample, isEmptyResult } from '../chat/tools/results';
import { rowsOf } from '../chat/tools/rows';
import { TAGS } from '../chat/view/tags';
import { shorten, wellFormed } from '../text';

const SECONDS = Number(process.env['PERSAI_FUZZ_SECONDS'] ?? 2);
const LIMIT = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: SECONDS * 1_000,
  markInterruptAsFailure: false,
};
const TIMEOUT = SECONDS * 2_000 + 60_000;

async function messagesOf(chunks: readonly Uint8Array[]): Promise<readonly StreamMessage[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller): void {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const messages: StreamMessage[] = [];
  for await (const batch of readStream(body)) messages.push(...batch);
  return messages;
}

const id = fc.constantFrom('a', 'b', 'c', '');
const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom('', '€ 🙂', '\ud83d', '{"query":"up"}', '{', 'null'),
);
const stepType = fc.constantFrom<StepType>('inference', 'tool_execution');
const json = fc.jsonValue({ maxDepth: 3 });
const call = fc.record({
  call_id: id,
  tool_name: fc.constantFrom(
    'execute_range_query',
    'update_plan',
    'save_panel',
    'save_dashboard',
    'search_docs',
    'x',
    '',
  ),
  arguments: fc.oneof(json, text, fc.constant({ query: 'up', panels: [{}], steps: [{ title: 'x' }] })),
  arguments_hash: text,
});
const response = fc.record({
  call_id: id,
  tool_name: text,
  content: fc.oneof(text, json),
  failed: fc.boolean(),
});
const delta = fc.oneof(
  fc.record({ type: fc.constantFrom('text', 'reasoning', 'notice', 'new'), text }),
  fc.record({
    type: fc.constant('tool_call'),
    call_id: id,
    name: text,
    arguments: fc.oneof(text, json),
    state: text,
  }),
);
const payload = fc.oneof(
  fc.record({ event_type: fc.constant('turn_start'), turn_id: id }),
  fc.record({ event_type: fc.constant('step_start'), step_type: stepType, step_id: id, attempt: fc.nat(3) }),
  fc.record({ event_type: fc.constant('step_progress'), step_type: stepType, step_id: id, delta }),
  fc.record({
    event_type: fc.constant('step_complete'),
    step_details: fc.record({
      step_type: stepType,
      step_id: id,
      model_response: fc.oneof(fc.record({ content: fc.oneof(text, json) }), json),
      tool_calls: fc.oneof(fc.array(call, { maxLength: 3 }), json),
      tool_responses: fc.oneof(fc.array(response, { maxLength: 3 }), json),
    }),
  }),
  fc.record({
    event_type: fc.constantFrom('turn_complete', 'turn_awaiting_input'),
    turn: fc.record({
      turn_id: id,
      output_message: fc.oneof(fc.record({ content: text }), json),
      tool_calls: fc.array(call, { maxLength: 3 }),
      usage: json,
    }),
  }),
  fc.record({
    event_type: fc.constantFrom('turn_cancelled', 'error', 'from_the_future'),
    code: text,
    message: text,
  }),
  json,
);

describe('a stream', () => {
  const line = fc.oneof(
    fc.constantFrom(
      ': ping',
      '',
      '',
      'id: 1-2',
      'id: x',
      'event: x',
      'retry: 1',
      'data',
      'data:',
      'data: {',
      '\ufeffdata: 1',
    ),
    payload.map((one) => `data: ${JSON.stringify({ event: { payload: one } })}`),
    fc.string({ maxLength: 12 }),
  );
  const end = fc.constantFrom('\n', '\r\n', '\r', '\n\n');

  it(
    'is the same however its bytes are split',
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(line, end), { maxLength: 12 }),
          fc.array(fc.nat(2_000)),
          async (lines, cuts) => {
            const bytes = new TextEncoder().encode(lines.flat().join(''));
            const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
            const pieces = [0, ...places].map((from, i) => bytes.slice(from, places[i] ?? bytes.length));
            expect(await messagesOf(pieces)).toEqual(await messagesOf([bytes]));
          },
        ),
        LIMIT,
      ),
    TIMEOUT,
  );
});

/** All that the page does with a turn. */
function use(turn: Turn): void {
  const blocks = blocksOf(turn);
  expect(new Set(blocks.map(({ key }) => key)).size).toBe(blocks.length);
  statusOf(turn);
  answerText(turn);
  draftsOf(turn, '', {});
  for (const step of turn.steps) {
    for (const one of step.calls) {
      const panel = panelOf(one, '2026-01-01T00:00:00Z', parseSettings(one.args));
      settingsOf(one, panel, parseSettings(one.args));
      if (panel !== undefined) definitionOf(panel, parseSettings(one.args));
      if (panel !== undefined) exploreLink(panel);
      previewOf(one, '/proxy/globaldatasources/p');
      boardOf(one, '/proxy/globaldatasources/p');
      citationsOf(one);
      rowsOf(one.result?.content ?? '');
    }
  }
}

describe('a turn', () => {
  it(
    'takes any events in any order, and what is final stays',
    () =>
      fc.assert(
        fc.property(fc.array(payload, { maxLength: 25 }), (payloads) => {
          let turn = newTurn('t');
          const events = payloads.flatMap(
            (one): TurnEvent | readonly TurnEvent[] =>
              parseEvent(JSON.stringify({ event: { payload: one } })) ?? [],
          );
          for (const event of events) {
            const before = turn;
            turn = reduce(turn, event);
            const isOver = before.status !== 'running' && before.status !== 'awaiting';
            if (isOver) expect(turn).toBe(before);
            else
              for (const step of before.steps.filter(({ complete }) => complete))
                if (turn.steps.some((one) => one.id === step.id && one.type === step.type))
                  expect(turn.steps).toContain(step);
          }
          use(turn);
        }),
        LIMIT,
      ),
    TIMEOUT,
  );

  it(
    'is read from whatever is stored',
    () =>
      fc.assert(
        fc.property(
          json,
          fc.array(
            fc.oneof(
              json,
              fc.record({
                role: fc.constantFrom('user', 'assistant', 'tool'),
                message_id: id,
                turn_id: id,
                content: json,
                tool_calls: fc.array(call),
                tool_responses: fc.array(response),
              }),
            ),
          ),
          json,
          (session, messages, turn) => {
            const value = { ...(session as object), messages, turn };
            const source = JSON.stringify(value);
            for (const { turn: one } of exchangesOf(parseSessionDetail('s', JSON.parse(source), source)))
              if (one !== undefined) use(one);
          },
        ),
        LIMIT,
      ),
    TIMEOUT,
  );
});

const ELEMENTS = new Set(
  (
    'div span p a b blockquote br code del em h3 h4 hr input li ol pre section strong sup table tbody td th thead tr ul button svg path ' +
    TAGS.join(' ')
  ).split(' '),
);
const ATTRIBUTES =
  /^(class|style|dir|href|target|rel|type|disabled|checked|aria-[a-z]+|role|tabindex|id|open|start|viewbox|focusable|d|data-[a-z-]+|scope|xmlns|title)$/;

function check(page: HTMLElement): void {
  for (const element of page.querySelectorAll('*')) {
    const name = element.tagName.toLowerCase();
    expect(ELEMENTS, name).toContain(name);
    for (const { name: attribute, value } of element.attributes) {
      expect(attribute.toLowerCase()).toMatch(ATTRIBUTES);
      if (attribute === 'href') expect(value).toMatch(/^https?:\/\/[^/]/i);
      if (attribute === 'dir') expect(value).toBe('auto'); // nobody turns our page around
    }
  }
}

describe('markdown', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '<',
      '>',
      '</',
      '/>',
      '<b',
      '<b>',
      '</b>',
      '<details>',
      '<details open>',
      '<details class="x" onclick=alert(1)>',
      '<summary id="y" style="x">',
      '<kbd class="x">',
      '<br clear="all" onload="x">',
      '</details>',
      '<summary>',
      '</summary>',
      '<br>',
      '<script>',
      '</script>',
      '<img src=x onerror=alert(1)>',
      '<a href="javascript:alert(1)">',
      '</a>',
      '<svg onload=x>',
      '<style>',
      '<iframe src="//e">',
      '<!--',
      '-->',
      '<?',
      '?>',
      '<![CDATA[',
      ']]>',
      '<table>',
      '<td',
      'onclick=x',
      '<input type=text>',
      '<math>',
      '<pod>',
      '<https://e.org>',
      '<javascript:x>',
    ),
    fc.constantFrom(
      '[',
      ']',
      '(',
      ')',
      '![',
      '](',
      '[x](javascript:alert(1))',
      '[x](data:text/html,x)',
      '![x](https://e.org/p.png)',
      '[x](https://e.org "t")',
      '[1]: ',
      '[1]',
      'https://e.org',
      '[^1]',
      '[^1]: note',
      '\n[^1]: ',
      'javascript:',
      '//e.org',
      '#user-content',
      '&lt;',
      '&#60;',
      '&colon;',
      '\\',
    ),
    fc.constantFrom(
      '\n',
      '\n\n',
      '    ',
      '- ',
      '- [x] ',
      '1. ',
      '> ',
      '> [!NOTE]\n',
      '> [!caution]\n> ',
      '# ',
      '| a | b |\n|---|---|\n',
      '|',
      '```',
      '```promql\n',
      '`',
      '**',
      '*',
      '_',
      '~',
      '~~',
      '***',
      '===',
      '---',
    ),
    fc.string({ maxLength: 6 }),
    fc.constantFrom('\u202e', '\u0000', '\ud83d', '🙂', '\u{e0041}', '\u200b'),
  );

  it(
    'never makes an element outside of the list, complete or not',
    () =>
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 30 }), fc.boolean(), (pieces, complete) => {
          const source = pieces.join('');
          const { container } = render(<Markdown text={source} complete={complete} />);
          check(container);
          cleanup();
          for (const block of splitBlocks(source)) expect(typeof block).toBe('string');
        }),
        LIMIT,
      ),
    TIMEOUT,
  );
});

describe('texts and data', () => {
  it(
    'are cut and looked at without harm',
    () =>
      fc.assert(
        fc.property(
          fc.string({ unit: 'binary', maxLength: 60 }),
          fc.integer({ min: 1, max: 40 }),
          fc.anything(),
          (long, max, data) => {
            const whole = wellFormed(long);
            expect(() => encodeURIComponent(whole)).not.toThrow(); // which half a character would make it do
            const cut = shorten(whole, max);
            expect(cut.length).toBeLessThanOrEqual(max);
            expect(wellFormed(cut)).toBe(cut);
            isEmptyResult(data);
            hasLoneSample(data);
            parseSettings(data);
          },
        ),
        LIMIT,
      ),
    TIMEOUT,
  );
});
