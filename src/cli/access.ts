import { parseArgs } from 'node:util';
import { type AccessReview, isAtLeast, LEVELS, type Level } from '../access/report.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import { formatReview } from './access-table.ts';
import { askOperator } from './operator.ts';

/** In ms: many clusters may have to be woken, one after the other. */
const TIMEOUT = 300_000;

/** `postern access`: who can do what. Resolves to the exit status: 1 where a warning is as grave as was asked about. */
export async function runAccess(argv: readonly string[]): Promise<number> {
  const { dataDir, json, failOn, parameters } = readArguments(argv);
  let review: AccessReview;
  try {
    review = (await askOperator<AccessReview>(dataDir, '/access', parameters, TIMEOUT)) as AccessReview;
  } catch (error) {
    // 1 says something about a review, and there is none.
    throw new ConfigurationError((error as Error).message);
  }
  const text = json ? `${JSON.stringify(review, null, 2)}\n` : formatReview(review);
  // A pipe takes it piece by piece, and the process must not end before.
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
  return failOn !== undefined && review.warnings.some(({ level }) => isAtLeast(level, failOn)) ? 1 : 0;
}

interface Asked {
  dataDir: string;
  json: boolean;
  failOn: Level | undefined;
  parameters: Readonly<Record<string, string>>;
}

function readArguments(argv: readonly string[]): Asked {
  const { values, positionals } = parse(argv);
  if (positionals.length > 0) throw new ConfigurationError(`${positionals[0]}: unexpected argument`);
  const failOn = values['fail-on'];
  const level = LEVELS.find((each) => each === failOn);
  if (failOn !== undefined && level === undefined) {
    throw new ConfigurationError(`--fail-on: ${JSON.stringify(failOn)} is none of ${LEVELS.join(', ')}`);
  }
  const parameters: Record<string, string> = values['no-wake'] ? { wake: 'no' } : {};
  for (const name of ['cluster', 'principal', 'role'] as const) {
    const value = values[name];
    if (value === '') throw new ConfigurationError(`--${name}: is empty`);
    if (value !== undefined) parameters[name] = value;
  }
  const rest = (['data-dir', 'config'] as const).flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  const { options } = readOptions('env', rest, process.env, process.cwd());
  return { dataDir: options.dataDir as string, json: values.json ?? false, failOn: level, parameters };
}

function parse(argv: readonly string[]) {
  const option = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        cluster: option,
        principal: option,
        role: option,
        json: flag,
        'fail-on': option,
        'no-wake': flag,
        'data-dir': option,
        config: option,
      },
    });
  } catch (error) {
    throw new ConfigurationError(`access: ${(error as Error).message}`);
  }
}
