/** The decision tables in `cases/`: what their short names mean, and how a row becomes a decision. */
import { readFileSync } from 'node:fs';
import type { Decision } from '../../src/iam/identity.ts';
import type { Caller } from '../../src/iam/policy/caller.ts';
import {
  type CompiledPolicy,
  compileIdentityPolicy,
  compileResourcePolicy,
  compileTrustPolicy,
} from '../../src/iam/policy/compile.ts';
import { contextOf } from '../../src/iam/policy/context.ts';
import { evaluate, type PolicySet } from '../../src/iam/policy/evaluate.ts';
import { type Explanation, gives } from '../../src/iam/policy/explain.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy } from '../../src/iam/policy/parse.ts';

export const ACCOUNT = '123456789012';
export const CLUSTER = `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/abcdefghijklmnopqrstuvwxyz`;
export const PROVIDER = `arn:aws:iam::${ACCOUNT}:oidc-provider/id.example.com`;
const iam = (rest: string) => `arn:aws:iam::${ACCOUNT}:${rest}`;
const sts = (rest: string) => `arn:aws:sts::${ACCOUNT}:${rest}`;

const caller = (kind: Caller['kind'], arn: string, principalArn: string, entityId: string | undefined): Caller => ({
  kind,
  account: kind === 'web-identity' ? undefined : ACCOUNT,
  arn,
  principalArn,
  entityId,
  bounded: false,
});

export const CALLERS = {
  root: caller('root', iam('root'), iam('root'), undefined),
  alice: caller('user', iam('user/alice'), iam('user/alice'), 'AIDAALICE'),
  bob: caller('user', iam('user/staff/bob'), iam('user/staff/bob'), 'AIDABOB'),
  reader: caller('role-session', sts('assumed-role/reader/one'), iam('role/reader'), 'AROAREADER'),
  /** Another session of the same role. */
  reader2: caller('role-session', sts('assumed-role/reader/two'), iam('role/reader'), 'AROAREADER'),
  writer: caller('role-session', sts('assumed-role/writer/one'), iam('role/team/writer'), 'AROAWRITER'),
  /** A federated user that alice asked for. */
  guest: caller('federated-user', sts('federated-user/guest'), iam('user/alice'), 'AIDAALICE'),
  web: caller('web-identity', PROVIDER, PROVIDER, undefined),
} as const satisfies Record<string, Caller>;

export type CallerName = keyof typeof CALLERS;

/** What the policies know of the named callers when they are put. */
const IDS = {
  [iam('user/alice')]: 'AIDAALICE',
  [iam('user/staff/bob')]: 'AIDABOB',
  [iam('role/reader')]: 'AROAREADER',
  [iam('role/team/writer')]: 'AROAWRITER',
  [sts('assumed-role/reader/one')]: 'AROAREADER',
  [iam('user/recreated')]: 'AIDAOLD',
};

const RESOURCES: Readonly<Record<string, string>> = { cluster: CLUSTER, role: iam('role/reader') };

export interface Group {
  about: string;
  /** Left out: 2012-10-17; null: no Version at all. */
  version?: string | null;
  identity?: object[];
  boundary?: object[];
  session?: object[];
  resource?: object[];
  trust?: object[];
  cases: Case[];
}

export interface Case {
  as?: CallerName;
  do: string;
  /** An ARN, or a name in RESOURCES. Left out: the cluster. */
  on?: string;
  with?: Record<string, string | string[]>;
  is: Decision['effect'];
  /** As `reasonOf` words it. */
  for: string;
}

/** A condition alone, in an Allow unless `in` says otherwise. */
export interface ConditionCase {
  if: Record<string, Record<string, unknown>>;
  /** Values of the key of the condition; left out: the key is absent. */
  has?: string[];
  in?: 'Deny';
  holds: boolean;
}

export function readCases<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`cases/${name}.json`, import.meta.url), 'utf8')) as T[];
}

export const GROUP_FILES = ['language', 'variables', 'limits', 'resource-policies', 'trust-policies'] as const;

export function documentOf(group: Group, statements: object[]): string {
  const { version = '2012-10-17' } = group;
  return JSON.stringify({ ...(version !== null && { Version: version }), Statement: statements });
}

export function contextRecord(found: Case['with'] = {}): Record<string, string[]> {
  return Object.fromEntries(Object.entries(found).map(([key, value]) => [key, [value].flat()]));
}

export function resourceNamed(name = 'cluster'): string {
  return RESOURCES[name] ?? name;
}

export function policySetOf(group: Group, who: CallerName): PolicySet {
  const own = (kind: 'identity' | 'boundary' | 'session'): CompiledPolicy[] | undefined =>
    group[kind] && [compileIdentityPolicy(kind, parseIdentityPolicy(documentOf(group, group[kind])))];
  const resource = group.resource && {
    kind: 'resource' as const,
    policy: compileResourcePolicy(parseResourcePolicy(documentOf(group, group.resource))),
    ids: undefined,
  };
  const trust = group.trust && {
    kind: 'trust' as const,
    policy: compileTrustPolicy(parseTrustPolicy(documentOf(group, group.trust))),
    ids: IDS,
  };
  return {
    identity: who === 'root' ? 'everything' : who === 'web' ? [] : (own('identity') ?? []),
    boundary: own('boundary'),
    session: own('session') ?? (who === 'guest' ? [] : undefined),
    resource: resource ?? trust,
  };
}

export function decideCase(group: Group, asked: Case): Decision {
  const who = asked.as ?? 'alice';
  return evaluate(policySetOf(group, who), {
    action: asked.do,
    resource: resourceNamed(asked.on),
    caller: { ...CALLERS[who], bounded: group.boundary !== undefined },
    context: contextOf(contextRecord(asked.with)),
  });
}

/** `Allow identity.S`, `Deny boundary.S`, or what did not allow and where each of its Allow statements misses. */
export function reasonOf({ effect, limit, matched, policies, because }: Explanation): string {
  if (effect !== 'implicit-deny') {
    const by = matched.find((each) =>
      limit === undefined ? gives(each) : each.effect === 'Deny' && each.kind === limit,
    );
    return by ? `${by.effect} ${by.kind}.${by.statement}` : because;
  }
  const misses = policies
    .filter(({ kind }) => kind === limit)
    .flatMap(({ statements }) => statements.filter((each) => each.effect === 'Allow'))
    .map(({ statement, missed }) => {
      const parts = missed.map((miss) => (miss.part === 'condition' ? `${miss.operator} ${miss.key}` : miss.part));
      return `${statement} misses ${parts.join(' and ') || 'nothing'}`;
    });
  return `${limit}: ${misses.join('; ') || 'nothing'}`;
}
