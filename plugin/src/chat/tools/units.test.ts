import { UNIT_CONFIG } from '@perses-dev/core';
import { describe, expect, it } from 'vitest';

import { momentOfPromQL, unitOfBuckets, unitOfLogQL, unitOfPromQL } from './units';

describe('the unit of a PromQL query', () => {
  it.each([
    ['process_resident_memory_bytes', 'bytes'],
    ['sum by (job) (process_resident_memory_bytes{job="x"})', 'bytes'],
    ['topk(5, container_memory_usage_bytes)', 'bytes'],
    ['node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes', 'bytes'],
    ['rate(node_network_receive_bytes_total[5m])', 'bytes/sec'],
    ['sum(rate(node_network_receive_bytes_total{device!="lo"}[5m] offset 1d))', 'bytes/sec'],
    ['8 * rate(node_network_receive_bytes_total[5m])', 'bits/sec'],
    ['rate(node_network_receive_bytes_total[5m]) * 8', 'bits/sec'],
    ['increase(node_network_receive_bytes_total[1h])', 'bytes'],
    ['deriv(process_resident_memory_bytes[1h])', 'bytes/sec'],
    ['max_over_time(process_resident_memory_bytes[1h])', 'bytes'],
    ['max_over_time(rate(x_bytes_total[5m])[1h:1m])', 'bytes/sec'],
    ['sum(x_bytes) / 1024 / 1024', undefined],
    ['container_memory_working_set_bytes / kube_pod_container_resource_limits{resource="memory"}', undefined],
    ['sum(x_bytes) / sum(kube_node_status_allocatable{resource="memory"})', undefined],
    ['rate(x_bytes_total[5m]) / on (device) link_speed', undefined],
    ['x_bytes / count(up)', 'bytes'],
    ['x_seconds_total / x_total', 'seconds'],
    ['x_bytes / x_ratio', 'bytes'],
    ['http_request_duration_seconds', 'seconds'],
    ['{"http.request.duration_seconds", job="a"}', 'seconds'],
    ["rate({job='a,\"b\"', 'http.request.size_bytes'}[5m])", 'bytes/sec'],
    ['rate({`process.cpu.requests_total`}[5m])', 'requests/sec'],
    ["{__name__='x_bytes'}", 'bytes'],
    ['histogram_quantile(0.9, sum by (le) (rate({"http.request.duration_seconds_bucket"}[5m])))', 'seconds'],
    ['{job="x_bytes"}', undefined],
    ['{__name__=~"x_bytes"}', undefined],
    ['histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))', 'seconds'],
    ['histogram_quantile(0.9, rate(response_size_bytes[5m]))', 'bytes'],
    ['histogram_quantile(0.9, sum(rate(rpc_latency_ms_bucket[5m])) by (le))', 'milliseconds'],
    ['rate(a_seconds_sum[5m]) / rate(a_seconds_count[5m])', 'seconds'],
    ['1000 * rate(a_seconds_sum[5m]) / rate(a_seconds_count[5m])', 'milliseconds'],
    ['rate(a_bytes_sum[5m]) / rate(a_bytes_count[5m])', 'bytes'],
    ['rate(http_requests_total[5m])', 'requests/sec'],
    ['sum(rate(http_request_duration_seconds_count[5m]))', 'requests/sec'],
    ['rate(node_disk_reads_completed_total[5m])', 'reads/sec'],
    ['rate(node_network_receive_packets_total[5m])', 'packets/sec'],
    ['rate(node_context_switches_total[5m])', 'counts/sec'],
    ['60 * rate(http_requests_total[5m])', undefined],
    [
      'sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
      'percent-decimal',
    ],
    ['100 * sum(rate(a_errors_total[5m])) / sum(rate(a_requests_total[5m]))', 'percent'],
    ['1 - node_filesystem_avail_bytes / node_filesystem_size_bytes', 'percent-decimal'],
    ['(1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) * 100', 'percent'],
    ['100 - (avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) * 100)', 'percent'],
    ['1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))', 'percent-decimal'],
    ['avg(cpu_utilization)', 'percent-decimal'],
    ['battery_percent', 'percent'],
    ['cache_hit_ratio * 100', 'percent'],
    ['sum(up) / count(up)', undefined],
    ['time() - process_start_time_seconds', 'seconds'],
    ['(time() - process_start_time_seconds) / 3600', 'hours'],
    ['(time() - node_boot_time_seconds) / 86400', 'days'],
    ['process_start_time_seconds', undefined],
    ['time() - timestamp(up)', 'seconds'],
    ['rate(process_cpu_seconds_total[5m])', undefined],
    ['up', undefined],
    ['count(process_resident_memory_bytes)', undefined],
    ['count by (job) (x_bytes > 100)', undefined],
    ['x_bytes > 1e9', 'bytes'],
    ['x_bytes > bool 1e9', undefined],
    ['x_bytes and on (job) up == 1', 'bytes'],
    ['label_replace(x_bytes, "a", "$1", "b", "(.*)")', 'bytes'],
    ['quantile(0.9, x_seconds)', 'seconds'],
    ['predict_linear(node_filesystem_avail_bytes[1h], 3600)', 'bytes'],
    ['{__name__="x_bytes", job="a"}', 'bytes'],
    ['job:http_requests:rate5m', 'requests/sec'],
    ['job:net_bytes:rate5m', 'bytes/sec'],
    ['-x_bytes', 'bytes'],
    ['clamp_max(x_seconds, 10)', 'seconds'],
    ['queue_length / workers', undefined],
    ['x_bytes * 2', undefined],
    ['x_bytes{', 'bytes'],
    ['', undefined],
    ['((((', undefined],
    ['1 + 1', undefined],
    ['x_bytes / 0', undefined],
  ])('%s: %s', (query, unit) => {
    expect(unitOfPromQL(query)).toBe(unit);
    if (unit !== undefined) expect(Object.hasOwn(UNIT_CONFIG, unit)).toBe(true);
  });

  it('is not looked for in what is too long, and never throws', () => {
    expect(unitOfPromQL('x_bytes + '.repeat(2_000))).toBeUndefined();
    for (const text of [
      '/',
      '*',
      'a/',
      '/a',
      'rate(',
      'rate()',
      'sum()',
      'topk(3)',
      '- -',
      '\u0000',
      '{}',
      'a[5m',
      'a @',
      'histogram_quantile()',
    ])
      expect(() => unitOfPromQL(text)).not.toThrow();
  });
});

