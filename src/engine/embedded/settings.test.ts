import { describe, expect, it } from 'vitest';
import { pgHbaConf, pgIdentConf, postgresqlConf, type Settings } from './settings.ts';

const settings: Settings = {
  name: 'control',
  socketFolder: '/run/x',
  maxConnections: 10,
  durable: true,
  syncMethod: 'fsync',
  loginName: 'me',
};

describe('postgresql.conf', () => {
  it('quotes what it is given', () => {
    const text = postgresqlConf({ ...settings, socketFolder: `/it's/"here", there\\` });
    expect(text).toContain(`unix_socket_directories = '"/it''s/""here"", there\\\\"'\n`);
    expect(text).toContain(`listen_addresses = ''\n`);
  });

  it.each<[string, Partial<Settings>]>([
    ['a line feed in a path', { socketFolder: '/a\nfsync = off' }],
    ['a name with other characters', { name: "a'b" }],
    ['no name', { name: '' }],
    ['no connections', { maxConnections: 0 }],
    ['too many connections', { maxConnections: 10_001 }],
    ['half a connection', { maxConnections: 1.5 }],
  ])('refuses %s', (_, change) => {
    expect(() => postgresqlConf({ ...settings, ...change })).toThrow();
  });

  it.each([
    [10, 64],
    [1_000, 10],
    [10_000, 10],
  ])('has room for the locks of %i sessions: %i each', (maxConnections, locks) => {
    const text = postgresqlConf({ ...settings, maxConnections });
    expect(text).toContain(`max_locks_per_transaction = '${locks}'\n`);
  });

  it.each([
    [true, 'on'],
    [false, 'off'],
  ])('durable %s: fsync, full_page_writes %s, and a commit is written in any case', (durable, value) => {
    const text = postgresqlConf({ ...settings, durable });
    for (const name of ['fsync', 'full_page_writes']) expect(text).toContain(`${name} = '${value}'\n`);
    expect(text).toContain(`synchronous_commit = 'on'\n`);
  });
});

describe('who may log in', () => {
  it('is the named OS user, as any role, by the socket', () => {
    expect(pgHbaConf(settings)).toBe('local all all peer map=postern\n');
    expect(pgIdentConf(settings)).toBe('postern "me" all\n');
    expect(pgIdentConf({ ...settings, loginName: 'DOMAIN\\some one' })).toBe('postern "DOMAIN\\some one" all\n');
  });

  it('is left to the modes of the folder where the OS user has no name', () => {
    expect(pgHbaConf({ ...settings, loginName: undefined })).toBe('local all all trust\n');
    expect(pgIdentConf({ ...settings, loginName: undefined })).toBe('');
  });

  it.each(['/.*', 'a"b', 'a\nb', ''])('is never a pattern or more than one name: %j', (loginName) => {
    expect(() => pgIdentConf({ ...settings, loginName })).toThrow('pg_ident.conf');
  });
});
