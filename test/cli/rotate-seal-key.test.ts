import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';

afterAll(cleanUp);

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

const config = ({ environment: env }: StartedServer, credentials?: Keys) => ({
  region: 'us-east-1',
  endpoint: env['AWS_ENDPOINT_URL'] as string,
  maxAttempts: 1,
  credentials: credentials ?? {
    accessKeyId: env['AWS_ACCESS_KEY_ID'] as string,
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] as string,
  },
});

const whoIs = async (server: StartedServer, credentials?: Keys) =>
  (await new STSClient(config(server, credentials)).send(new GetCallerIdentityCommand({}))).Arn;

/** A data directory with one user's key and one session token in it, and no server. */
async function prepare(cwd: string): Promise<{ user: Keys; session: Keys }> {
  const server = await startServerProcess(cwd);
  const iam = new IAMClient(config(server));
  await iam.send(new CreateUserCommand({ UserName: 'kept' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'kept' }));
  const user = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  const { Credentials } = await new STSClient(config(server, user)).send(new GetSessionTokenCommand({}));
  const session = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  expect(await whoIs(server, session)).toMatch(/user\/kept$/);
  await server.stop();
  return { user, session };
}

describe('postern rotate-seal-key', () => {
  it('keeps every access key, ends session tokens, and survives a cut at either side of its commit', async () => {
    const cwd = await makeFolder();
    const { user, session } = await prepare(cwd);
    const path = join(cwd, '.postern', 'seal.key');
    const [spare, next] = [join(cwd, 'spare'), `${path}.next`];
    copyFileSync(path, spare);
    const old = readFileSync(path, 'utf8');

    expect(await postern(['audit', 'verify'], {}, cwd)).toMatchObject({ status: 0 });
    const done = await postern(['rotate-seal-key'], {}, cwd);
    expect(done).toMatchObject({
      status: 0,
      stdout: '2 secrets are sealed under the new key. The new key is in seal.key; the old one is gone.\n',
    });
    const fresh = readFileSync(path, 'utf8');
    expect(fresh).not.toBe(old);
    expect(existsSync(next)).toBe(false);

    // As if it had been cut off when everything was sealed anew, and the old key was still there.
    renameSync(path, next);
    copyFileSync(spare, path);
    const server = await startServerProcess(cwd);
    expect(readFileSync(path, 'utf8')).toBe(fresh);
    expect(existsSync(next)).toBe(false);
    expect(await whoIs(server)).toMatch(/:root$/);
    expect(await whoIs(server, user)).toMatch(/user\/kept$/);
    await expect(whoIs(server, session)).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    const running = await postern(['rotate-seal-key'], {}, cwd);
    expect(running).toMatchObject({ status: 1, stdout: '' });
    expect(running.stderr).toContain('a server runs on it');
    await server.stop();

    // As if it had been cut off before anything was sealed anew.
    copyFileSync(spare, next);
    const again = await startServerProcess(cwd);
    expect(readFileSync(path, 'utf8')).toBe(old);
    expect(await whoIs(again, user)).toMatch(/user\/kept$/);
    await again.stop();
    // The audit log's own key went along, each time.
    expect(await postern(['audit', 'verify'], {}, cwd)).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(join(cwd, '.postern')).filter((name) => name.startsWith('seal'))).toEqual(['seal.key']);
  });

  it('does nothing without an account, and nothing with the wrong key', async () => {
    const cwd = await makeFolder();
    const none = await postern(['rotate-seal-key'], {}, cwd);
    expect(none).toMatchObject({ status: 1, stderr: `postern: there is no account in ${join(cwd, '.postern')}\n` });
    expect(existsSync(join(cwd, '.postern'))).toBe(false);
    await (await startServerProcess(cwd)).stop();
    const [key, other] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [string, string];
    const wrong = await postern(['rotate-seal-key'], { POSTERN_SEAL_KEY: key, POSTERN_NEW_SEAL_KEY: other }, cwd);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('does not open: nothing was changed');
    expect(await whoIs(await startServerProcess(cwd))).toMatch(/:root$/);
  });

  it('leaves the audit log whole, and a server that goes on with it', async () => {
    const cwd = await makeFolder();
    await prepare(cwd);
    expect(await postern(['rotate-seal-key'], {}, cwd)).toMatchObject({ status: 0 });
    const verified = () => postern(['audit', 'verify'], {}, cwd);
    expect(await verified()).toMatchObject({ status: 0, stdout: expect.stringContaining('whole: ') });
    await (await startServerProcess(cwd)).stop();
    const { status, stdout } = await verified();
    expect(stdout).not.toMatch(/BROKEN|note/);
    expect(status).toBe(0);
  });
});
