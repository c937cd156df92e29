import { beforeEach, describe, expect, it } from 'vitest';
import type { Attempt } from '../attempts/attempt.ts';
import { Refused } from '../refused.ts';
import { exportBody } from './otlp.ts';
import type { Span } from './span.ts';
import { Tracer } from './tracer.ts';

let spans: Span[];
let clock: number;
let counter: number;
beforeEach(() => {
  spans = [];
  clock = 500;
  counter = 0;
});

const at = new Date('2026-11-24T12:00:00.250Z');
const tracer = (sampling = { ratio: 1, followsParent: true }) =>
  new Tracer({
    sink: { add: (added) => void spans.push(...added) },
    sampling,
    now: () => at,
    clock: () => clock,
    random: (bytes) => Buffer.alloc(bytes, ++counter),
  });
const attempt = (): Attempt => ({ connectionId: 'c-1', at, sourceAddress: '192.0.2.1' });

describe('the trace of a login', () => {
  it('has a span a step, one after the other, below the whole', () => {
    const login = attempt();
    const trace = tracer().login(login);
    for (const step of ['encryption', 'token', 'proof', 'wake', 'role', 'session']) trace?.passed(step, 2);
    clock += 13;
    login.end = { outcome: 'accepted' };
    trace?.end();
    trace?.passed('later', 1);
    trace?.end();
    const [root, ...steps] = spans;
    expect(root).toMatchObject({ name: 'login', kind: 'server', parentSpanId: undefined, error: undefined });
    expect((root?.end ?? 0) - (root?.start ?? 0)).toBe(13);
    expect(steps.map(({ name, start, end }) => [name, start - at.getTime(), end - at.getTime()])).toEqual([
      ['encryption', 0, 2],
      ['token', 2, 4],
      ['proof', 4, 6],
      ['wake', 6, 8],
      ['role', 8, 10],
      ['session', 10, 12],
    ]);
    expect(new Set(spans.map(({ trace: { traceId } }) => traceId)).size).toBe(1);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(7);
    expect(new Set(steps.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([root?.spanId]));
  });

  it('names the step at which it was refused, and the kind', () => {
    const login = attempt();
    const trace = tracer().login(login);
    trace?.passed('encryption', 3);
    trace?.passed('token', 4);
    clock += 9;
    login.end = { outcome: 'refused', why: new Refused('signature-mismatch', { detail: 'x' }) };
    trace?.end();
    expect(spans.map(({ name, error }) => [name, error])).toEqual([
      ['login', 'signature-mismatch'],
      ['encryption', undefined],
      ['token', undefined],
      ['proof', 'signature-mismatch'],
    ]);
    expect(spans.at(-1)).toMatchObject({ start: at.getTime() + 7, end: at.getTime() + 9 });
  });

  it('is not made of cancel requests, and not of what is not sampled', () => {
    tracer().login(attempt())?.end();
    expect(tracer({ ratio: 0, followsParent: true }).login(attempt())).toBeUndefined();
    expect(spans).toEqual([]);
  });
});

describe('the trace of a call', () => {
  const call = { requestId: 'r-1', status: 200, ms: 5, service: 'sts', operation: 'GetCallerIdentity' };
  const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}`;

  it('goes on with the client’s', () => {
    tracer().call({ ...call, traceparent: `${parent}-01` });
    expect(spans).toEqual([
      expect.objectContaining({
        name: 'sts/GetCallerIdentity',
        trace: expect.objectContaining({ traceId: 'a'.repeat(32) }),
        parentSpanId: 'b'.repeat(16),
        start: at.getTime() - 5,
        end: at.getTime(),
      }),
    ]);
  });

  it.each([
    ['unsampled by the client', `${parent}-00`, { ratio: 1, followsParent: true }, 0],
    ['unsampled by the client, who is not asked', `${parent}-00`, { ratio: 1, followsParent: false }, 1],
    ['with nonsense', 'nonsense', { ratio: 1, followsParent: true }, 1],
    ['with zeros', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, { ratio: 0, followsParent: true }, 0],
    ['of another version', parent.replace('00-', '01-'), { ratio: 0, followsParent: true }, 0],
  ])('%s', (_, traceparent, sampling, count) => {
    tracer(sampling).call({ ...call, traceparent });
    expect(spans.length).toBe(count);
    expect(spans[0]?.parentSpanId ?? 'none').toBe(
      count === 1 && traceparent.startsWith(parent) ? 'b'.repeat(16) : 'none',
    );
  });

  it('is an error where the server is to blame', () => {
    tracer().call({ ...call, status: 403, refused: 'action-denied' });
    tracer().call({ ...call, status: 503, refused: 'service-unavailable' });
    tracer().call({ ...call, status: 500 });
    expect(spans.map(({ error }) => error)).toEqual([undefined, 'service-unavailable', '500']);
  });
});

describe('an export', () => {
  it('is in the form of OTLP’s JSON', () => {
    const span: Span = {
      trace: { traceId: 'a'.repeat(32), parentSpanId: undefined },
      spanId: 'b'.repeat(16),
      parentSpanId: undefined,
      name: 'login',
      kind: 'server',
      start: 1_764_000_000_000.25,
      end: 1_764_000_000_001.5,
      attributes: { text: 'x', number: 3, none: undefined },
      error: 'no-mapping',
    };
    expect(JSON.parse(exportBody([span], { 'service.name': 'postern' }, '1.2.3'))).toEqual({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'postern' } }] },
          scopeSpans: [
            {
              scope: { name: 'postern', version: '1.2.3' },
              spans: [
                {
                  traceId: 'a'.repeat(32),
                  spanId: 'b'.repeat(16),
                  name: 'login',
                  kind: 2,
                  startTimeUnixNano: '1764000000000250000',
                  endTimeUnixNano: '1764000000001500000',
                  attributes: [
                    { key: 'text', value: { stringValue: 'x' } },
                    { key: 'number', value: { intValue: '3' } },
                    { key: 'error.type', value: { stringValue: 'no-mapping' } },
                  ],
                  status: { code: 2, message: 'no-mapping' },
                },
              ],
            },
          ],
        },
      ],
    });
  });
});
