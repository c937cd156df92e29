import { describe, expect, it } from 'vitest';
import { compileTrustPolicy } from './compile.ts';
import { parseTrustPolicy } from './parse.ts';
import { evaluateTrust } from './trust.ts';

const account = '123456789012';
const user = { account, arn: `arn:aws:iam::${account}:user/u`, entityId: 'AIDA1' };
const session = { account, arn: `arn:aws:sts::${account}:assumed-role/r/se`, entityId: 'AROA1' };
const root = { account, arn: `arn:aws:iam::${account}:root`, entityId: undefined };
const roleArn = `arn:aws:iam::${account}:role/r`;
const ids = { [user.arn]: 'AIDA1', [session.arn]: 'AROA1', [roleArn]: 'AROA1' };

function outcome(
  statements: [effect: string, principal: unknown, action?: string][],
  caller: typeof user | typeof root,
) {
  const Statement = statements.map(([Effect, Principal, Action = 'sts:AssumeRole']) => ({ Effect, Principal, Action }));
  const trust = compileTrustPolicy(parseTrustPolicy(JSON.stringify({ Statement })));
  return evaluateTrust(trust, caller, 'sts:AssumeRole', ids).outcome;
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
  ] as [
    string,
    [string, unknown, string?][],
    typeof user | typeof root,
    string,
  ][])('%s', (_, statements, who, expected) => {
    expect(outcome(statements, who)).toBe(expected);
  });

  it('never takes a missing id for the id of a caller without one', () => {
    const arn = `arn:aws:iam::${account}:user/u`;
    const trust = compileTrustPolicy(
      parseTrustPolicy(JSON.stringify({ Statement: { Effect: 'Allow', Principal: { AWS: arn }, Action: 'sts:*' } })),
    );
    expect(evaluateTrust(trust, { ...user, entityId: undefined }, 'sts:AssumeRole', {}).outcome).toBe('silent');
  });
});
