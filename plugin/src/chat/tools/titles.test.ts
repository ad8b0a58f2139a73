import { describe, expect, it } from 'vitest';

import { titleOfPromQL } from './titles';

describe('a query in words', () => {
  it.each([
    ['up', 'Up'],
    ['sum by (job) (rate(http_requests_total[5m]))', 'Http requests by job'],
    ['process_resident_memory_bytes', 'Process resident memory'],
    [
      'topk(5, sum by (pod, namespace) (container_memory_usage_bytes))',
      'Top 5: container memory usage by pod, namespace',
    ],
    [
      'histogram_quantile(0.95, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))',
      'P95 of http request duration by handler',
    ],
    ['count(up == 1)', 'Number of up'],
    ['a_bytes / b_bytes', 'A / b'],
    ['{__name__="x_y_total"}', 'X y'],
    ['rate({"http.server.requests", job="a"}[5m])', 'Http server requests'],
    [`sum by ("service.name") ({job='a', 'http.server.requests'})`, 'Http server requests by service.name'],
    ["{'__name__'='x_y_total'}", 'X y'],
    ['{job="a,b", __name__=~"x|y"}', undefined],
    ['job:http_requests:rate5m', 'Http requests'],
    ['{job="a"}', undefined],
    ['1 + 1', undefined],
    ['', undefined],
    ['sum(', undefined],
    [`${'a'.repeat(300)}`, undefined],
  ])('%s: %s', (query, title) => {
    expect(titleOfPromQL(query)).toBe(title);
  });
});
