import { IAMClient } from '@aws-sdk/client-iam';
import { STSClient } from '@aws-sdk/client-sts';
import pg from 'pg';
import { presignToken, type SigningCredentials } from '../../src/sigv4/presign.ts';
import type { StartedServer } from '../harness/cli.ts';

/** How clients reach a server in a process of its own, from what it says of itself; after a restart, the new one. */
export class Door {
  readonly #server: () => StartedServer;

  constructor(server: () => StartedServer) {
    this.#server = server;
  }

  get #environment(): NodeJS.ProcessEnv {
    return this.#server().environment;
  }

  get port(): number {
    return Number(this.#environment['PGPORT']);
  }

  get pid(): number {
    return this.#server().child.pid as number;
  }

  get clusterId(): string {
    return this.#environment['POSTERN_CLUSTER_ID'] as string;
  }

  get endpoint(): string {
    return this.#environment['AWS_ENDPOINT_URL'] as string;
  }

  get root(): SigningCredentials {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = this.#environment;
    return { accessKeyId: AWS_ACCESS_KEY_ID as string, secretAccessKey: AWS_SECRET_ACCESS_KEY as string };
  }

  token(user = 'admin', credentials: SigningCredentials = this.root): string {
    return presignToken({
      host: this.#environment['POSTERN_CLUSTER_HOSTNAME'] as string,
      region: 'us-east-1',
      action: user === 'admin' ? 'DbConnectAdmin' : 'DbConnect',
      credentials,
      expiresIn: 900,
      now: new Date(),
    });
  }

  /** One that is not connected yet, and whose errors outside of a query harm nobody. */
  client(user = 'admin', credentials: SigningCredentials = this.root): pg.Client {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      database: 'postgres',
      user,
      password: this.token(user, credentials),
      ssl: { rejectUnauthorized: false },
      connectionTimeoutMillis: 60_000,
    });
    client.on('error', () => undefined);
    return client;
  }

  /** Runs SQL as admin, on a session of its own; the rows of the last statement. */
  async run(...statements: string[]): Promise<Record<string, unknown>[]> {
    const client = this.client();
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const sql of statements) rows = (await client.query(sql)).rows;
      return rows;
    } finally {
      await client.end();
    }
  }

  /** How a login goes: `in`, or its SQLSTATE, or the system's code. */
  async outcome(user = 'admin', credentials: SigningCredentials = this.root): Promise<string> {
    const client = this.client(user, credentials);
    try {
      await client.connect();
      await client.end();
      return 'in';
    } catch (error) {
      return (error as { code?: string }).code ?? (error as Error).message;
    }
  }

  /** Sends every request once only. */
  iam(credentials: SigningCredentials = this.root): IAMClient {
    return new IAMClient({ ...this.#sdk(credentials), maxAttempts: 1 });
  }

  sts(credentials: SigningCredentials = this.root): STSClient {
    return new STSClient({ ...this.#sdk(credentials), maxAttempts: 1 });
  }

  #sdk({ accessKeyId, secretAccessKey, sessionToken }: SigningCredentials) {
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
    return { endpoint: this.endpoint, region: 'us-east-1', credentials };
  }

  /** A path that monitoring asks. */
  async probe(path: '/readyz' | '/metrics'): Promise<{ status: number; text: string }> {
    const answer = await fetch(new URL(path, this.endpoint));
    return { status: answer.status, text: await answer.text() };
  }

  /** A metric without labels. */
  async metric(name: string): Promise<number> {
    const { text } = await this.probe('/metrics');
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }
}
