import { UpdateAccessKeyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/attempts/report.ts';
import { formatReport } from '../../src/cli/why.ts';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

let postern: TestServer;
let allowed: SigningCredentials;
let inactive: SigningCredentials;
let reader: string;
beforeAll(async () => {
  postern = await startTestServer();
  reader = await makeRole(postern, 'reader', policy('Allow', 'dsql:DbConnect'));
  await makeRole(postern, 'nothing', policy('Allow', 'dsql:GetCluster'));
  allowed = await assume(postern, reader);
  inactive = await makeUser(postern, 'inactive', policy('Allow', 'dsql:*'));
  await postern.iam.send(
    new UpdateAccessKeyCommand({ UserName: 'inactive', AccessKeyId: inactive.accessKeyId, Status: 'Inactive' }),
  );
  const admin = await postern.connect();
  for (const sql of ['CREATE ROLE mapped WITH LOGIN', 'CREATE ROLE unmapped WITH LOGIN', 'CREATE ROLE closed']) {
    await admin.query(sql);
  }
  await admin.query(`AWS IAM GRANT mapped TO '${reader}'`);
  await admin.end();
});
afterAll(() => postern?.stop());

/** A login with these startup parameters and this password; what `why` says of it. */
async function why(parameters: Record<string, string>, password: string): Promise<Report> {
  const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
  client.startup({ database: 'postgres', ...parameters });
  if ((await client.frame()).type === 'R') {
    client.password(password);
    // AuthenticationOk, or the error.
    await client.frame();
  }
  client.end();
  return postern.server.why(undefined) as Report;
}

const failed = ({ steps }: Report) => steps.filter(({ outcome }) => outcome === 'failed').map(({ step }) => step);
const minutes = (count: number) => new Date(Date.now() + count * 60_000);
const strange = { accessKeyId: `AKIA${'X'.repeat(16)}`, secretAccessKey: 'x' };

interface Case {
  name: string;
  parameters?: Record<string, string>;
  password: () => string;
  step: string;
  change: string | RegExp;
}

const CASES: Case[] = [
  {
    name: 'a startup parameter that is not allowed',
    parameters: { user: 'admin', statement_timeout: '1' },
    password: () => '',
    step: 'startup',
    change: /^Leave it out .*statement_timeout/,
  },
  {
    name: 'a password that is no token',
    password: () => 'letmein',
    step: 'token',
    change: /^Give a token as the password/,
  },
  {
    name: 'the token of the other action',
    parameters: { user: 'mapped' },
    password: () => postern.token('admin'),
    step: 'action',
    change: /^Make the token for DbConnect /,
  },
  {
    name: 'a key that nobody has',
    password: () => postern.token('admin', strange),
    step: 'key',
    change: /^Sign with an access key of this account/,
  },
  {
    name: 'a key that is inactive',
    password: () => postern.token('admin', inactive),
    step: 'key',
    change: /update-access-key --status Active --access-key-id AKIA/,
  },
  {
    name: 'a secret that is not the key’s',
    password: () => postern.token('admin', { ...postern.root, secretAccessKey: 'x' }),
    step: 'signature',
    change: /^Sign with the secret access key that belongs to AKIA/,
  },
  {
    name: 'another region',
    password: () => postern.token('admin', undefined, { region: 'eu-west-1' }),
    step: 'region',
    change: /signed for region eu-west-1/,
  },
  {
    name: 'a token that has expired',
    password: () => postern.token('admin', undefined, { now: minutes(-20) }),
    step: 'time',
    change: /^Make a new token/,
  },
  {
    name: 'another cluster’s token',
    password: () => postern.token('admin', undefined, { host: `${'a'.repeat(26)}.dsql.us-east-1.on.aws` }),
    step: 'host',
    change: /^Make the token for a name of the cluster/,
  },
  {
    name: 'a policy that does not allow it',
    password: () => postern.token('admin', allowed),
    step: 'policy',
    change: /dsql:DbConnectAdmin/,
  },
  {
    name: 'a role that is not there',
    parameters: { user: 'absent' },
    password: () => postern.token('absent', allowed),
    step: 'role',
    change: 'As admin: CREATE ROLE absent WITH LOGIN;',
  },
  {
    name: 'a role of PostgreSQL’s',
    parameters: { user: 'pg_monitor' },
    password: () => postern.token('pg_monitor', allowed),
    step: 'role',
    change: /for no client\.$/,
  },
  {
    name: 'a missing mapping',
    parameters: { user: 'unmapped' },
    password: () => postern.token('unmapped', allowed),
    step: 'role',
    change: "As admin: AWS IAM GRANT unmapped TO 'arn:aws:iam::123456789012:role/reader';",
  },
  {
    name: 'another database',
    parameters: { user: 'admin', database: 'other' },
    password: () => postern.token('admin'),
    step: 'session',
    change: /database postgres/,
  },
];

describe('why', () => {
  it.each(CASES)('names the step and the change for $name', async ({ parameters, password, step, change }) => {
    const report = await why({ user: 'admin', ...parameters }, password());
    expect(report.outcome).toBe('refused');
    expect(failed(report)).toEqual([step]);
    expect(report.change).toMatch(change);
    const at = report.steps.findIndex((each) => each.step === step);
    expect(report.steps.slice(0, at).every(({ outcome, text }) => outcome === 'passed' && text !== '')).toBe(true);
    expect(report.steps.slice(at + 1).every(({ outcome }) => outcome === 'not reached')).toBe(true);
    expect(report.told?.message).toBeTruthy();
  });

  it('tells of a login that was let in, with what each policy said', async () => {
    const report = await why({ user: 'mapped' }, postern.token('mapped', allowed));
    expect(report).toMatchObject({ outcome: 'accepted', change: undefined, told: undefined });
    expect(report.steps.every(({ outcome }) => outcome === 'passed')).toBe(true);
    const policies = report.steps.find(({ step }) => step === 'policy')?.policies;
    expect(policies).toMatchObject([
      { kind: 'identity', name: 'access', origin: 'role reader', statements: [{ effect: 'Allow', matched: true }] },
    ]);
  });

  it('finds an attempt by the connection id that the log has', async () => {
    await why({ user: 'unmapped' }, postern.token('unmapped', allowed));
    const line = postern.log.findLast(({ event }) => event === 'login.refused');
    await why({ user: 'admin' }, postern.token('admin'));
    expect(postern.server.why(line?.['connectionId'] as string)).toMatchObject({
      connectionId: line?.['connectionId'],
      outcome: 'refused',
    });
    expect(postern.server.why('another')).toBeUndefined();
  });

  it('tells of a client without TLS, and of one that does not trust the certificate', async () => {
    const plain = await WireClient.tcp(postern.server.pgPort);
    plain.startup({ user: 'admin', database: 'postgres' });
    await plain.closed();
    expect(failed(postern.server.why(undefined) as Report)).toEqual(['encryption']);
    await expect(WireClient.tls(postern.server.pgPort, { ca: [] })).rejects.toThrow();
    await expect
      .poll(() => postern.server.why(undefined))
      .toMatchObject({ outcome: 'abandoned', change: expect.stringContaining('PGSSLROOTCERT') });
  });

  it('passes over who connects and says nothing', async () => {
    const before = postern.server.why(undefined)?.connectionId;
    const silent = await WireClient.tcp(postern.server.pgPort);
    silent.end();
    await expect.poll(() => postern.log.at(-1)?.event).toBe('login.abandoned');
    expect(postern.server.why(undefined)?.connectionId).toBe(before);
  });

  it('keeps no secret, signature or token', async () => {
    const token = postern.token('mapped', allowed);
    const text = JSON.stringify(await why({ user: 'mapped' }, token));
    const signature = /X-Amz-Signature=([0-9a-f]{64})/.exec(token)?.[1] as string;
    for (const secret of [allowed.secretAccessKey, allowed.sessionToken as string, signature]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(encodeURIComponent(secret));
    }
  });

  it('prints nothing that a terminal would act on', async () => {
    const text = formatReport(await why({ user: 'a\u001b[2Jb\u202e' }, postern.token('x', allowed)));
    expect(text).toContain('a?[2Jb?');
    expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
  });
});

describe('why, asked without a connection', () => {
  const ask = (user: string, principal: string, clusterId?: string) =>
    postern.server.wouldAdmit({ user, principal, clusterId });
  const arn = (name: string) => `arn:aws:iam::123456789012:role/${name}`;

  it.each([
    ['the root user as admin', 'admin', 'arn:aws:iam::123456789012:root'],
    ['a role as the database role that it is associated with', 'mapped', arn('reader')],
    ['a session of that role', 'mapped', 'arn:aws:sts::123456789012:assumed-role/reader/me'],
  ])('lets %s in', async (_, user, principal) => {
    expect(await ask(user, principal)).toMatchObject({ outcome: 'accepted', connectionId: undefined });
  });

  it.each([
    ['a role whose policies do not allow it', 'mapped', arn('nothing'), 'policy', /dsql:DbConnect/],
    ['a role without the mapping', 'unmapped', arn('reader'), 'role', /AWS IAM GRANT unmapped/],
    ['a database role that nobody has made', 'absent', arn('reader'), 'role', /CREATE ROLE absent/],
    ['an IAM role that nobody has made', 'mapped', arn('gone'), 'key', /^Name an IAM user or role/],
    ['a role of another account', 'mapped', 'arn:aws:iam::999999999999:role/reader', 'key', /^Name an IAM user/],
  ])('does not let %s in', async (_, user, principal, step, change) => {
    const report = await ask(user, principal);
    expect(failed(report)).toEqual([step]);
    expect(report.change).toMatch(change);
  });

  it('refuses a cluster that is not there', async () => {
    expect(failed(await ask('admin', 'arn:aws:iam::123456789012:root', 'z'.repeat(26)))).toEqual(['cluster']);
  });
});
