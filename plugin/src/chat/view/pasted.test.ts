import { expect, it } from 'vitest';

import { pastedAs } from './pasted';

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
