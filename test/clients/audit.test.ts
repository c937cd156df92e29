import { createPrivateKey } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateClusterCommand, DSQLClient, ListClustersCommand } from '@aws-sdk/client-dsql';
import {
  CreateAccessKeyCommand,
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  DeleteUserPolicyCommand,
  GetUserCommand,
  ListAccessKeysCommand,
} from '@aws-sdk/client-iam';
import {
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrailRecord } from '../../src/audit/trail-record.ts';
import { postern as cli } from '../harness/cli.ts';
import { assume, makeRole, makeUser, policy } from '../harness/identities.ts';
import { makeKey, startIssuer } from '../harness/oidc-issuer.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

type Line = TrailRecord & { chain: { sequence: number } };

function filesOf(dataDir: string): string[] {
  const folder = join(dataDir, 'audit');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(folder, name));
}

function linesOf(dataDir: string): Line[] {
  return filesOf(dataDir)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const verify = (dataDir: string) => cli(['audit', 'verify', '--data-dir', dataDir]);

describe('the audit log of a server', () => {
  let server: TestServer;
  let dataDir: string;
  /** The newest line with this name and, where it is given, of this connection or request. */
  const line = async (eventName: string, also: (line: Line) => boolean = () => true): Promise<Line> => {
    await expect
      .poll(() => linesOf(dataDir).some((found) => found.eventName === eventName && also(found)), { timeout: 5000 })
      .toBe(true);
    return linesOf(dataDir).findLast((found) => found.eventName === eventName && also(found)) as Line;
  };

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'postern-audit-'));
    server = await startTestServer({ dataDir, auditLog: 'on' });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is for its owner only', () => {
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(join(dataDir, 'audit'))).toBe(0o700);
    const files = readdirSync(join(dataDir, 'audit')).map((name) => mode(join(dataDir, 'audit', name)));
    expect(new Set(files)).toEqual(new Set([0o600]));
  });

  it('has a login as a data event of the cluster, its session and its end', async () => {
    const role = await makeRole(server, 'connector', policy('Allow', 'dsql:DbConnect*'));
    const client = await server.connect('admin', await assume(server, role, 'someone'));
    await client.end();
    const end = await line('SessionEnd');
    expect(end).toMatchObject({ eventType: 'AwsServiceEvent', additionalEventData: { reason: 'client-terminated' } });
    const login = await line('DbConnectAdmin', ({ requestID }) => requestID === end.requestID);
    expect(login).toMatchObject({
      eventSource: 'dsql.amazonaws.com',
      eventCategory: 'Data',
      managementEvent: false,
      awsRegion: 'us-east-1',
      sourceIPAddress: '127.0.0.1',
      userIdentity: {
        type: 'AssumedRole',
        principalId: expect.stringMatching(/^AROA\w+:someone$/),
        arn: 'arn:aws:sts::123456789012:assumed-role/connector/someone',
        accessKeyId: expect.stringMatching(/^ASIA/),
        sessionContext: { sessionIssuer: { type: 'Role', arn: role, userName: 'connector' } },
      },
      requestParameters: { dbUser: 'admin' },
      resources: [{ type: 'AWS::DSQL::Cluster', ARN: server.environment['POSTERN_CLUSTER_ARN'] }],
      additionalEventData: { connectionId: login.requestID, outcome: 'accepted' },
      tlsDetails: { tlsVersion: 'TLSv1.3' },
    });
    expect(login.errorCode).toBeUndefined();
    expect(login.eventTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it('has refusals with their whole reason', async () => {
    const keys = await makeUser(server, 'refused', policy('Deny', 'dsql:*'));
    await expect(server.connect('admin', keys)).rejects.toThrow('access denied');
    expect(await line('DbConnectAdmin', ({ errorCode }) => errorCode === 'AccessDenied')).toMatchObject({
      userIdentity: { type: 'IAMUser', userName: 'refused', accessKeyId: keys.accessKeyId },
      errorMessage: expect.stringContaining('explicit deny'),
      additionalEventData: { outcome: 'refused', kind: 'action-denied' },
    });
    const wrong = { ...keys, secretAccessKey: 'x'.repeat(40) };
    await expect(server.connect('anybody', wrong)).rejects.toThrow('access denied');
    expect(await line('DbConnect')).toMatchObject({
      userIdentity: { type: 'Unknown', accessKeyId: keys.accessKeyId },
      errorCode: 'SignatureMismatch',
    });
  });

  it('has changes of roles and mappings, and what became of them', async () => {
    const admin = await server.connect();
    const arn = 'arn:aws:iam::123456789012:role/connector';
    await admin.query('CREATE ROLE reader WITH LOGIN');
    expect(await line('CreateDatabaseRole')).toMatchObject({
      eventCategory: 'Management',
      userIdentity: { type: 'Root' },
      additionalEventData: { outcome: 'committed', commands: [{ command: 'CREATE ROLE' }] },
    });
    await admin.query(`AWS IAM GRANT reader TO '${arn}'`);
    expect(await line('AwsIamGrant')).toMatchObject({
      additionalEventData: {
        outcome: 'committed',
        commands: [{ command: 'AWS IAM GRANT', mapping: { role: 'reader', arn } }],
      },
    });
    await admin.query('BEGIN');
    await admin.query(`AWS IAM REVOKE reader FROM '${arn}'`);
    await admin.query('ROLLBACK');
    expect(await line('AwsIamRevoke')).toMatchObject({
      additionalEventData: { outcome: 'rolled-back', commands: [{ mapping: { role: 'reader', arn } }] },
    });
    // Prepared, so that it goes by the extended protocol.
    await admin.query({ name: 'grant', text: 'GRANT reader TO admin' });
    expect(await line('GrantDatabaseRole')).toMatchObject({ additionalEventData: { outcome: 'committed' } });
    await admin.end();
  });

  it('has calls of the API, those that are refused too', async () => {
    await server.iam.send(new DeleteUserPolicyCommand({ UserName: 'refused', PolicyName: 'access' }));
    expect(await line('DeleteUserPolicy')).toMatchObject({
      eventSource: 'iam.amazonaws.com',
      readOnly: false,
      requestParameters: { userName: 'refused', policyName: 'access' },
      resources: [{ type: 'AWS::IAM::User', ARN: 'arn:aws:iam::123456789012:user/refused' }],
      userAgent: expect.stringContaining('aws-sdk-js'),
    });
    await expect(server.iam.send(new GetUserCommand({ UserName: 'nobody' }))).rejects.toThrow();
    expect(await line('GetUser')).toMatchObject({ errorCode: 'NoSuchEntity', readOnly: true, responseElements: null });
    const stranger = new STSClient({
      ...server.awsClient({ accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'y'.repeat(40) }),
      maxAttempts: 1,
    });
    await expect(stranger.send(new GetCallerIdentityCommand({}))).rejects.toThrow();
    expect(await line('UnknownOperation')).toMatchObject({
      errorCode: 'InvalidClientTokenId',
      userIdentity: { type: 'Unknown', accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' },
      additionalEventData: { httpStatus: 403, kind: 'unknown-key' },
    });
    await new DSQLClient(server.awsClient(server.root)).send(new ListClustersCommand({}));
    expect(await line('ListClusters')).toMatchObject({ eventSource: 'dsql.amazonaws.com', awsRegion: 'us-east-1' });
  });

  it('has no secret, token or password, nor has the server’s log', async () => {
    const secrets = new Set<string>([server.root.secretAccessKey]);
    const keep = (value: string | undefined) => {
      expect(value?.length).toBeGreaterThan(15);
      secrets.add(value as string);
      return value as string;
    };
    const keepAll = (
      found: { SecretAccessKey?: string | undefined; SessionToken?: string | undefined } | undefined,
    ) => {
      keep(found?.SecretAccessKey);
      keep(found?.SessionToken);
    };
    const keys = await makeUser(server, 'secretive', policy('Allow', ['dsql:*', 'iam:*', 'sts:*']));
    keep(keys.secretAccessKey);
    const second = await server.iam.send(new CreateAccessKeyCommand({ UserName: 'secretive' }));
    keep(second.AccessKey?.SecretAccessKey);
    await server.iam.send(new ListAccessKeysCommand({ UserName: 'secretive' }));
    const asUser = new STSClient(server.awsClient(keys));
    keepAll((await asUser.send(new GetSessionTokenCommand({}))).Credentials);
    const federated = { Name: 'federated', Policy: policy('Allow', 'dsql:*') };
    keepAll((await asUser.send(new GetFederationTokenCommand(federated))).Credentials);
    const session = await assume(server, 'arn:aws:iam::123456789012:role/connector', 'secretive');
    keep(session.secretAccessKey);
    keep(session.sessionToken);
    await new STSClient(server.awsClient(session)).send(new GetCallerIdentityCommand({}));

    const issuer = await startIssuer(await makeKey('audit'));
    try {
      const provider = await server.iam.send(
        new CreateOpenIDConnectProviderCommand({ Url: issuer.url, ClientIDList: ['app'] }),
      );
      const trust = {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Federated: provider.OpenIDConnectProviderArn },
            Action: 'sts:AssumeRoleWithWebIdentity',
          },
        ],
      };
      await server.iam.send(
        new CreateRoleCommand({ RoleName: 'web', AssumeRolePolicyDocument: JSON.stringify(trust) }),
      );
      const token = keep(await issuer.sign(issuer.claims({ aud: 'app', sub: 'somebody' })));
      const asked = { RoleArn: 'arn:aws:iam::123456789012:role/web', RoleSessionName: 'web' };
      keepAll(
        (await server.sts.send(new AssumeRoleWithWebIdentityCommand({ ...asked, WebIdentityToken: token })))
          .Credentials,
      );
      const forged = keep(`${token.slice(0, -20)}${'A'.repeat(20)}`);
      await expect(
        server.sts.send(new AssumeRoleWithWebIdentityCommand({ ...asked, WebIdentityToken: forged })),
      ).rejects.toThrow();
    } finally {
      await issuer.close();
    }

    const password = keep(server.token('admin', session));
    keep(new URLSearchParams(password).get('X-Amz-Signature') as string);
    const client = await server.connect('admin', session, { password });
    await client.query("CREATE ROLE with_password WITH LOGIN PASSWORD 'a password of a role'").catch(() => undefined);
    keep('a password of a role');
    await client.query('SELECT $1::text', [keep('a parameter of a statement')]);
    await client.query(`SELECT '${keep('a literal of a statement')}'`);
    await client.end();
    await expect(server.connect('admin', session, { password: keep(`${password}&broken=1`) })).rejects.toThrow();
    await expect(server.connect('admin', session, { password: keep('plainly no token at all') })).rejects.toThrow();
    await new DSQLClient(server.awsClient(keys)).send(
      new CreateClusterCommand({ deletionProtectionEnabled: false, tags: { a: 'b' } }),
    );
    await line('CreateCluster');
    await line('SessionEnd', ({ userIdentity }) => userIdentity.arn?.endsWith('/secretive') ?? false);

    const key = readFileSync(join(dataDir, 'seal.key'), 'utf8').trim();
    secrets.add(key);
    const pem = readdirSync(join(dataDir, 'tls')).find((name) => /key/.test(name));
    if (pem) {
      const { d } = createPrivateKey(readFileSync(join(dataDir, 'tls', pem))).export({ format: 'jwk' });
      secrets.add(keep(d));
    }
    const written = [...filesOf(dataDir).map((file) => readFileSync(file, 'utf8')), JSON.stringify(server.log)].join();
    expect(secrets.size).toBeGreaterThan(18);
    for (const secret of secrets) {
      for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
        expect(written.includes(form), `${form.slice(0, 6)}… of ${form.length}`).toBe(false);
      }
    }
    expect(written).toContain('HIDDEN_DUE_TO_SECURITY_REASONS');
    expect(await line('AssumeRoleWithWebIdentity', ({ errorCode }) => errorCode === undefined)).toMatchObject({
      userIdentity: { type: 'WebIdentityUser', userName: 'somebody' },
    });
  });

  it('is whole while the server runs, and after it', async () => {
    const running = await verify(dataDir);
    expect(running).toMatchObject({ status: 0, stdout: expect.stringContaining('whole: ') });
    await server.stop();
    const stopped = await verify(dataDir);
    expect(stopped).toMatchObject({ status: 0, stdout: expect.stringMatching(/whole: \d+ lines in 1 file/) });
    expect(linesOf(dataDir).at(-1)?.eventName).toBe('AuditLogClosed');
  });
});

