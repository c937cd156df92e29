import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { parseToken } from '../../src/sigv4/token.ts';
import { verifyToken } from '../../src/sigv4/verify.ts';
import { cleanUp, makeFolder, postern } from '../harness/cli.ts';

afterAll(cleanUp);

const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: '' };
const hostname = `${'a'.repeat(26)}.dsql.eu-west-1.on.aws`;

describe('the command line', () => {
  it('tells its version and its commands', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await postern(['--version'])).toEqual({ status: 0, stdout: `postern ${version}\n`, stderr: '' });
    for (const args of [['help'], ['--help']]) expect((await postern(args)).stdout).toContain('postern start');
    for (const command of ['start', 'exec', 'env', 'token', 'why', 'access', 'audit']) {
      expect((await postern(['help', command])).stdout).toBe((await postern([command, '--help'])).stdout);
    }
  });

  it.each([
    [['frobnicate'], 'frobnicate: unknown command (postern help)'],
    [['help', 'frobnicate'], 'help: frobnicate: unknown command (postern help)'],
    [['start', '--pg-port', 'x'], '--pg-port: "x" is no port (0 to 65535)'],
    [['start', '--frobnicate'], '--frobnicate: unknown option'],
    [['exec'], 'exec: -- and a COMMAND are missing (postern exec [OPTION…] -- COMMAND [ARG…])'],
    [['env', '--format', 'xml'], '--format: "xml" is none of shell, dotenv, json'],
    [['why', '--user', 'x'], '--principal: is missing (the ARN of an IAM user or role)'],
    [['why', '--principal', 'x'], '--user: is missing (a database role, such as admin)'],
    [['why', 'a', 'b'], 'b: unexpected argument'],
    [['why', '--cluster', 'x'], '--cluster: only with --user and --principal'],
    [['access', 'x'], 'x: unexpected argument'],
    [['access', '--role', ''], '--role: is empty'],
    [['access', '--fail-on', 'grave'], '--fail-on: "grave" is none of info, low, medium, high'],
    [['token'], '--user: is missing (a database role, such as admin)'],
    [
      ['token', '--user', 'x', '--hostname', hostname, '--expires-in', '604801'],
      '--expires-in: "604801" is no number of seconds from 1 to 604800',
    ],
    [
      ['token', '--user', 'x', '--hostname', hostname, '--expires-in', '0'],
      '--expires-in: "0" is no number of seconds from 1 to 604800',
    ],
    [['token', '--user', 'x', '--hostname', 'a b'], '--hostname: "a b" is no host name'],
  ])('exits with 2 and one line for %j', async (args, line) => {
    expect(await postern(args, keys, await makeFolder())).toEqual({
      status: 2,
      stdout: '',
      stderr: `postern: ${line}\n`,
    });
  });

  it('exits with 2 when there is no command', async () => {
    expect(await postern([])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('postern start'),
    });
  });
});

describe('postern token', () => {
  it.each([
    ['admin', 'DbConnectAdmin'],
    ['example', 'DbConnect'],
    ['Admin', 'DbConnect'],
  ])('makes a token for %s that is right for %s', async (user, action) => {
    const { status, stdout, stderr } = await postern(
      ['token', '--user', user, '--hostname', hostname, '--expires-in', '60'],
      keys,
    );
    expect([status, stderr]).toEqual([0, '']);
    const claim = parseToken(stdout.trimEnd());
    expect(claim).toMatchObject({
      action,
      host: hostname,
      region: 'eu-west-1',
      expiresIn: 60,
      accessKeyId: 'AKIDEXAMPLE',
    });
    verifyToken(claim, 'secret', { now: new Date(), region: 'eu-west-1' });
  });

  it('takes the host and the region from the environment, and the session token with the key', async () => {
    const env = { ...keys, AWS_SESSION_TOKEN: 'a+b/c=', CLUSTER_ENDPOINT: 'localhost', AWS_REGION: 'us-east-2' };
    const claim = parseToken((await postern(['token', '--user', 'admin'], env)).stdout.trimEnd());
    expect(claim).toMatchObject({ host: 'localhost', region: 'us-east-2', sessionToken: 'a+b/c=', expiresIn: 900 });
  });

  it('makes one for the region of the host that it is asked for, unless it is asked for another', async () => {
    const env = { ...keys, AWS_REGION: 'us-east-2' };
    const args = ['token', '--user', 'admin', '--hostname', hostname];
    expect(parseToken((await postern(args, env)).stdout.trimEnd()).region).toBe('eu-west-1');
    const asked = await postern([...args, '--region', 'us-west-1'], env);
    expect(parseToken(asked.stdout.trimEnd()).region).toBe('us-west-1');
  });

  it('says what is not set', async () => {
    const without = { ...keys, AWS_SECRET_ACCESS_KEY: '' };
    expect(await postern(['token', '--user', 'x', '--hostname', hostname], without)).toEqual({
      status: 2,
      stdout: '',
      stderr: 'postern: AWS_SECRET_ACCESS_KEY: is not set\n',
    });
  });
});
