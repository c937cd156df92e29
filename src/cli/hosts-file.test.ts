import {
  chmodSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { editFile, withLines, withoutLines } from './hosts-file.ts';

const OWNER = '/srv/.postern';
const LINES = ['127.0.0.1 a.example', '127.0.0.1 b.example'];
const BLOCK = `# BEGIN postern ${OWNER}\n127.0.0.1 a.example\n127.0.0.1 b.example\n# END postern ${OWNER}`;
const OTHER = '# BEGIN postern /else\n127.0.0.1 c.example\n# END postern /else\n';

describe('the lines of a server in a hosts file', () => {
  it.each([
    ['an empty file', ''],
    ['a file', '127.0.0.1 localhost\n'],
    ['a file without a newline at its end', '127.0.0.1 localhost'],
    ['a file with empty lines at its end', '127.0.0.1 localhost\n\n\n'],
    ['a file of another system', '127.0.0.1 localhost\r\n# x\r\n'],
    ['a file with bytes that are no text', '# \xff\xfe\x00 \xe4\n'],
    ['a file with the lines of another server', `127.0.0.1 localhost\n${OTHER}::1 localhost\n`],
  ])('are set, set again and removed, and leave %s as it was', (_, text) => {
    const set = withLines(text, OWNER, LINES);
    expect(set).toBe(text.endsWith('\n') || text === '' ? `${text}${BLOCK}\n` : `${text}\n${BLOCK}`);
    expect(withLines(set, OWNER, LINES)).toBe(set);
    expect(withoutLines(set, OWNER)).toBe(text);
    expect(withoutLines(text, OWNER)).toBe(text);
  });

  it('are exchanged where they stand', () => {
    const text = `# first\n${BLOCK}\n# last\n`;
    const set = withLines(text, OWNER, ['::1 d.example']);
    expect(set).toBe(`# first\n# BEGIN postern ${OWNER}\n::1 d.example\n# END postern ${OWNER}\n# last\n`);
    expect(withoutLines(set, OWNER)).toBe('# first\n# last\n');
  });

  it('are found again in a file whose line ends somebody has changed', () => {
    const text = `# first\r\n${BLOCK.replaceAll('\n', '\r\n')}\r\n# last\r\n`;
    expect(withoutLines(text, OWNER)).toBe('# first\r\n# last\r\n');
  });

  it('are there once, also where somebody has copied them', () => {
    const text = `${BLOCK}\n# middle\n${BLOCK}\n`;
    expect(withLines(text, OWNER, LINES)).toBe(`${BLOCK}\n# middle\n`);
    expect(withoutLines(text, OWNER)).toBe('# middle\n');
  });

  it('are not guessed at where their end is missing', () => {
    const text = `# BEGIN postern ${OWNER}\n127.0.0.1 a.example\n10.0.0.1 printer\n`;
    expect(() => withLines(text, OWNER, LINES)).toThrow(/has no "# END postern/);
    expect(() => withoutLines(text, OWNER)).toThrow(/repair it by hand/);
  });

  it('name any data directory on one line', () => {
    const owner = '/srv/\nGrüße';
    const set = withLines('', owner, []);
    expect(set.split('\n')).toHaveLength(3);
    expect(withoutLines(set, owner)).toBe('');
  });
});

describe('editing a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-hosts-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const add = (text: string) => `${text}more\n`;

  it('replaces it with the same mode, and leaves nothing else behind', async () => {
    const path = join(folder, 'plain');
    writeFileSync(path, '\xff\n', 'latin1');
    chmodSync(path, 0o640);
    const { ino } = statSync(path);
    expect(await editFile(path, add)).toBe(true);
    expect(readFileSync(path, 'latin1')).toBe('\xff\nmore\n');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(statSync(path).ino).not.toBe(ino);
    expect(readdirSync(folder)).toEqual(['plain']);
  });

  it('does not touch it where nothing changes', async () => {
    const path = join(folder, 'same');
    writeFileSync(path, 'x');
    const { ino, mtimeMs } = statSync(path);
    expect(await editFile(path, (text) => text)).toBe(false);
    expect(statSync(path)).toMatchObject({ ino, mtimeMs });
  });

  it('makes one that is missing, but not an empty one', async () => {
    expect(await editFile(join(folder, 'new'), add)).toBe(true);
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o644);
    expect(await editFile(join(folder, 'none'), (text) => text)).toBe(false);
    expect(readdirSync(folder)).not.toContain('none');
  });

  it('goes through a symbolic link to the file', async () => {
    writeFileSync(join(folder, 'target'), '');
    symlinkSync('target', join(folder, 'link'));
    await editFile(join(folder, 'link'), add);
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('more\n');
  });

  it('writes one that must stay the same file in place, and may make it shorter', async () => {
    const path = join(folder, 'linked');
    writeFileSync(path, 'a long text\n');
    linkSync(path, join(folder, 'second'));
    await editFile(path, () => 'short\n');
    expect(readFileSync(join(folder, 'second'), 'utf8')).toBe('short\n');
  });

  it.skipIf(process.getuid?.() === 0)('writes one in a folder that it may not change in place', async () => {
    const closed = mkdtempSync(join(folder, 'closed-'));
    writeFileSync(join(closed, 'file'), '');
    chmodSync(closed, 0o500);
    try {
      expect(await editFile(join(closed, 'file'), add)).toBe(true);
      expect(readFileSync(join(closed, 'file'), 'utf8')).toBe('more\n');
    } finally {
      chmodSync(closed, 0o700);
    }
  });

  it('tells the system’s error where it may not write at all', async () => {
    await expect(editFile(join(folder, 'no', 'folder'), add)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
