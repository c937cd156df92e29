import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';

afterAll(cleanUp);

const auditFolder = (folder: string) => join(folder, '.postern', 'audit');
const auditFile = (folder: string) => {
  const name = readdirSync(auditFolder(folder)).find((found) => found.endsWith('.jsonl'));
  return join(auditFolder(folder), name as string);
};

const verify = (folder: string, ...args: string[]) => postern(['audit', 'verify', ...args], {}, folder);

function iamOf({ environment }: StartedServer): IAMClient {
  return new IAMClient({
    region: 'us-east-1',
    endpoint: environment['AWS_ENDPOINT_URL'] as string,
    maxAttempts: 1,
    credentials: {
      accessKeyId: environment['AWS_ACCESS_KEY_ID'] as string,
      secretAccessKey: environment['AWS_SECRET_ACCESS_KEY'] as string,
    },
  });
}

describe('postern audit verify', () => {
  it('finds the log of a server that was killed while it wrote whole, and names what was changed in it later', async () => {
    const folder = await makeFolder();
    let made = 0;
    for (let round = 0; round < 2; round++) {
      const server = await startServerProcess(folder, ['--audit-required', 'on']);
      const iam = iamOf(server);
      let going = true;
      const workers = Array.from({ length: 4 }, async (_, worker) => {
        for (let count = 0; going; count++) {
          const UserName = `user-${round}-${worker}-${count}`;
          await iam.send(new CreateUserCommand({ UserName })).then(
            () => {
              made++;
            },
            () => {
              going = false;
            },
          );
        }
      });
      const enough = made + 50;
      await expect.poll(() => made, { timeout: 20_000 }).toBeGreaterThan(enough);
      await server.stop('SIGKILL');
      going = false;
      await Promise.all(workers);
      expect(await verify(folder)).toMatchObject({ status: 0, stdout: expect.stringContaining('whole: ') });
    }
    // Every call that was answered is in it.
    const text = readFileSync(auditFile(folder), 'utf8');
    expect(text.match(/"eventName":"CreateUser"/g)?.length).toBeGreaterThanOrEqual(made);

    // A line that a kill has left torn is closed by the next run.
    appendFileSync(auditFile(folder), '{"eventVersion":"1.11","userId');
    expect((await verify(folder)).stdout).toMatch(/^note +audit-.*: is torn after 30 bytes/);
    const server = await startServerProcess(folder);
    expect(await verify(folder)).toMatchObject({ status: 0 });
    await server.stop();
    const after = await verify(folder, '--json');
    expect(after.status).toBe(0);
    expect(JSON.parse(after.stdout)).toMatchObject({
      problems: [],
      notes: [{ text: expect.stringMatching(/^is torn/) }],
    });

    const { sequence, seal } = JSON.parse(after.stdout).last;
    expect(await verify(folder, '--through', `${sequence}:${seal}`)).toMatchObject({ status: 0 });
    expect(await verify(folder, '--through', `${sequence + 1}:${seal}`)).toMatchObject({ status: 1 });

    writeFileSync(auditFile(folder), readFileSync(auditFile(folder), 'utf8').replace('user-0-1-7', 'user-0-1-8'));
    const changed = await verify(folder);
    expect(changed).toMatchObject({ status: 1, stderr: '' });
    expect(changed.stdout).toMatch(/^BROKEN audit-00000001-[\d-]+\.jsonl:\d+: was changed or inserted/);
  });

  it('says what there is not', async () => {
    const folder = await makeFolder();
    expect(await verify(folder)).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no key') });
    const server = await startServerProcess(folder, ['--audit-log', 'off']);
    expect(readdirSync(join(folder, '.postern'))).not.toContain('audit');
    await server.stop();
    expect(await verify(folder)).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no audit log') });
  });

  it('finds a log whose key was taken away broken, whatever a server does about it', async () => {
    const folder = await makeFolder();
    await (await startServerProcess(folder)).stop();
    expect(await verify(folder)).toMatchObject({ status: 0 });
    rmSync(join(auditFolder(folder), 'chain.key'));
    expect((await verify(folder)).status).toBe(1);
    await (await startServerProcess(folder)).stop();
    expect(await verify(folder)).toMatchObject({ status: 1, stdout: expect.stringContaining('the head was changed') });
  });

  it.each([
    ['no word', []],
    ['another word', ['check']],
    ['one word too many', ['verify', 'it']],
    ['an unknown option', ['verify', '--fast']],
    ['no line to go through', ['verify', '--through', '12']],
  ])('is wrong usage with %s', async (_, args) => {
    const { status, stderr } = await postern(['audit', ...args], {}, await makeFolder());
    expect(status).toBe(2);
    expect(stderr.split('\n')).toHaveLength(2);
  });
});

describe('the options of the audit log', () => {
  it('cannot be required and off', async () => {
    const args = ['start', '--audit-log', 'off', '--audit-required', 'on'];
    expect(await postern(args, {}, await makeFolder())).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--audit-required'),
    });
  });
});

describe('a flood of calls that nobody has signed', () => {
  it('is a few lines of the audit log and a number, so that older files do not go for it', async () => {
    const folder = await makeFolder();
    const server = await startServerProcess(folder);
    const url = server.environment['AWS_ENDPOINT_URL'] as string;
    for (let i = 0; i < 50; i++) expect((await fetch(url)).status).toBe(403);
    await server.stop();
    expect(await verify(folder)).toMatchObject({ status: 0 });
    const lines = readFileSync(auditFile(folder), 'utf8')
      .split('\n')
      .filter((line) => line.includes('MissingAuthentication'))
      .map((line) => JSON.parse(line));
    const counted = lines.filter(({ eventName }) => eventName === 'RefusalsCounted');
    const told = lines.length - counted.length;
    expect(told).toBeLessThanOrEqual(20);
    expect(counted.reduce((sum, { additionalEventData: { count } }) => sum + count, told)).toBe(50);
    expect(counted[0]).toMatchObject({
      sourceIPAddress: '127.0.0.1',
      errorCode: 'MissingAuthentication',
      additionalEventData: { front: 'api', kind: 'missing-authentication' },
    });
  });
});
