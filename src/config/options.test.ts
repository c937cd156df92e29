import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from './configuration-error.ts';
import { describeOptions } from './describe.ts';
import { readOptions } from './options.ts';

const CLUSTER = 'a'.repeat(26);
const folders: string[] = [];
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

const folder = (file?: string) => {
  const path = mkdtempSync(join(tmpdir(), 'postern-options-'));
  folders.push(path);
  if (file !== undefined) writeFileSync(join(path, 'postern.json'), file);
  return path;
};

describe('readOptions', () => {
  it('has the documented defaults', () => {
    const cwd = folder();
    const { options } = readOptions('start', [], {}, cwd);
    expect(options).toMatchObject({
      dataDir: join(cwd, '.postern'),
      host: '127.0.0.1',
      pgPort: 5432,
      apiPort: 4510,
      region: 'us-east-1',
      account: '123456789012',
      dialect: 'dsql',
    });
    expect(options.readyFile).toBeUndefined();
    expect(options.clusterAlias).toEqual([]);
  });

  it('gives exec free ports and no data directory of others', () => {
    const { options, rest } = readOptions(
      'exec',
      ['--', 'npm', 'test', '--', 'x'],
      { POSTERN_DATA_DIR: '/else' },
      folder(),
    );
    expect(options).toMatchObject({ pgPort: 0, apiPort: 0, dataDir: undefined });
    expect(rest).toEqual(['npm', 'test', '--', 'x']);
  });

  it('lets flags win over the environment, and the environment over the file', () => {
    const cwd = folder('{"pg-port": 1, "apiPort": "2", "region": "eu-west-1"}');
    const { options } = readOptions('start', ['--pg-port=3'], { POSTERN_PG_PORT: '4', POSTERN_API_PORT: '5' }, cwd);
    expect(options).toMatchObject({ pgPort: 3, apiPort: 5, region: 'eu-west-1' });
  });

  it.each<[string, string[], NodeJS.ProcessEnv, string | undefined, string]>([
    ['a port that is none', ['--pg-port', '70000'], {}, undefined, '--pg-port: "70000" is no port (0 to 65535)'],
    [
      'a variable with no port',
      [],
      { POSTERN_API_PORT: 'x' },
      undefined,
      'POSTERN_API_PORT: "x" is no port (0 to 65535)',
    ],
    ['a file with no account', [], {}, '{"account": 12}', 'postern.json: account: "12" is no account id (12 digits)'],
    ['a region', ['--region', 'Mars'], {}, undefined, '--region: "Mars" is no region'],
    ['a dialect', ['--dialect', 'mysql'], {}, undefined, '--dialect: "mysql" is none of dsql, postgres'],
    ['a host name to bind', ['--host', 'example.com'], {}, undefined, '--host: "example.com" is no IP address'],
    ['a flag that is near', ['--pgport', '1'], {}, undefined, '--pgport: unknown option (did you mean --pg-port?)'],
    [
      'an option in both spellings',
      [],
      {},
      '{"failed-login-rate": 1, "failedLoginRate": 2}',
      'postern.json: failed-login-rate: is given twice',
    ],
    ['a key in the file', [], {}, '{"pg_port": 1}', 'postern.json: pg_port: unknown option (did you mean pg-port?)'],
    ['a flag without its value', ['--region'], {}, undefined, '--region: a value is missing'],
    ['a flag in place of a value', ['--region', '--host'], {}, undefined, '--region: a value is missing'],
    ['a flag given twice', ['--region', 'us-east-1', '--region', 'us-east-2'], {}, undefined, '--region: given twice'],
    ['a stray word', ['now'], {}, undefined, 'now: unexpected argument'],
    [
      'a certificate without its key',
      ['--tls-cert', 'x'],
      {},
      undefined,
      '--tls-key: --tls-cert and --tls-key must be given together',
    ],
    ['a further region', ['--additional-region', 'x'], {}, undefined, '--additional-region: "x" is no region'],
    [
      'an alias for no cluster id',
      ['--cluster-alias', 'db=1'],
      {},
      undefined,
      '--cluster-alias: "1" is no cluster id (26 of a-z and 0-9)',
    ],
    [
      'localhost for another cluster',
      ['--cluster-alias', `localhost=${CLUSTER}`],
      {},
      undefined,
      '--cluster-alias: localhost always means the default cluster',
    ],
    [
      'an endpoint for another cluster',
      ['--cluster-alias', `${CLUSTER}.dsql.us-east-1.on.aws=${CLUSTER}`],
      {},
      undefined,
      `--cluster-alias: ${CLUSTER}.dsql.us-east-1.on.aws is an endpoint already`,
    ],
    [
      'an alias for two clusters',
      ['--cluster-alias', 'db', '--cluster-alias', `DB=${CLUSTER}`],
      {},
      undefined,
      '--cluster-alias: db cannot mean two clusters',
    ],
    [
      'the address of the listener for another cluster',
      ['--host', '10.0.0.1', '--cluster-alias', `10.0.0.1=${CLUSTER}`],
      {},
      undefined,
      '--cluster-alias: 10.0.0.1 cannot mean two clusters',
    ],
    [
      'more connections than there can be',
      ['--max-connections', '10001'],
      {},
      undefined,
      '--max-connections: "10001" is no whole number from 0 to 10000',
    ],
    [
      'no burst at all',
      [],
      { POSTERN_CONNECTION_BURST: '0' },
      undefined,
      'POSTERN_CONNECTION_BURST: "0" is no whole number from 1 to 1000000',
    ],
    ['half a second', ['--idle-time', '0.5'], {}, undefined, '--idle-time: "0.5" is no whole number from 0 to 604800'],
    ['another fidelity', ['--fidelity', 'exact'], {}, undefined, '--fidelity: "exact" is none of local, strict'],
    ['a file that is no object', [], {}, '[]', 'postern.json: must be a JSON object'],
    ['a value that is no text', [], {}, '{"region": {}}', 'postern.json: region: must be text or a number'],
  ])('names the option and its source: %s', (_, argv, env, file, message) => {
    expect(() => readOptions('start', argv, env, folder(file))).toThrow(new ConfigurationError(message));
  });

  it.each([[[]], [['npm', 'test']], [['--']]])('refuses exec without a command: %j', (argv) => {
    expect(() => readOptions('exec', argv, {}, folder())).toThrow(/^exec: /);
  });

  it('says where a named file is missing', () => {
    expect(() => readOptions('start', ['--config', 'none.json'], {}, folder())).toThrow(/^--config none\.json: ENOENT/);
  });

  it('has the service’s quotas, each of which can be changed', () => {
    const quotas = (argv: string[]) => {
      const { maxConnections, connectionRate, connectionBurst, maxConnectionTime } = readOptions(
        'start',
        argv,
        {},
        folder(),
      ).options;
      return [maxConnections, connectionRate, connectionBurst, maxConnectionTime];
    };
    expect(quotas([])).toEqual([10_000, 100, 1_000, 3_600]);
    const argv = ['--max-connections', '0', '--connection-rate', '0', '--connection-burst', '5'];
    expect(quotas([...argv, '--max-connection-time', '0'])).toEqual([0, 0, 5, 0]);
  });

  it('takes several aliases, from flags and from a variable', () => {
    expect(
      readOptions('start', ['--cluster-alias', 'DB', '--cluster-alias', '10.0.0.1'], {}, folder()).options.clusterAlias,
    ).toEqual([
      { name: 'db', clusterId: undefined },
      { name: '10.0.0.1', clusterId: undefined },
    ]);
    const env = { POSTERN_CLUSTER_ALIAS: `a,b=${CLUSTER}` };
    expect(readOptions('start', [], env, folder()).options.clusterAlias).toEqual([
      { name: 'a', clusterId: undefined },
      { name: 'b', clusterId: CLUSTER },
    ]);
  });

  it('takes further regions from flags, the variable and the file, each once and the home region not again', () => {
    const read = (argv: string[], env: NodeJS.ProcessEnv, file?: string) =>
      readOptions('start', argv, env, folder(file)).options.additionalRegion;
    expect(read([], {})).toEqual([]);
    const flags = ['eu-west-1', 'us-east-1', 'eu-west-1', 'us-gov-west-1'];
    expect(
      read(
        flags.flatMap((region) => ['--additional-region', region]),
        {},
      ),
    ).toEqual(['eu-west-1', 'us-gov-west-1']);
    expect(read([], { POSTERN_ADDITIONAL_REGION: 'us-east-2,us-west-2' })).toEqual(['us-east-2', 'us-west-2']);
    expect(read([], {}, '{"additional-region": ["eu-north-1"]}')).toEqual(['eu-north-1']);
  });

  it('describes every option', () => {
    for (const flag of ['--data-dir', '--pg-port', '--ready-file', '--config'])
      expect(describeOptions('start')).toContain(flag);
  });
});
