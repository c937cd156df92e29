/** Files that others may have written: the audit log, a backup's manifest, a declaration, a hosts file. */
import { join, normalize } from 'node:path';
import { NO_LINE, readHead, readLine, sealHead, sealLine } from '../../../src/audit/chain.ts';
import { parseManifest } from '../../../src/backup/manifest.ts';
import { withLines, withoutLines } from '../../../src/cli/hosts-file.ts';
import { ConfigurationError } from '../../../src/config/configuration-error.ts';
import { readOptions } from '../../../src/config/options.ts';
import { readDeclaration } from '../../../src/declared/apply.ts';
import { parsePostmasterPid } from '../../../src/engine/embedded/postmaster-pid.ts';
import { allowing, allowingPlain, must, type Target, utf8 } from '../target.ts';

const KEY = Buffer.alloc(32, 9);
const first = sealLine(KEY, '{"eventName":"A","a":"\\"chain\\":{"}', NO_LINE);
const second = sealLine(KEY, '{"eventName":"B","b":[1,2,{"chain":{"sequence":1}}]}', first.link);
const LINES = [first.line, second.line].map((line) => line.slice(0, -1));
const HEAD = sealHead(KEY, { first: { file: 1, previous: NO_LINE }, file: 1, last: second.link });

/** An audit log's line without its newline, or its head. */
export const auditLine: Target = {
  seeds: [...LINES, HEAD],
  vocabulary: ['"chain":{"sequence":1,"previous":"', '"seal":"', '}}', ',', '0'.repeat(64), '"sequence":2'],
  check(text) {
    if (readLine(KEY, Buffer.from(text, 'latin1')))
      must(LINES.includes(text), 'a changed line does not carry its seal');
    if (readHead(KEY, text)) must(text.trimEnd() === HEAD.trimEnd(), 'a changed head does not carry its seal');
  },
};

const SHA = 'a'.repeat(64);
const MANIFEST = {
  format: 1,
  account: '123456789012',
  region: 'us-east-1',
  startedAt: '2026-03-01T12:00:00.000Z',
  endedAt: '2026-03-01T12:00:01.000Z',
  hasKey: true,
  databases: ['control', 'cluster-a'],
  folders: ['clusters', 'clusters/a'],
  files: { 'seal.key': { size: 64, sha256: SHA }, 'clusters/a/PG_VERSION': { size: 3, sha256: SHA } },
};

export const manifest: Target = {
  seeds: [JSON.stringify(MANIFEST), JSON.stringify({ ...MANIFEST, hasKey: false, databases: [], files: {} })],
  vocabulary: [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    'null',
    '..',
    '../',
    '/',
    '\\u0000',
    '\\\\',
    'C:',
    '"__proto__":{}',
    '1e400',
    '-1',
  ],
  check(input) {
    const read = allowingPlain(() => parseManifest(utf8(input), 'manifest'));
    if (!read) return;
    for (const name of [...read.folders, ...Object.keys(read.files)]) {
      const path = join('/backup', name);
      must(
        path === normalize(path) && path.startsWith('/backup/') && path !== '/backup/',
        'a file stays in the backup',
      );
    }
    for (const { size, sha256 } of Object.values(read.files)) {
      must(Number.isSafeInteger(size) && size >= 0 && /^[0-9a-f]{64}$/.test(sha256), 'a file has a size and a digest');
    }
  },
};

const DECLARED = {
  clusters: [
    { name: 'default', aliases: ['db.test'], tags: { a: 'b' }, databaseRoles: [{ name: 'app', iamPrincipals: ['x'] }] },
  ],
  oidcProviders: [{ url: 'https://example.com', clientIds: ['a'] }],
  policies: [{ name: 'p', document: { Version: '2012-10-17' } }],
  groups: [{ name: 'g', policies: { p: 'file.json' } }],
  users: [{ name: 'u', groups: ['g'], accessKeys: [{ idFrom: 'ID', secretFrom: 'SECRET' }] }],
  roles: [{ name: 'r', trustPolicy: {}, maxSessionDuration: 3600 }],
};

