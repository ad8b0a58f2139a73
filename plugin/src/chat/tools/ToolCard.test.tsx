// @vitest-environment jsdom
import { RouterContext } from '@perses-dev/plugin-system';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { fireEvent, render, screen, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { GatewayClient } from '../../api/client';
import { PersesApi } from '../../api/perses';
import { ChatContext, ChatContextValue } from '../store/context';
import { Conversation } from '../store/conversation';
import { Call } from '../store/reduce';
import { ToolCard } from './ToolCard';

// What Perses draws is Perses's: here only which panels are asked of it.
vi.mock('./QueryPanel', () => ({
  QueryPanel: ({ panel }: { panel: { kind: string; query: string } }) => (
    <div data-testid="query-panel">{`${panel.kind} ${panel.query}`}</div>
  ),
}));
vi.mock('./installed', () => ({ useInstalled: () => ({ missing: [], explorer: false }) }));

const AT = '2026-03-01T12:00:00.000Z';
const PROM = '/proxy/globaldatasources/prom';
const panels = Array.from({ length: 8 }, (_, i) => ({ title: `P${i}`, query: `up * ${i}` }));
const board = { project: 'demo', title: 'Memory', description: 'What for', panels };

function done(name: string, args: unknown, content = '{}'): Call {
  const result = { callId: 'c', name, content, failed: false, durationMs: 1, datasource: PROM };
  return { id: 'c', name, args, state: 'done', result };
}

function show(call: Call, perses?: Partial<PersesApi>): ChatContextValue {
  const context: ChatContextValue = {
    conversation: new Conversation({ client: {} as GatewayClient, onSession: vi.fn(), onChange: vi.fn() }),
    perses: perses as PersesApi | undefined,
    sendOptions: () => ({ datasourcePath: PROM, context: {} }),
    addToDashboard: vi.fn(),
  };
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterContext.Provider value={{ RouterComponent: () => null, navigate: vi.fn() }}>
        <ChatContext.Provider value={context}>
          <ToolCard call={call} at={AT} settings={undefined} />
        </ChatContext.Provider>
      </RouterContext.Provider>
    </QueryClientProvider>,
  );
  return context;
}

describe('what the datasource says beside its data', () => {
  const range = (rest: object): string => JSON.stringify({ kind: 'range', series: [], ...rest });

  it('is told: an answer with parts missing', () => {
    const notes = ['Datasource: store-2: context deadline exceeded\u202e', 'Only 3 series are shown.'];
    show(done('execute_range_query', { query: 'up' }, range({ partial: true, notes })));
    expect(screen.getByTestId('partial').textContent).toBe(
      'The datasource says that this answer is partial: data is missing.store-2: context deadline exceeded\ufffd',
    );
  });

  it('is told of any tool, and of one that found nothing', () => {
    const failed = { ...done('describe_metric', { metric: 'up' }), state: 'failed' as const };
    const content = '{"kind":"error","code":"unknown_metric","error":"None.","partial":true}';
    show({ ...failed, result: { ...failed.result!, content, failed: true } });
    expect(screen.getByTestId('partial')).toBeInTheDocument();
  });

  it('is no alarm where nothing is missing', () => {
    const notes = ['Datasource: PromQL info: metric might not be a counter'];
    show(done('execute_range_query', { query: 'up' }, range({ partial: false, notes })));
    expect(screen.queryByTestId('partial')).toBeNull();
    expect(screen.getByTestId('said').textContent).toBe('PromQL info: metric might not be a counter');
  });

  it.each(['{}', 'not JSON', '{"partial":"true"}', '{"notes":{}}', '{"notes":[null,7,{}]}', '[true]'])(
    'is nothing in %s',
    (content) => {
      show(done('execute_range_query', { query: 'up' }, content));
      expect(screen.queryByTestId('partial')).toBeNull();
      expect(screen.queryByTestId('said')).toBeNull();
    },
  );
});

describe('a proposed panel', () => {
  it('is drawn, titled, and can be added to a dashboard', () => {
    const args = { title: 'Heap', query: 'heap', kind: 'GaugeChart', unit: 'bytes' };
    const { addToDashboard } = show(done('propose_panel', args, '{"kind":"panel_proposal","checked":false}'));
    expect(screen.getByTestId('query-panel').textContent).toBe('GaugeChart heap');
    expect(screen.getByText('Heap')).toBeInTheDocument();
    expect(screen.getByText(/could not be asked/)).toBeInTheDocument();
    fireEvent.click(screen.getByRole('button', { name: 'Add to dashboard' }));
    expect(vi.mocked(addToDashboard)?.mock.calls[0]?.[0]).toMatchObject([
      { panel: { title: 'Heap', kind: 'GaugeChart' }, settings: { unit: 'bytes' } },
    ]);
  });
});

describe('a proposed dashboard', () => {
  it('shows all of its queries, draws the first, and can be made', () => {
    const { addToDashboard } = show(done('propose_dashboard', board));
    expect(screen.getByText(/demo \/ Memory, 8 panels. What for/)).toBeInTheDocument();
    expect(screen.getAllByTestId('draft-panel')).toHaveLength(8);
    expect(screen.getAllByTestId('query-panel')).toHaveLength(6);
    const last = screen.getAllByTestId('draft-panel')[7];
    expect(last?.textContent).toBe('P7up * 7');
    fireEvent.click(screen.getByRole('button', { name: 'Draw the other 2 panels' }));
    expect(screen.getAllByTestId('query-panel')).toHaveLength(8);
    fireEvent.click(screen.getByRole('button', { name: 'Make this dashboard' }));
    const [drafts, asked] = vi.mocked(addToDashboard)?.mock.calls[0] ?? [];
    expect(drafts).toHaveLength(8);
    expect(asked).toMatchObject({ project: 'demo', title: 'Memory', description: 'What for' });
  });
});

