import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from './configuration-error.ts';
import { describeOptions, readOptions } from './options.ts';

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

  it('takes several aliases, from flags and from a variable', () => {
    expect(
      readOptions('start', ['--cluster-alias', 'DB', '--cluster-alias', '10.0.0.1'], {}, folder()).options.clusterAlias,
    ).toEqual(['db', '10.0.0.1']);
    expect(readOptions('start', [], { POSTERN_CLUSTER_ALIAS: 'a,b' }, folder()).options.clusterAlias).toEqual([
      'a',
      'b',
    ]);
  });

  it('describes every option', () => {
    for (const flag of ['--data-dir', '--pg-port', '--ready-file', '--config'])
      expect(describeOptions('start')).toContain(flag);
  });
});
