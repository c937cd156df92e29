import { DEFAULT_FILE } from './file.ts';
import { KEYS, kebab, ROWS } from './option-rows.ts';
import type { Command } from './options.ts';

/** The JSON Schema of the configuration file; `declare` is that of its contents of the account. */
export function configurationSchema(declare: object): object {
  const properties = KEYS.map((key) => {
    const { help, repeatable, schema = { type: 'string', minLength: 1 }, default: fallback } = ROWS[key];
    const value = repeatable ? { type: ['array', 'string'], items: schema } : schema;
    const known =
      fallback === undefined
        ? {}
        : { default: 'type' in schema && schema.type === 'integer' ? Number(fallback) : fallback };
    return [kebab(key), { description: help, ...value, ...known }];
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'postern.json',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(properties), declare },
    additionalProperties: false,
  };
}

/** The options of a command as lines of help. */
export function describeOptions(command: Command): string {
  const rows = KEYS.map((key) => {
    const row = ROWS[key];
    const fallback =
      command === 'exec' ? (key === 'dataDir' ? undefined : (row.execDefault ?? row.default)) : row.default;
    return [`  --${kebab(key)} ${row.value}`, `${row.help}${fallback === undefined ? '' : ` (${fallback})`}`] as const;
  });
  rows.push(['  --config FILE', `options as JSON (${DEFAULT_FILE}, where there is one)`]);
  const width = Math.min(34, Math.max(...rows.map(([flag]) => flag.length)));
  return rows
    .map(([flag, help]) =>
      flag.length > width ? `${flag}\n${' '.repeat(width + 2)}${help}` : `${flag.padEnd(width + 2)}${help}`,
    )
    .join('\n');
}
