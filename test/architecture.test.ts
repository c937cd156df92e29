import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Pure calculations: no clock, network, file or logger. */
const PURE = ['pgwire', 'sigv4', 'iam/policy', 'sql', 'transactions'];
const DOMAIN = ['iam', 'sts', 'roles', 'jobs', 'clusters', 'state', 'audit', 'attempts'];
const FRONTS = ['gateway', 'http'];
const ADAPTERS = ['engine/embedded'];

/** What the composition root knows. */
const EVERYBODY = [
  'statement-log',
  'traces',
  'access',
  'backup',
  'metrics',
  'declared',
  ...FRONTS,
  ...DOMAIN,
  ...ADAPTERS,
  'engine',
  'config',
  'tls',
  'machine',
];

/** What the files of a folder may import besides themselves; a longer folder's row wins. */
const MAY: Record<string, readonly string[]> = {
  pgwire: ['refused.ts'],
  sigv4: ['refused.ts'],
  sql: [],
  transactions: ['sql'],
  'iam/policy': ['refused.ts', 'iam/identity.ts', 'iam/arn.ts'],
  iam: [...DOMAIN, 'iam/policy', 'refused.ts'],
  sts: [...DOMAIN, 'iam/policy', 'refused.ts'],
  roles: [...DOMAIN, 'sql', 'engine/port.ts', 'refused.ts'],
  jobs: [...DOMAIN, 'engine/port.ts', 'refused.ts'],
  clusters: [...DOMAIN, 'iam/policy', 'engine/port.ts', 'refused.ts'],
  machine: [],
  state: ['audit', 'machine', 'refused.ts'],
  audit: ['iam/identity.ts', 'iam/source-address.ts', 'machine', 'state/sealer.ts', 'refused.ts'],
  attempts: ['audit', 'iam', 'iam/policy', 'roles', 'sigv4', 'pgwire', 'engine/port.ts', 'refused.ts'],
  access: [...DOMAIN, 'iam/policy', 'engine/port.ts', 'refused.ts'],
  traces: ['audit/log.ts', 'attempts'],
  'statement-log': ['audit/log.ts', 'machine', 'pgwire', 'sql'],
  metrics: ['audit', 'iam'],
  backup: ['machine', 'state'],
  tls: ['config/configuration-error.ts', 'machine'],
  gateway: ['statement-log', ...DOMAIN, ...PURE, 'engine/port.ts', 'refused.ts'],
  http: [...DOMAIN, ...PURE, 'refused.ts'],
  engine: ['audit', 'refused.ts'],
  'engine/embedded': ['engine/port.ts', 'audit', 'machine', 'refused.ts'],
  config: ['tls', 'transactions', 'clusters/names.ts'],
  declared: [
    ...DOMAIN,
    ...PURE,
    'config/configuration-error.ts',
    'engine/port.ts',
    'gateway/translate.ts',
    'refused.ts',
  ],
  cli: [
    'main.ts',
    'composition/seal-key.ts',
    'backup',
    'config',
    'access/report.ts',
    'attempts/report.ts',
    'clusters/names.ts',
    'iam/policy/explain.ts',
    'sigv4/presign.ts',
    'audit',
    'state/sealing.ts',
    'machine',
  ],
  composition: EVERYBODY,
  'main.ts': [...EVERYBODY, 'composition'],
  'refused.ts': [],
};

/** Modules that pure code may use: they calculate. PostgreSQL's parser is WebAssembly without any access. */
const PURE_MODULES = new Set(['node:crypto', 'node:net', 'libpg-query/wasm/libpg-query.js', '@pgsql/types']);

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !/\.test\.ts$|\/test(ing)?-[^/]*$|\.bench\.ts$/.test(path))
  .sort();

const isIn = (path: string, place: string) => path === place || path.startsWith(`${place}/`);

function placeOf(path: string): string {
  const places = Object.keys(MAY).filter((place) => isIn(path, place));
  return places.sort((a, b) => b.length - a.length)[0] ?? '';
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(SRC, path), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|import\('([^']+)'\)/gm)].map(
    (match) => (match[1] ?? match[2]) as string,
  );
}

describe('the structure of src/', () => {
  it('has a rule for every file', () => {
    expect(files.filter((path) => placeOf(path) === '')).toEqual([]);
  });

  it('lets imports go one way: fronts, domain, pure', () => {
    const wrong = files.flatMap((path) => {
      const place = placeOf(path);
      return importsOf(path)
        .filter((target) => target.startsWith('.') && target.endsWith('.ts'))
        .map((target) => relative(SRC, resolve(SRC, dirname(path), target)))
        .filter(
          (target) =>
            placeOf(target) !== place &&
            !MAY[place]?.some((allowed) => isIn(target, allowed) && placeOf(target) === placeOf(allowed)),
        )
        .map((target) => `${path} -> ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it('keeps clocks, networks, files and loggers out of pure code', () => {
    const pure = files.filter((path) => PURE.some((place) => isIn(path, place)));
    const impure = pure.flatMap((path) =>
      importsOf(path)
        .filter((target) => !target.startsWith('.') && !PURE_MODULES.has(target))
        .map((target) => `${path} -> ${target}`),
    );
    const clocks = pure.filter((path) =>
      /Date\.now\(|new Date\(\)|Math\.random|performance\.now|setTimeout|randomBytes/.test(
        readFileSync(join(SRC, path), 'utf8'),
      ),
    );
    expect([...impure, ...clocks]).toEqual([]);
  });

  it('names engines in the composition root only', () => {
    const naming = files.filter((path) => importsOf(path).some((target) => target.includes('engine/embedded/')));
    expect(naming).toEqual(['composition/data-directory.ts']);
  });
});
