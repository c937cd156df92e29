import { parseArgs } from 'node:util';
import { ConfigurationError } from './configuration-error.ts';
import { nearest } from './nearest.ts';
import { KEYS, kebab, ROWS } from './option-rows.ts';

const REPEATABLE: ReadonlySet<string> = new Set(KEYS.filter((key) => ROWS[key].repeatable).map(kebab));

/** The values of each flag, `config` included. Throws ConfigurationError for anything else. */
export function readFlags(argv: readonly string[]): Map<string, string[]> {
  const names = ['config', ...KEYS.map(kebab)];
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    strict: false,
    tokens: true,
  });
  const flags = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') throw new ConfigurationError(`${token.value}: unexpected argument`);
    if (token.kind !== 'option') continue;
    if (!names.includes(token.name)) {
      const near = nearest(token.name, names);
      throw new ConfigurationError(`${token.rawName}: unknown option${near ? ` (did you mean --${near}?)` : ''}`);
    }
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
      throw new ConfigurationError(`${token.rawName}: a value is missing`);
    }
    const before = flags.get(token.name) ?? [];
    if (before.length > 0 && !REPEATABLE.has(token.name)) throw new ConfigurationError(`${token.rawName}: given twice`);
    flags.set(token.name, [...before, token.value]);
  }
  return flags;
}
