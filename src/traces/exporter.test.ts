import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SpanExporter } from './exporter.ts';
import type { Span } from './span.ts';
import { type Collector, startCollector } from './testing-collector.ts';

let collector: Collector;
let logged: string[];
let timers: (() => void)[];
beforeEach(async () => {
  collector = await startCollector();
  logged = [];
  timers = [];
});
afterEach(() => collector.close());

function open(url = `${collector.endpoint}/v1/traces`): SpanExporter {
  return new SpanExporter({
    settings: { url, headers: { 'api-key': 'k' }, resource: { 'service.name': 'postern' } },
    version: '0',
    log: pino({ base: null }, { write: (line: string) => void logged.push(JSON.parse(line).msg) }),
    after(_, work) {
      timers.push(work);
      return () => {
        timers = timers.filter((other) => other !== work);
      };
    },
  });
}

const span = (name: string): Span => ({
  trace: { traceId: 'a'.repeat(32), parentSpanId: undefined },
  spanId: 'b'.repeat(16),
  parentSpanId: undefined,
  name,
  kind: 'internal',
  start: 1,
  end: 2,
  attributes: {},
  error: undefined,
});
const many = (count: number) => Array.from({ length: count }, (_, i) => span(`s${i}`));
/** Its time has come. */
const tick = () => {
  for (const work of timers.splice(0)) work();
};

describe('the export of spans', () => {
  it('is one request for what came together, with the headers', async () => {
    const exporter = open();
    exporter.add([span('a')]);
    exporter.add([span('b'), span('c')]);
    expect(timers.length).toBe(1);
    tick();
    await expect.poll(() => exporter.counts).toEqual({ exported: 3, dropped: 0 });
    expect(collector.requests.map(({ path, headers }) => [path, headers['api-key'], headers['content-type']])).toEqual([
      ['/v1/traces', 'k', 'application/json'],
    ]);
    expect(collector.spans().map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    await exporter.close();
  });

  it('sends what waits when the server stops', async () => {
    const exporter = open();
    exporter.add([span('last')]);
    await exporter.close();
    expect(collector.spans().map(({ name }) => name)).toEqual(['last']);
    exporter.add([span('too late')]);
    expect(exporter.counts).toEqual({ exported: 1, dropped: 1 });
  });

  it('is tried again after an answer that asks for it, and said once', async () => {
    const exporter = open();
    collector.answer = 503;
    exporter.add([span('a')]);
    tick();
    await expect.poll(() => logged).toEqual(['traces cannot be exported']);
    await expect.poll(() => timers.length).toBe(1);
    tick();
    await expect.poll(() => collector.requests.length).toBe(2);
    await expect.poll(() => timers.length).toBe(1);
    collector.answer = 200;
    tick();
    await expect.poll(() => exporter.counts).toEqual({ exported: 1, dropped: 0 });
    expect(logged).toEqual(['traces cannot be exported', 'traces are exported again']);
    await exporter.close();
  });

  it('is given up after an answer that is final', async () => {
    const exporter = open();
    collector.answer = 400;
    exporter.add([span('a')]);
    tick();
    await expect.poll(() => exporter.counts).toEqual({ exported: 0, dropped: 1 });
    await exporter.close();
  });

  it('holds no more than its limit while nobody takes anything, and lets the server stop', async () => {
    const exporter = open();
    collector.answer = 0;
    for (let i = 0; i < 100; i++) exporter.add(many(100));
    await expect.poll(() => collector.requests.length).toBe(1);
    expect(exporter.counts.dropped).toBeGreaterThanOrEqual(10_000 - 2048 - 512);
    const closed = exporter.close();
    tick();
    await closed;
    expect(exporter.counts).toEqual({ exported: 0, dropped: 10_000 });
  });

  it('to nobody is harmless', async () => {
    const { endpoint } = collector;
    await collector.close();
    const exporter = open(`${endpoint}/v1/traces`);
    exporter.add([span('a')]);
    await exporter.close();
    expect(exporter.counts).toEqual({ exported: 0, dropped: 1 });
    expect(logged).toEqual(['traces cannot be exported']);
    collector = await startCollector();
  });
});
