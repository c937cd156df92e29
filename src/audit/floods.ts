import { sourceOf } from '../iam/source-address.ts';
import type { RefusalKind } from '../refused.ts';
import type { Audit, AuditEvent } from './events.ts';

/** How many events of a kind and a source are told one by one in an interval; the rest of them is counted. */
export type ToldEach = (kind: string) => number;

export interface FloodDeps {
  now: () => Date;
  /** Calls `work` after `ms`; returns what takes it back. */
  after: (ms: number, work: () => void) => () => void;
}

export interface BoundedAudit extends Audit {
  /** Tells what has been counted. */
  flush(): void;
}

/** What a quota or a throttle refuses is told once, and then counted. */
const QUOTA_KINDS: ReadonlySet<string> = new Set<RefusalKind>([
  'failed-logins-exceeded',
  'too-many-connections',
  'open-files-exceeded',
  'rate-exceeded',
  'address-connections-exceeded',
  'address-rate-exceeded',
  'principal-connections-exceeded',
  'principal-rate-exceeded',
]);

export function isQuotaKind(kind: string): boolean {
  return QUOTA_KINDS.has(kind);
}

/** For the audit log: floods do not fill the disk, and do not make older files go. */
export const TOLD_IN_TRAIL: ToldEach = (kind) => (isQuotaKind(kind) ? 1 : 10);
/** For the server's log: everything but what is refused unlooked at. */
export const TOLD_IN_LOG: ToldEach = (kind) => (isQuotaKind(kind) ? 1 : Number.POSITIVE_INFINITY);

/** In ms. */
const INTERVAL = 10_000;
/** Kinds and sources that are counted apart in an interval; who comes then is counted with others. */
const MAX_COUNTS = 500;
const SEVERAL = 'several';

type Front = 'login' | 'api';

interface Count {
  front: Front;
  kind: string;
  source: string;
  seen: number;
  /** Of these, not told, and when the first and the last of them came. */
  untold: number;
  since: Date;
  until: Date;
}

/**
 * Passes everything on, but bounds what can come from who has proved nothing, or is refused unlooked at: of each kind and
 * source so many events an interval are told, and one that says how many more there were.
 */
export function boundFloods(audit: Audit, toldEach: ToldEach, { now, after }: FloodDeps): BoundedAudit {
  const counts = new Map<string, Count>();
  let cancel: (() => void) | undefined;

  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    for (const { front, kind, source, untold, since, until } of counts.values()) {
      if (untold > 0)
        audit.record({ event: 'refusals.counted', front, kind, sourceAddress: source, count: untold, since, until });
    }
    counts.clear();
  };
  const countOf = (front: Front, kind: string, address: string): Count => {
    const named = sourceOf(address);
    const source = counts.has(`${front} ${kind} ${named}`) || counts.size < MAX_COUNTS ? named : SEVERAL;
    const key = `${front} ${kind} ${source}`;
    let count = counts.get(key);
    if (!count) {
      count = { front, kind, source, seen: 0, untold: 0, since: now(), until: now() };
      counts.set(key, count);
    }
    cancel ??= after(INTERVAL, flush);
    return count;
  };

  return {
    record(event) {
      const unproved = ofNobody(event);
      const most = unproved ? toldEach(unproved.kind) : Number.POSITIVE_INFINITY;
      if (!unproved || most === Number.POSITIVE_INFINITY) {
        audit.record(event);
        return;
      }
      const count = countOf(unproved.front, unproved.kind, unproved.address);
      count.seen++;
      if (count.seen <= most) {
        audit.record(event);
        return;
      }
      if (count.untold === 0) count.since = now();
      count.until = now();
      count.untold++;
    },
    require: (event, facts) => audit.require(event, facts),
    assertWritable: () => audit.assertWritable(),
    flush,
  };
}

/** Of what nobody has proved to be his: what it was, and where it came from. Undefined for everything else. */
function ofNobody(event: AuditEvent): { front: Front; kind: string; address: string } | undefined {
  switch (event.event) {
    case 'login.refused':
      if (event.identity && !isQuotaKind(event.kind)) return undefined;
      return { front: 'login', kind: event.kind, address: event.sourceAddress };
    case 'login.abandoned':
      // Nobody tells these.
      return event.silent ? undefined : { front: 'login', kind: 'abandoned', address: event.sourceAddress };
    case 'session.cancel':
      return event.found ? undefined : { front: 'login', kind: 'unknown-cancel-key', address: event.sourceAddress };
    case 'api.call': {
      const { refusal, identity, sourceAddress } = event;
      if (!refusal || (identity && !isQuotaKind(refusal.kind))) return undefined;
      return { front: 'api', kind: refusal.kind, address: sourceAddress ?? '' };
    }
    default:
      return undefined;
  }
}
