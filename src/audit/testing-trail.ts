import { pino } from 'pino';
import { continueTrail, type Trail, type TrailOptions } from './audit.ts';
import type { AuditEvent } from './events.ts';
import type { TestingFolder } from './testing-folder.ts';

export const KEY = Buffer.alloc(32, 7);

export interface TestingClock {
  now: Date;
  /** What waits for its time. */
  timers: { ms: number; work: () => void }[];
  /** Runs all timers that wait. */
  tick(): void;
}

export function testingClock(now = '2026-11-24T12:00:00.500Z'): TestingClock {
  return {
    now: new Date(now),
    timers: [],
    tick() {
      for (const { work } of this.timers.splice(0)) work();
    },
  };
}

/** A trail over a folder in memory. */
export function openTestingTrail(
  folder: TestingFolder,
  options: Partial<TrailOptions> = {},
  clock = testingClock(),
): Promise<Trail> {
  return continueTrail(
    { folder, key: KEY, site: { account: '123456789012', region: 'us-east-1', now: () => clock.now } },
    { maxSize: 1024 * 1024, keep: 0, sync: false, required: false, ...options },
    {
      log: pino({ level: 'silent' }),
      now: () => clock.now,
      after(ms, work) {
        const timer = { ms, work };
        clock.timers.push(timer);
        return () => {
          clock.timers = clock.timers.filter((other) => other !== timer);
        };
      },
    },
  );
}

/** An event that is told from others by its number. */
export function cancelEvent(number: number): AuditEvent {
  return { event: 'session.cancel', connectionId: `connection-${number}`, sourceAddress: '127.0.0.1', found: true };
}
