// How an answer reads: units, titles in words, lookups folded, charts side by side, buckets as a heatmap.
import { expect, it } from 'vitest';

import { World, ask, cards, idle, last, sampled } from './lib/world';
import { seriousFindings } from './chat';

const MEMORY = 'process_resident_memory_bytes';
const REQUESTS = 'sum by (handler) (rate(prometheus_http_requests_total[1m]))';
const QUERIES = [MEMORY, REQUESTS, 'up', 'go_goroutines', 'process_open_fds', 'prometheus_tsdb_head_series'];

function scriptMany(world: World): void {
  world.stack.model.when(
    'many things',
    () => [
      'First the metrics. ',
      { tool: 'list_metrics', args: { search: 'memory' } },
      { tool: 'list_label_values', args: { label: 'job' } },
    ],
    () => [
      'Now the numbers. ',
      ...QUERIES.map((query) => ({
        tool: 'execute_range_query',
        args: { query, start: 'now-1m', step: '2s' },
      })),
    ],
    () => ['All of it is **quiet**.'],
  );
}

export function answerTests(the: () => World): void {
  it.each([
    { dark: false, width: 1280, name: 'many' },
    { dark: true, width: 1280, name: 'many-dark' },
    { dark: false, width: 390, name: 'many-390' },
  ])('of many queries is on one screen, its lookups in one row: $name', async ({ dark, width, name }) => {
    const world = the();
    scriptMany(world);
    await sampled(world);
    const { page, errors } = await world.come('demo', { dark, width });
    await ask(page, 'Look at many things');
    await last(page).getByText('quiet').waitFor();
    await idle(page);
    const row = last(page).getByTestId('lookups');
    await row.getByText('Looked at 2 things').waitFor();
    const charts = cards(page, 'execute_range_query');
    expect(await charts.count()).toBe(QUERIES.length);
    if (width > 1000) {
      const [first, conclusion] = [
        await charts.first().boundingBox(),
        await last(page).getByText('quiet').boundingBox(),
      ];
      expect((conclusion?.y ?? 1e9) - (first?.y ?? 0)).toBeLessThan(640);
    }
    await charts.first().scrollIntoViewIfNeeded(); // one that was never seen is not made
    await charts.first().locator('canvas').first().waitFor();
    await charts.first().getByText('Process resident memory').waitFor();
    await world.shot(name);
    expect(await seriousFindings(page)).toEqual([]);
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(sideways).toBeLessThanOrEqual(0);
    await charts.first().getByRole('button', { name: 'Larger' }).click();
    await charts.first().getByRole('button', { name: 'Add to dashboard' }).waitFor();
    await row.getByRole('button').first().click();
    await row.getByText('Searched metrics: memory').waitFor();
    await row.getByText('First the metrics.').waitFor();
    expect(errors).toEqual([]);
  });

  it('has units and titles, rankings as bars, buckets as a heatmap, percentiles drawn', async () => {
    const world = the();
    world.stack.model.when(
      'units',
      () => [
        { tool: 'execute_instant_query', args: { query: `sum(${MEMORY})`, title: 'Memory in use' } },
        { tool: 'execute_instant_query', args: { query: 'topk(3, prometheus_http_requests_total)' } },
        { tool: 'execute_instant_query', args: { query: 'process_start_time_seconds', unit: 'seconds' } },
      ],
      () => [
        {
          tool: 'execute_range_query',
          args: {
            query: 'sum by (le) (increase(prometheus_http_request_duration_seconds_bucket[1m]))',
            start: 'now-5m',
          },
        },
        {
          tool: 'histogram_quantile',
          args: { metric: 'prometheus_http_request_duration_seconds', quantile: 0.9 },
        },
      ],
      () => ['Measured.'],
    );
    const { page, errors } = await world.come();
    await ask(page, 'What about units?');
    await last(page).getByText('Measured.').waitFor();
    await idle(page);
    const stat = cards(page, 'execute_instant_query').first();
    await stat.getByRole('heading', { name: 'Memory in use' }).waitFor();
    await stat
      .getByTestId('query-panel')
      .getByText(/\d [MG]B$/)
      .first()
      .waitFor();
    for (const [tool, n] of [
      ['execute_instant_query', 1],
      ['histogram_quantile', 0],
    ] as const) {
      const card = cards(page, tool).nth(n);
      await card.scrollIntoViewIfNeeded();
      await card.locator('canvas').first().waitFor();
    }
    // A moment is a date, and how long ago that is: no count of seconds.
    const began = cards(page, 'execute_instant_query').nth(2).getByTestId('moments');
    await began.scrollIntoViewIfNeeded();
    await began.getByText(String(new Date().getFullYear())).first().waitFor();
    await began.getByText(/ ago$/).first().waitFor();
    const heat = cards(page, 'execute_range_query');
    await heat.scrollIntoViewIfNeeded();
    await heat.getByTestId('heatmap').locator('canvas').waitFor();
    // One that is large again has its buttons: what the person chooses instead is drawn.
    await heat.getByRole('button', { name: 'Larger' }).click();
    await heat.getByRole('button', { name: 'How it is drawn' }).click();
    await page.getByRole('button', { name: 'Heatmap', pressed: true }).waitFor();
    await page.getByRole('button', { name: 'Lines' }).click();
    await page.keyboard.press('Escape');
    await expect.poll(() => heat.getByTestId('heatmap').count()).toBe(0);
    await heat.locator('canvas').first().waitFor();
    await cards(page, 'histogram_quantile')
      .getByText(/^P90 of /)
      .first()
      .waitFor();
    await world.shot('units');
    expect(errors).toEqual([]);
  });
}