describe('the unit of a LogQL query', () => {
  it.each([
    ['sum(rate({job="a"}[5m]))', 'counts/sec'],
    ['bytes_rate({job="a"}[5m])', 'bytes/sec'],
    ['sum by (job) (bytes_over_time({job="a"}[5m]))', 'bytes'],
    ['count_over_time({job="a"}[5m])', undefined],
    ['count(rate({job="a"}[5m]))', undefined],
    ['count by (job) (bytes_rate({job="a"}[5m]))', undefined],
    ['sum by (count) (rate({job="a"}[5m]))', 'counts/sec'],
    ['sum(rate({a="b"} | unwrap x [5m]))', undefined],
    ['sum(rate({a="b"} |= "/x"[5m]))', 'counts/sec'],
    ['rate({a="b"}[5m]) / rate({a="c"}[5m])', undefined],
  ])('%s: %s', (query, unit) => {
    expect(unitOfLogQL(query)).toBe(unit);
  });
});

it('of buckets is that of what is measured', () => {
  expect(unitOfBuckets('sum by (le) (rate(a_duration_seconds_bucket[5m]))')).toBe('seconds');
  expect(unitOfBuckets('a_size_bytes_bucket')).toBe('bytes');
  expect(unitOfBuckets('a_bucket')).toBeUndefined();
  expect(unitOfBuckets('1')).toBeUndefined();
});

it.each([
  ['process_start_time_seconds', 1_000],
  ['max by (job) (kube_pod_created{job="x"})', 1_000],
  ['min(probe_ssl_earliest_cert_expiry)', 1_000],
  ['process_start_time_seconds * 1000', 1],
  ['go_memstats_last_gc_time_seconds', 1_000],
  ['node_time_seconds', 1_000],
  ['timestamp(up)', 1_000],
  ['time()', 1_000],
  ['time() - process_start_time_seconds', undefined],
  ['count(process_start_time_seconds)', undefined],
  ['rate(process_cpu_seconds_total[5m])', undefined],
  ['node_cpu_time_seconds', undefined],
  ['up', undefined],
  ['', undefined],
])('%j are moments of %s ms', (query, scale) => {
  expect(momentOfPromQL(query)).toBe(scale);
});
