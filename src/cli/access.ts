import { type AccessReview, isAtLeast, LEVELS, type Level } from '../access/report.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { formatReview } from './access-table.ts';
import { PLACE, readFlags, readPlace, SWITCH, TEXT } from './flags.ts';
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

const FLAGS = {
  cluster: TEXT,
  principal: TEXT,
  role: TEXT,
  json: SWITCH,
  'fail-on': TEXT,
  'no-wake': SWITCH,
  ...PLACE,
} as const;

function readArguments(argv: readonly string[]): Asked {
  const { values, positionals } = readFlags('access', argv, FLAGS, { allowPositionals: true });
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
  return { dataDir: readPlace(values).dataDir, json: values.json ?? false, failOn: level, parameters };
}
