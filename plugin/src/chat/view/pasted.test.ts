import { expect, it } from 'vitest';

import { pastedAs, shortened } from './pasted';

it.each([
  ['sum by (job) (rate(http_requests_total[5m]))', 'promql'],
  ['up{job="node"}', 'promql'],
  ['  topk(3, x)\n', 'promql'],
  ['{__name__="up"}', 'promql'],
  ['{job="api"} |= "error"', 'logql'],
  ['{job="api"}', 'logql'],
  ['{"labels":{"alertname":"Down"},"annotations":{}}', 'alert'],
  ['{"receiver":"x","alerts":[{"labels":{"alertname":"Down"}}]}', 'alert'],
  ['[{"labels":{"alertname":"Down"}}]', 'alert'],
  ['{"title":"Node","schemaVersion":38,"panels":[{"type":"graph"}]}', 'grafana'],
  ['{"dashboard":{"panels":[{"targets":[{"expr":"up"}]}]}}', 'grafana'],
  ['{"status":"success","data":{"alerts":[{"labels":{"alertname":"Down"}}]}}', 'alert'],
  ['groups:\n- name: x\n  rules:\n  - alert: Down\n    expr: up == 0', 'alert'],
  ['{"type":"timeseries","title":"CPU","targets":[{"expr":"up"}]}', 'grafana'],
  ['{"rows":[{"panels":[{"targets":[{"expr":"up"}]}]}]}', 'grafana'],
  ['rate(x{job="$job"}[$__rate_interval])', 'promql'],
  ['max_over_time(x[$range:${__interval}])', 'promql'],
  ['up == 0', 'promql'],
  ['node_load1 > 5', 'promql'],
  ['{"http.requests", job="x"}', 'promql'],
  ['time() - process_start_time_seconds', 'promql'],
  ['sum(rate({app="x"} |= "err" [5m])) by (pod)', 'logql'],
  ['sum by (pod) (count_over_time({app="x"} | json [1m]))', 'logql'],
  ['count_over_time({app="x"}[1m])', 'logql'],
  ['(1 + 2)', undefined],
  ['Is a > b?', undefined],
  ['[link](http://example.org)', undefined],
  ['Why is it slow (since noon)?', undefined],
  ['up', undefined],
  ['cpu usage by host', undefined],
  ['{"a":1}', undefined],
  ['[1,2]', undefined],
  ['', undefined],
  ['sum(', undefined],
])('%j is %s', (text, kind) => {
  expect(pastedAs(text)).toBe(kind);
});

function boardOf(count: number): string {
  const panels = Array.from({ length: count }, (_, i) => ({
    title: `P${i}`,
    type: 'timeseries',
    gridPos: { h: 1 },
    targets: [{ expr: `rate(x{a="${i}"}[5m])`, refId: 'A' }],
    fieldConfig: { defaults: { unit: 's', custom: { looks: 'x'.repeat(3_000) } } },
  }));
  return JSON.stringify({
    title: 'Node',
    schemaVersion: 39,
    templating: { list: [{ name: 'job' }] },
    panels,
  });
}

it('knows a dashboard of any size, and keeps of a long one what its panels ask', () => {
  const text = boardOf(60);
  expect(pastedAs(text)).toBe('grafana');
  const short = shortened(text, 15_000);
  expect(short.length).toBeLessThan(15_000);
  expect(JSON.parse(short)).toMatchObject({ title: 'Node', variables: [{ name: 'job' }] });
  expect(JSON.parse(short).panels).toHaveLength(60);
  expect(JSON.parse(short).panels[59]).toEqual({
    title: 'P59',
    type: 'timeseries',
    unit: 's',
    targets: [{ expr: 'rate(x{a="59"}[5m])' }],
  });
  const fewer = JSON.parse(shortened(boardOf(1_000), 15_000));
  expect(fewer.panels.length + fewer.panelsLeftOut).toBe(1_000);
  expect(fewer.panels.length).toBeGreaterThan(100);
});

it('takes no depth for anything', () => {
  expect(pastedAs('['.repeat(20_000) + ']'.repeat(20_000))).toBeUndefined();
});