describe('documents', () => {
  it('are cited by file and heading, and opened', () => {
    const found = [
      { file: 'runbooks/Down.md', heading: 'Down > Do', line: 12, is_the_runbook: true, text: 'Restart it.' },
      { file: 'notes.txt', heading: '', line: 1, text: '<b>x</b>\u202e' },
    ];
    show(done('search_docs', { query: 'down' }, JSON.stringify({ kind: 'documents', found })));
    const [first, second] = within(screen.getByTestId('documents')).getAllByRole('listitem');
    expect(first?.querySelector('summary')?.textContent).toBe(
      'runbooks/Down.md Down > Do, line 12 Runbook of the alert',
    );
    expect(first?.textContent).toContain('Restart it.');
    expect(second?.textContent).toBe('notes.txt line 1 <b>x</b>\ufffd');
  });
});

describe('a dashboard that waits for the yes', () => {
  const call: Call = { id: 'c', name: 'save_dashboard', args: board, state: 'awaiting' };

  it('is told in words, and shown', async () => {
    const getDashboard = vi.fn(() => Promise.reject(Object.assign(new Error('no'), { status: 404 })));
    show(call, { prefix: '', getDashboard });
    const approval = screen.getByTestId('approval');
    expect(approval.textContent).toContain(
      'PersAI wants to make the new dashboard Memory in the project demo, with 8 panels, in your name.',
    );
    expect(within(approval).getAllByTestId('draft-panel')).toHaveLength(8);
    await vi.waitFor(() => expect(getDashboard).toHaveBeenCalledWith('demo', 'Memory'));
    expect(screen.queryByText(/already/)).toBeNull();
    expect(screen.queryByRole('button', { name: 'Make this dashboard' })).toBeNull();
  });

  it('is told to be there already', async () => {
    show(call, { prefix: '', getDashboard: vi.fn(() => Promise.resolve({} as never)) });
    expect(await screen.findByText(/has a dashboard Memory already/)).toBeInTheDocument();
  });

  it('asks Perses of no project that could not be one', () => {
    const getDashboard = vi.fn();
    show({ ...call, args: { ...board, project: '../x' } }, { prefix: '', getDashboard });
    expect(getDashboard).not.toHaveBeenCalled();
  });

  it('is led to when it is there', () => {
    show(done('save_dashboard', board, '{"project":"demo","dashboard":"Memory"}'));
    const link = screen.getByRole('link', { name: 'Show the dashboard' });
    expect(link.getAttribute('href')).toBe('/projects/demo/dashboards/Memory');
    expect(screen.queryByTestId('draft-panel')).toBeNull();
  });
});

describe('what is asked', () => {
  function waits(
    name: string,
    source: string,
    server?: { name: string; host: string; tool: string; key: string },
  ): void {
    const awaited = { hash: 'h', expiresAt: '', source, server };
    show({ id: 'c', name, args: JSON.parse(source), state: 'awaiting', awaited });
  }

  it('is shown whole, as it came', () => {
    const source = `{"n":12345678901234567890,"text":"${'x'.repeat(50_000)} the end"}`;
    waits('save_panel', source);
    const shown = screen.getByLabelText('Arguments', { exact: true }).textContent ?? '';
    expect(shown).toContain('12345678901234567890');
    expect(shown.endsWith('x the end"\n}')).toBe(true);
    expect(screen.queryByTestId('invisible')).toBeNull();
  });

  it('has no character that is not seen', () => {
    waits('save_panel', JSON.stringify({ title: 'CPU\u{e0041}\u{e0042}\u00ad', project: 'de\u202emo' }));
    expect(screen.getByTestId('invisible')).toHaveTextContent('There are 4 characters in the arguments');
    const shown = screen.getByLabelText('Arguments', { exact: true });
    expect([...shown.querySelectorAll('mark')].map(({ textContent }) => textContent)).toEqual([
      '‹U+E0041›',
      '‹U+E0042›',
      '‹U+00AD›',
      '‹U+202E›',
    ]);
    expect(screen.getByTestId('approval')).toHaveTextContent('of the project de‹U+202E›mo');
  });

  it('of another server says whose it is, and whose key goes along', () => {
    waits('tickets_close', '{"id":7}', {
      name: 'tickets',
      host: 'mcp.example:443',
      tool: 'close',
      key: "the operator's",
    });
    expect(screen.getByTestId('approval')).toHaveTextContent(
      "wants to call the tool close of the server tickets, at mcp.example:443. The key that goes along is the operator's",
    );
  });

  it('for a datasource says which server gets the sign-in', () => {
    const args = {
      project: 'shop',
      server: 'http://elsewhere:9090',
      datasource: '/proxy/projects/shop/datasources/x',
      gets: 'all',
    };
    waits('use_datasource', JSON.stringify(args));
    expect(screen.getByTestId('approval')).toHaveTextContent(
      'datasource /proxy/projects/shop/datasources/x of the project shop, which you did not pick. Its queries go to the server http://elsewhere:9090, and that server gets your Perses sign-in',
    );
  });
});
