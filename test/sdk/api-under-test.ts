import { randomBytes, randomUUID } from 'node:crypto';
import { DSQLClient } from '@aws-sdk/client-dsql';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { STSClient } from '@aws-sdk/client-sts';
import type { Log } from '../../src/audit/log.ts';
import { createLogAudit } from '../../src/audit/log-audit.ts';
import { DEFAULT_QUOTAS, Lifecycle } from '../../src/clusters/lifecycle.ts';
import { TestingFleet } from '../../src/clusters/testing-fleet.ts';
import { createDispatch, type Failures } from '../../src/http/dispatch.ts';
import { HeldBodies } from '../../src/http/held-bodies.ts';
import { answeredNetworks } from '../../src/http/probes.ts';
import { createApiServer } from '../../src/http/server.ts';
import { createServices } from '../../src/http/services.ts';
import { createAuthority } from '../../src/iam/authority.ts';
import { bootstrapAccount, rootCredentials } from '../../src/iam/bootstrap.ts';
import type { AccessRequest, Authority } from '../../src/iam/identity.ts';
import { createKeyUses } from '../../src/iam/key-uses.ts';
import { createKeyRing } from '../../src/iam/keys.ts';
import { createMemoryStore } from '../../src/state/memory-store.ts';
import { createSealer } from '../../src/state/sealing.ts';
import { createOidcKeys } from '../../src/sts/oidc-keys.ts';
import { createSessionMaker } from '../../src/sts/session-token.ts';
import { assertNoSecrets, keepSecret } from '../harness/no-secrets.ts';

export const ACCOUNT = '123456789012';
export const REGION = 'eu-west-1';
export const CLUSTER_ID = 'abcdefghijklmnopqrstuvwx23';
export const CLUSTER_ARN = `arn:aws:dsql:${REGION}:${ACCOUNT}:cluster/${CLUSTER_ID}`;

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** The whole HTTP front on a free port, over a store that is gone with it. */
export async function startApi({
  oidcTimeout = 5000,
  additionalRegions = [],
  failures = { check: () => undefined, note: () => undefined },
  bodies = new HeldBodies(),
}: {
  oidcTimeout?: number;
  additionalRegions?: readonly string[];
  /** Clients on this machine are never held up; a test that wants it says otherwise. */
  failures?: Failures;
  bodies?: HeldBodies;
} = {}) {
  const store = createMemoryStore();
  const sealer = createSealer(randomBytes(32));
  // Clients sign by the machine's clock, so ours is that clock and how far a test has moved it.
  const clock = { ahead: 0 };
  const now = () => new Date(Date.now() + clock.ahead);
  const random = randomBytes;
  await bootstrapAccount(store, sealer, {
    account: ACCOUNT,
    region: REGION,
    clusterId: CLUSTER_ID,
    now: now(),
    random,
  });

  const unready: string[] = [];
  const ailing: string[] = [];
  const lines: { level: string; fields: Record<string, unknown> }[] = [];
  const level = (name: string) => (fields: unknown) => {
    lines.push({ level: name, fields: fields as Record<string, unknown> });
  };
  const log = {
    debug: level('debug'),
    info: level('info'),
    warn: level('warn'),
    error: level('error'),
  } as unknown as Log;

  const sessions = createSessionMaker({ sealer, random });
  const policies = createAuthority({ store, account: ACCOUNT });
  const asked: (AccessRequest & { by: string })[] = [];
  const authority: Authority = {
    decide(identity, request) {
      asked.push({ by: identity.arn, ...request });
      return policies.decide(identity, request);
    },
    decideTrust(federated, request) {
      asked.push({ by: federated.provider, ...request });
      return policies.decideTrust(federated, request);
    },
  };
  const keys = createKeyRing({ store, sealer, sessions });
  const keyUses = createKeyUses();
  const iam = { store, sealer, account: ACCOUNT, now, random, keyUses };
  const fleet = new TestingFleet();
  fleet.awake.add(CLUSTER_ID);
  const regions = [REGION, ...additionalRegions];
  const lifecycle = new Lifecycle({
    store,
    fleet,
    endSessions: () => undefined,
    account: ACCOUNT,
    regions,
    quotas: DEFAULT_QUOTAS,
    log,
    now,
    random,
  });
  const services = createServices({
    iam,
    authority,
    sessions,
    oidcKeys: createOidcKeys({ now, timeout: oidcTimeout }),
    lifecycle,
    regions,
  });
  const dispatch = createDispatch({
    keys,
    authority,
    keyUses,
    ...services,
    region: REGION,
    log,
    audit: createLogAudit(log),
    failures,
    bodies,
    now,
    newRequestId: randomUUID,
  });
  const server = createApiServer({
    openFiles: { take: () => ({ release: () => undefined }) },
    dispatch,
    log,
    probes: {
      metrics: () => ({ status: 200, contentType: 'text/plain', body: 'metrics\n' }),
      unready: () => unready,
      ailing: () => ailing,
      from: answeredNetworks([]),
    },
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const endpoint = `http://127.0.0.1:${port}`;
  const root = rootCredentials(store, sealer);
  keepSecret(root.secretAccessKey);

  const config = (credentials: Credentials) => {
    keepSecret(credentials.secretAccessKey);
    keepSecret(credentials.sessionToken);
    return { endpoint, region: REGION, credentials, maxAttempts: 1 };
  };
  return {
    endpoint,
    port,
    /** What /readyz says. */
    unready,
    ailing,
    root,
    store,
    fleet,
    lifecycle,
    clock,
    lines,
    /** What the policies were asked, oldest first. */
    asked,
    iam: (credentials: Credentials = root) => new IAMClient(config(credentials)),
    sts: (credentials: Credentials = root) => new STSClient(config(credentials)),
    dsql: (credentials: Credentials = root, region = REGION) => new DSQLClient({ ...config(credentials), region }),
    async close() {
      await server.close(0);
      const text = lines.map(({ fields }) => `${JSON.stringify(fields)} ${(fields.err as Error)?.stack ?? ''}`);
      assertNoSecrets(text.join('\n'), 'the log of the API');
    },
  };
}

export type ApiUnderTest = Awaited<ReturnType<typeof startApi>>;

/** What an SDK call was refused with: code, HTTP status and text. */
export async function refusal(call: Promise<unknown>): Promise<{ code: string; status: number; text: string }> {
  const error = await call.then(
    () => {
      throw new Error('the call was not refused');
    },
    (reason: unknown) => reason as Error & { Code?: string; $metadata?: { httpStatusCode?: number } },
  );
  return { code: error.Code ?? error.name, status: error.$metadata?.httpStatusCode ?? 0, text: error.message };
}

export function allow(action: string | string[], resource: string | string[] = '*'): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
  });
}

export function trust(principal: unknown, effect: 'Allow' | 'Deny' = 'Allow'): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: effect, Principal: principal, Action: 'sts:AssumeRole' }],
  });
}

/** A user with an access key, and with one inline policy where one is given. */
export async function makeUserWithKey(root: IAMClient, UserName: string, policy?: string): Promise<Credentials> {
  await root.send(new CreateUserCommand({ UserName }));
  if (policy) {
    await root.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument: policy }));
  }
  const { AccessKey } = await root.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
}
