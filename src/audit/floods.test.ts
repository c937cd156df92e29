import { beforeEach, describe, expect, it } from 'vitest';
import type { Audit, AuditEvent } from './events.ts';
import { boundFloods, TOLD_IN_LOG, TOLD_IN_TRAIL, type ToldEach } from './floods.ts';

let now: Date;
let told: AuditEvent[];
let timers: (() => void)[];
beforeEach(() => {
  now = new Date('2026-11-25T03:00:00Z');
  told = [];
  timers = [];
});

const inner: Audit = {
  record: (event) => void told.push(event),
  require: async (event) => void told.push(event),
  assertWritable: async () => undefined,
};
const bounded = (each: ToldEach = TOLD_IN_TRAIL) =>
  boundFloods(inner, each, {
    now: () => now,
    after(_, work) {
      timers.push(work);
      return () => {
        timers = timers.filter((other) => other !== work);
      };
    },
  });
const tick = () => {
  now = new Date(now.getTime() + 10_000);
  for (const work of timers.splice(0)) work();
};

const refused = (kind: string, sourceAddress = '192.0.2.1', more: object = {}) =>
  ({ event: 'login.refused', connectionId: 'c', sourceAddress, kind, reason: 'r', ...more }) as AuditEvent;
const called = (kind: string, sourceAddress = '192.0.2.1', more: object = {}) =>
  ({ event: 'api.call', sourceAddress, refusal: { kind, reason: 'r' }, status: 403, ...more }) as AuditEvent;
const identity = { arn: 'arn:aws:iam::123456789012:user/u' };
const counted = () =>
  told.flatMap((event) => (event.event === 'refusals.counted' ? [[event.kind, event.sourceAddress, event.count]] : []));

describe('a flood of refusals', () => {
  it('is told ten times an interval, what a throttle refuses once, and then as a number', () => {
    const audit = bounded();
    for (let i = 0; i < 100; i++) {
      audit.record(refused('signature-mismatch'));
      audit.record(refused('failed-logins-exceeded'));
      audit.record(called('failed-logins-exceeded'));
    }
    expect(told.length).toBe(12);
    tick();
    expect(counted()).toEqual([
      ['signature-mismatch', '192.0.2.1', 90],
      ['failed-logins-exceeded', '192.0.2.1', 99],
      ['failed-logins-exceeded', '192.0.2.1', 99],
    ]);
    expect(told.at(-1)).toMatchObject({ front: 'api', since: new Date('2026-11-25T03:00:00Z') });
    told.length = 0;
    audit.record(refused('signature-mismatch'));
    tick();
    expect(told).toEqual([refused('signature-mismatch')]);
    expect(timers).toEqual([]);
  });

  it('loses none of who has proved who he is, of what was done, and of other sources', () => {
    const audit = bounded();
    for (let i = 0; i < 100; i++) {
      audit.record(refused('action-denied', '192.0.2.1', { identity }));
      audit.record(called('action-denied', '192.0.2.1', { identity }));
      audit.record(called('signature-mismatch', `192.0.2.${i}`));
      audit.record({ event: 'session.cancel', connectionId: 'c', sourceAddress: '192.0.2.1', found: true });
    }
    expect(told.length).toBe(400);
  });

  it('of what a quota refuses to who has proved who he is, is counted too', () => {
    const audit = bounded();
    for (let i = 0; i < 5; i++) audit.record(refused('principal-rate-exceeded', '192.0.2.1', { identity }));
    tick();
    expect(told.length).toBe(2);
  });

  it('from ever more addresses grows nothing, and one network of IPv6 is one source', () => {
    const audit = bounded();
    for (let i = 0; i < 20_000; i++) audit.record(refused('unknown-key', `10.0.${i >> 8}.${i & 255}`));
    for (let i = 0; i < 100; i++) audit.record(refused('unknown-key', `2001:db8::${i.toString(16)}`));
    expect(told.length).toBe(510);
    tick();
    expect(counted()).toEqual([['unknown-key', 'several', 20_100 - 510]]);
    told.length = 0;
    for (let i = 0; i < 100; i++) audit.record(refused('unknown-key', `2001:db8::${i.toString(16)}`));
    tick();
    expect(counted()).toEqual([['unknown-key', '2001:db8:0:0::/64', 90]]);
  });

  it('of connections that break off and of keys that cancel nothing is bounded too', () => {
    const audit = bounded();
    for (let i = 0; i < 100; i++) {
      audit.record({
        event: 'login.abandoned',
        connectionId: 'c',
        sourceAddress: '192.0.2.1',
        reason: 'r',
        silent: false,
      });
      audit.record({ event: 'session.cancel', connectionId: 'c', sourceAddress: '192.0.2.1', found: false });
    }
    audit.flush();
    expect(counted().map(([kind]) => kind)).toEqual(['abandoned', 'unknown-cancel-key']);
    expect(told.length).toBe(22);
  });

  it('is in the server’s log line by line, but for what is refused unlooked at', () => {
    const audit = bounded(TOLD_IN_LOG);
    for (let i = 0; i < 100; i++) {
      audit.record(refused('signature-mismatch'));
      audit.record(refused('rate-exceeded'));
    }
    expect(told.length).toBe(101);
  });
});
