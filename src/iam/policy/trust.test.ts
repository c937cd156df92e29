import { describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { compileTrustPolicy } from './compile.ts';
import { contextOf } from './context.ts';
import { evaluate } from './evaluate.ts';
import { parseTrustPolicy } from './parse.ts';

const account = '123456789012';
const bounded = false;
const userArn = `arn:aws:iam::${account}:user/u`;
const roleArn = `arn:aws:iam::${account}:role/r`;
const user: Caller = { kind: 'user', account, arn: userArn, principalArn: userArn, entityId: 'AIDA1', bounded };
const session: Caller = {
  kind: 'role-session',
  account,
  arn: `arn:aws:sts::${account}:assumed-role/r/se`,
  principalArn: roleArn,
  entityId: 'AROA1',
  bounded,
};
const rootArn = `arn:aws:iam::${account}:root`;
const root: Caller = { kind: 'root', account, arn: rootArn, principalArn: rootArn, entityId: undefined, bounded };
const ids = { [userArn]: 'AIDA1', [session.arn]: 'AROA1', [roleArn]: 'AROA1' };

/** `delegates`: what the caller's own policies say decides. */
function outcome(
  statements: [effect: string, principal: unknown, action?: string][],
  caller: Caller,
  known: Record<string, string> = ids,
) {
  const Statement = statements.map(([Effect, Principal, Action = 'sts:AssumeRole']) => ({ Effect, Principal, Action }));
  const policy = compileTrustPolicy(parseTrustPolicy(JSON.stringify({ Statement })));
  const ask = (identity: [] | 'everything') =>
    evaluate(
      { identity, boundary: undefined, session: undefined, resource: { kind: 'trust', policy, ids: known } },
      { action: 'sts:AssumeRole', resource: roleArn, caller, context: contextOf({}) },
    );
  const [alone, helped] = [ask([]), ask('everything')];
  if (alone.allowed) return 'grants';
  if (helped.allowed) return 'delegates';
  return helped.effect === 'explicit-deny' ? 'explicit-deny' : 'silent';
}

describe('a trust policy', () => {
  it.each([
    ['grants the user that it names', [['Allow', { AWS: user.arn }]], user, 'grants'],
    ['grants a session of the role that it names', [['Allow', { AWS: roleArn }]], session, 'grants'],
    ['grants the session that it names', [['Allow', { AWS: session.arn }]], session, 'grants'],
    ['does not grant another session', [['Allow', { AWS: session.arn }]], { ...session, arn: 'x' }, 'silent'],
    ['grants everyone', [['Allow', '*']], root, 'grants'],
    ['delegates to the account', [['Allow', { AWS: account }]], user, 'delegates'],
    ['delegates to the account that its root stands for', [['Allow', { AWS: root.arn }]], user, 'delegates'],
    ['delegates for the root user too', [['Allow', { AWS: root.arn }]], root, 'delegates'],
    ['is silent about other accounts', [['Allow', { AWS: '999999999999' }]], user, 'silent'],
    ['is silent about services', [['Allow', { Service: 'ec2.amazonaws.com' }]], user, 'silent'],
    ['is silent about other users', [['Allow', { AWS: user.arn }]], session, 'silent'],
    ['is silent about other actions', [['Allow', '*', 'sts:TagSession']], user, 'silent'],
    [
      'knows a session by the id of its role',
      [['Allow', { AWS: session.arn }]],
      { ...session, entityId: 'AROA2' },
      'silent',
    ],
    ['knows a user by its id', [['Allow', { AWS: user.arn }]], { ...user, entityId: 'AIDA2' }, 'silent'],
    ['prefers the name to the account', [['Allow', { AWS: [account, user.arn] }]], user, 'grants'],
    [
      'denies before it grants',
      [
        ['Allow', '*'],
        ['Deny', { AWS: account }],
      ],
      user,
      'explicit-deny',
    ],
  ] as [string, [string, unknown, string?][], Caller, string][])('%s', (_, statements, who, expected) => {
    expect(outcome(statements, who)).toBe(expected);
  });

  it('never takes a missing id for the id of a caller without one', () => {
    const named: [string, unknown][] = [['Allow', { AWS: userArn }]];
    expect(outcome(named, { ...user, entityId: undefined }, {})).toBe('silent');
  });
});
