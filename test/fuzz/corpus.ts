import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * What earlier explorations have left, by target:
 *
 *     corpus/<target>/reached.json   inputs that reach something which the seeds do not
 *     corpus/<target>/found/<name>   inputs that once broke a promise, as bytes; never removed
 *
 * Texts have one character a byte (latin1).
 */

/** What is kept must stay small enough for every test run. */
const MAX_REACHED = 64;
const MAX_LENGTH = 1_024;

export function readReached(folder: string, target: string): string[] {
  const file = join(folder, target, 'reached.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : [];
}

export function writeReached(folder: string, target: string, inputs: readonly string[]): void {
  const kept = [...new Set(inputs)].filter((input) => input.length <= MAX_LENGTH).slice(0, MAX_REACHED);
  mkdirSync(join(folder, target), { recursive: true });
  // Every byte that is no printable ASCII is escaped, so that the file is a text for every program.
  const text = JSON.stringify(kept, undefined, 2).replace(
    /[^ -~\n]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  writeFileSync(join(folder, target, 'reached.json'), `${text}\n`);
}

export function readFound(folder: string, target: string): { name: string; input: string }[] {
  const found = join(folder, target, 'found');
  if (!existsSync(found)) return [];
  return readdirSync(found)
    .sort()
    .map((name) => ({ name, input: readFileSync(join(found, name), 'latin1') }));
}

/** The file's path. */
export function writeFound(folder: string, target: string, input: string): string {
  const bytes = Buffer.from(input, 'latin1');
  const path = join(folder, target, 'found', createHash('sha256').update(bytes).digest('hex').slice(0, 12));
  mkdirSync(join(folder, target, 'found'), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}
