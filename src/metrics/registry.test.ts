import { describe, expect, it } from 'vitest';
import { Registry } from './registry.ts';

describe('Registry', () => {
  it('writes counters, gauges and histograms as Prometheus reads them', () => {
    const registry = new Registry();
    const calls = registry.counter('calls_total', 'Calls.', ['service', 'status']);
    calls.add({ service: 'iam', status: '2xx' });
    calls.add({ service: 'iam', status: '2xx' }, 2);
    calls.add({ service: 'sts', status: '4xx' });
    const time = registry.histogram('time_seconds', 'Time.', ['step'], [0.1, 1]);
    for (const seconds of [0.05, 0.1, 0.5, 7]) time.observe({ step: 'x' }, seconds);
    registry.read('gauge', 'open', 'Open.', () => 3);
    expect(registry.text()).toBe(
      [
        '# HELP calls_total Calls.',
        '# TYPE calls_total counter',
        'calls_total{service="iam",status="2xx"} 3',
        'calls_total{service="sts",status="4xx"} 1',
        '# HELP time_seconds Time.',
        '# TYPE time_seconds histogram',
        'time_seconds_bucket{step="x",le="0.1"} 2',
        'time_seconds_bucket{step="x",le="1"} 3',
        'time_seconds_bucket{step="x",le="+Inf"} 4',
        'time_seconds_sum{step="x"} 7.65',
        'time_seconds_count{step="x"} 4',
        '# HELP open Open.',
        '# TYPE open gauge',
        'open 3',
        '',
      ].join('\n'),
    );
  });

  it('escapes what a label value must not have', () => {
    const registry = new Registry();
    registry.counter('c', 'a\nb', ['l']).add({ l: 'a"b\\c\nd' });
    expect(registry.text()).toBe('# HELP c a\\nb\n# TYPE c counter\nc{l="a\\"b\\\\c\\nd"} 1\n');
  });

  it('keeps a bounded number of series, however many label values come', () => {
    const registry = new Registry();
    const counter = registry.counter('c', 'C.', ['l']);
    for (let i = 0; i < 5_000; i++) counter.add({ l: String(i) });
    const samples = counter.samples();
    expect(samples).toHaveLength(501);
    expect(samples.at(-1)).toEqual([{ l: 'other' }, 4_500]);
  });

  it('has no two metrics of one name', () => {
    const registry = new Registry();
    registry.counter('c', 'C.', []);
    expect(() => registry.read('gauge', 'c', 'C.', () => 0)).toThrow('two metrics are called c');
  });
});
