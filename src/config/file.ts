import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigurationError } from './configuration-error.ts';
import { nearest } from './nearest.ts';
import { KEYS, kebab, type OptionKey, ROWS } from './option-rows.ts';

/** Files larger than this, in bytes, are no configuration. */
const MAX_FILE = 1024 * 1024;
/** Read where it is there and no other is named. */
export const DEFAULT_FILE = 'postern.json';

/** What the file says that the account contains. */
export interface Declared {
  /** How messages name the file. */
  file: string;
  /** What paths in it are relative to. */
  folder: string;
  content: unknown;
}

export interface ConfigurationFile {
  name: string;
  /** Whether there is one. */
  found: boolean;
  values: Map<OptionKey, string[]>;
  declared?: Declared;
}

/** Throws ConfigurationError for a file that was asked for and is not there, and for one that is wrong. */
export function readFile(asked: string | undefined, cwd: string): ConfigurationFile {
  const name = asked ?? DEFAULT_FILE;
  const values = new Map<OptionKey, string[]>();
  let text: string;
  try {
    text = readFileSync(resolve(cwd, name), 'utf8');
  } catch (error) {
    if (asked === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT')
      return { name, found: false, values };
    throw new ConfigurationError(`${asked === undefined ? name : `--config ${name}`}: ${(error as Error).message}`);
  }
  if (text.length > MAX_FILE) throw new ConfigurationError(`${name}: larger than ${MAX_FILE} bytes`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new ConfigurationError(`${name}: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigurationError(`${name}: must be a JSON object`);
  }
  let declared: Declared | undefined;
  for (const [field, value] of Object.entries(content)) {
    // For editors.
    if (field === '$schema') continue;
    if (field === 'declare') {
      declared = { file: name, folder: dirname(resolve(cwd, name)), content: value };
      continue;
    }
    const key = KEYS.find((candidate) => candidate === field || kebab(candidate) === field);
    if (!key) {
      const near = nearest(field, KEYS.map(kebab));
      throw new ConfigurationError(`${name}: ${field}: unknown option${near ? ` (did you mean ${near}?)` : ''}`);
    }
    const list = ROWS[key].repeatable && Array.isArray(value) ? value : [value];
    if (!list.every((item) => typeof item === 'string' || typeof item === 'number')) {
      throw new ConfigurationError(`${name}: ${field}: must be text or a number`);
    }
    // Which of the two counts would be a guess.
    if (values.has(key)) throw new ConfigurationError(`${name}: ${kebab(key)}: is given twice`);
    values.set(key, list.map(String));
  }
  return { name, found: true, values, ...(declared && { declared }) };
}