export const declaration: Target = {
  seeds: [JSON.stringify(DECLARED), '{}', JSON.stringify({ clusters: [{ name: 'a', deletionProtection: false }] })],
  vocabulary: [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    'null',
    '"name":',
    '"__proto__":[]',
    '"constructor":[{"name":"x"}]',
    '127.0.0.1',
  ],
  check(input) {
    let content: unknown;
    try {
      content = JSON.parse(utf8(input));
    } catch {
      return;
    }
    allowing(ConfigurationError, () => readDeclaration({ file: 'f', folder: '/', content }));
    must(Object.keys(Object.prototype).length === 0, 'no object is changed for all');
  },
};

const OWNER = '/srv/postern';
const OURS = ['127.0.0.1 a.dsql.us-east-1.on.aws', '::1 a.dsql.us-east-1.on.aws'];
const PLAIN = '127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n';

export const hosts: Target = {
  seeds: [PLAIN, '', withLines(PLAIN, OWNER, OURS), withLines(withLines(PLAIN, '/other', OURS), OWNER, OURS).trimEnd()],
  vocabulary: [
    '# BEGIN postern /srv/postern\n',
    '# END postern /srv/postern\n',
    '# BEGIN postern /other\n',
    '\n',
    '\r\n',
    ' ',
  ],
  check(text) {
    const without = allowingPlain(() => withoutLines(text, OWNER));
    const added = allowingPlain(() => withLines(text, OWNER, OURS));
    if (added === undefined) return;
    const begins = added.split('\n').filter((line) => line.trimEnd() === `# BEGIN postern ${OWNER}`).length;
    must(begins === 1, 'a server has its lines once');
    must(withLines(added, OWNER, OURS) === added, 'doing it twice changes nothing');
    const again = withoutLines(added, OWNER);
    must(without === undefined || again.trimEnd() === without.trimEnd(), 'the lines of others stay as they are');
    must(!again.includes(OURS[0]!) || text.includes(OURS[0]!), 'nothing of the lines is left behind');
  },
};

export const postmasterPid: Target = {
  seeds: ['1234\n/srv/postern/clusters/a\n1772366400\n5432\n/tmp/x\n\n  5432001    131072\nready   \n', ''],
  vocabulary: ['\n', '-', '0', 'ready', 'stopping', '/'],
  check(text) {
    const read = parsePostmasterPid(text);
    for (const value of Object.values(read ?? {})) {
      must(typeof value !== 'number' || Number.isSafeInteger(value), 'a number that is read is one');
    }
  },
};

/** The arguments of `postern start`, one a line. */
export const startArguments: Target = {
  seeds: [
    '--pg-port\n0\n--api-port=0\n--region\neu-west-1\n--account\n210987654321',
    '--additional-region\nus-west-2\n--cluster-alias\ndb.test=abcdefghijklmnopqrstuvwxyz\n--dialect\npostgres',
    '--metrics-from\n10.0.0.0/8\n--max-connections\n10\n--failed-login-rate\n0.5\n--log-level\ndebug',
    '--audit-required\non\n--audit-keep\n0\n--host\n::1\n--shutdown-timeout\n5',
  ],
  vocabulary: [
    '--',
    '-',
    '=',
    '\n',
    '--region\n',
    '--account=',
    '__proto__',
    '--__proto__=x',
    '--constructor\nx',
    '::',
    '/33',
    '1e9',
  ],
  check(input) {
    // A file that it could name is none of this target's.
    const argv = utf8(input)
      .split('\n')
      .map((argument) => argument.replace(/^--?(?:config|tls-|ready).*/, '--region'));
    allowing(ConfigurationError, () => readOptions('start', argv, {}, '/nonexistent'));
  },
};