describe('the audit log of a server that runs any statement', () => {
  it('does not believe who forges the message of an AWS IAM command', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'postern-audit-'));
    const server = await startTestServer({ dataDir, auditLog: 'on', dialect: 'postgres' });
    try {
      const admin = await server.connect();
      await admin.query(
        `DO $$ BEGIN RAISE INFO USING ERRCODE = 'IAM00', MESSAGE = 'AWS IAM GRANT', DETAIL = '{"role":"evil","arn":"evil"}'; END $$`,
      );
      await admin.query('CREATE ROLE true_one');
      await admin.end();
      await server.stop();
      const lines = linesOf(dataDir);
      expect(JSON.stringify(lines)).not.toContain('evil');
      expect(lines.map(({ eventName }) => eventName)).not.toContain('AwsIamGrant');
      expect(lines.map(({ eventName }) => eventName)).toContain('CreateDatabaseRole');
    } finally {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

describe('a server whose audit log is required', () => {
  it('refuses logins and calls while it cannot be written, and goes on by itself', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'postern-audit-'));
    // In MiB: the first file is full at once.
    const server = await startTestServer({ dataDir, auditLog: 'on', auditRequired: 'on', auditMaxSize: 0.001 });
    try {
      await (await server.connect()).end();
      await server.sts.send(new GetCallerIdentityCommand({}));
      // The next file cannot be opened: there is a folder in its place.
      const [day, number] = [new Date().toISOString().slice(0, 10), filesOf(dataDir).length];
      const inTheWay = [1, 2, 3, 4].map((more) =>
        join(dataDir, 'audit', `audit-${String(number + more).padStart(8, '0')}-${day}.jsonl`),
      );
      for (const path of inTheWay) mkdirSync(path);
      await expect
        .poll(
          () =>
            server.connect().then(
              (client) => client.end(),
              (error) => error,
            ),
          { timeout: 5000 },
        )
        .toMatchObject({ code: '58030', message: 'unable to accept connection, please retry later' });
      const call = new STSClient({ ...server.awsClient(server.root), maxAttempts: 1 });
      await expect(call.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
        name: 'ServiceUnavailable',
        $metadata: { httpStatusCode: 503 },
      });
      expect(server.server.why(undefined)).toMatchObject({
        outcome: 'refused',
        change: expect.stringContaining('--audit-required off'),
      });
      const ask = async (path: string) => {
        const answer = await fetch(`${server.environment['AWS_ENDPOINT_URL']}${path}`);
        return { status: answer.status, body: await answer.text() };
      };
      expect(await ask('/readyz')).toMatchObject({
        status: 503,
        body: expect.stringContaining('the audit log cannot be written'),
      });
      expect((await ask('/metrics')).body).toContain('\npostern_audit_log_writable 0\n');
      for (const path of inTheWay) rmdirSync(path);
      // By itself, without a login that tries.
      await expect.poll(async () => (await ask('/readyz')).status, { timeout: 5000 }).toBe(200);
      await (await server.connect()).end();
      await call.send(new GetCallerIdentityCommand({}));
      await server.stop();
      expect(linesOf(dataDir).map(({ eventName }) => eventName)).toContain('AuditLogResumed');
      expect(await verify(dataDir)).toMatchObject({ status: 0 });
    } finally {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
