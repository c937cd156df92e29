import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/*
 * The lines of a server in a hosts file (hosts(5)), between two comments that name its data directory, so that each
 * server finds its own again. The rest of the file is somebody else's and stays as it is, byte for byte: texts here have
 * one char a byte (latin1).
 */

export const HOSTS_FILE = '/etc/hosts';

const begin = (owner: string) => `# BEGIN postern ${owner}`;
const end = (owner: string) => `# END postern ${owner}`;

/** `owner` as it stands in a comment: on one line, whatever the path is. */
function commentText(owner: string): string {
  return Buffer.from(owner.replace(/[\p{Cc}]/gu, '?'), 'utf8').toString('latin1');
}

interface Span {
  from: number;
  /** Behind the newline of the last line, where it has one. */
  to: number;
}

/** Where the owner's lines stand. Throws an Error where a beginning has no end. */
function findSpan(text: string, owner: string): Span | undefined {
  let at = 0;
  let from: number | undefined;
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const words = line.trimEnd();
    if (from === undefined && words === begin(owner)) from = at;
    else if (from !== undefined && words === end(owner)) return { from, to: at + line.length };
    at += line.length;
  }
  if (from !== undefined)
    throw new Error(`the line "${begin(owner)}" has no "${end(owner)}" behind it: repair it by hand`);
  return undefined;
}

/** The text without the owner's lines. Throws an Error where they cannot be told from the rest. */
export function withoutLines(text: string, dataDir: string): string {
  const owner = commentText(dataDir);
  let rest = text;
  for (let span = findSpan(rest, owner); span; span = findSpan(rest, owner)) {
    const last = !rest.slice(0, span.to).endsWith('\n');
    // The newline before was added with lines that end a file which had none at its end.
    rest = last ? rest.slice(0, span.from).replace(/\n$/, '') : rest.slice(0, span.from) + rest.slice(span.to);
  }
  return rest;
}

/** The text with these lines as the owner's: where the old ones stood, else at its end. Throws as `withoutLines` does. */
export function withLines(text: string, dataDir: string, lines: readonly string[]): string {
  const owner = commentText(dataDir);
  const block = [begin(owner), ...lines, end(owner)].join('\n');
  const span = findSpan(text, owner);
  if (!span) return text === '' ? `${block}\n` : text.endsWith('\n') ? `${text}${block}\n` : `${text}\n${block}`;
  const newline = text.slice(0, span.to).endsWith('\n') ? '\n' : '';
  return `${text.slice(0, span.from)}${block}${newline}${withoutLines(text.slice(span.to), dataDir)}`;
}

/**
 * Changes a file by `edit`, which gets and gives its bytes as latin1; a file that is not there is empty, and is made unless
 * it stays so. Resolves with whether anything had to be changed. Atomic wherever the file can be replaced: one that is
 * mounted by itself, as a container's /etc/hosts is, or has a second name, is written in place. Throws what `edit` throws,
 * and the system's errors.
 */
export async function editFile(path: string, edit: (text: string) => string): Promise<boolean> {
  const target = await realpath(path).catch(ignoring('ENOENT'));
  const before = target === undefined ? '' : await readFile(target, 'latin1');
  const after = edit(before);
  if (after === before) return false;
  if (!(await replaceFile(target ?? path, after))) await rewriteFile(target ?? path, after);
  return true;
}

/** What says that a file cannot be replaced, but may still be written to. */
const IRREPLACEABLE = new Set(['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS', 'EINVAL']);

async function replaceFile(path: string, text: string): Promise<boolean> {
  const facts = await stat(path).catch(ignoring('ENOENT'));
  if (facts && facts.nlink > 1) return false;
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  let file: FileHandle | undefined;
  try {
    file = await open(draft, 'wx', 0o600);
    await file.writeFile(text, 'latin1');
    if (facts && (facts.uid !== process.geteuid?.() || facts.gid !== process.getegid?.())) {
      await file.chown(facts.uid, facts.gid);
    }
    await file.chmod(facts ? facts.mode & 0o7777 : 0o644);
    await file.sync();
    await file.close();
    await rename(draft, path);
    return true;
  } catch (error) {
    await file?.close().catch(() => undefined);
    if (file) await rm(draft, { force: true });
    if (facts && IRREPLACEABLE.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** In one piece and never shorter than it was before all is written: who reads meanwhile misses at most what is new. */
async function rewriteFile(path: string, text: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const bytes = Buffer.from(text, 'latin1');
    let written = 0;
    while (written < bytes.length) {
      written += (await file.write(bytes, written, bytes.length - written, written)).bytesWritten;
    }
    await file.truncate(bytes.length);
    await file.sync();
  } finally {
    await file.close();
  }
}

function ignoring(code: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code !== code) throw error;
  };
}
