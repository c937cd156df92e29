import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import { type Environment, FORMATS, type Format, formatEnvironment } from './environment.ts';
import { askOperator } from './operator.ts';

/** `postern env`: the environment of the server that runs on the data directory. Resolves to the exit status. */
export async function runEnv(argv: readonly string[]): Promise<number> {
  const [format, others] = takeFormat(argv);
  const { options } = readOptions('env', others, process.env, process.cwd());
  const environment = await askOperator<Environment>(options.dataDir as string, '/env');
  if (!environment) throw new Error('the server has no environment to give');
  process.stdout.write(formatEnvironment(environment, format));
  return 0;
}

function takeFormat(argv: readonly string[]): [Format, string[]] {
  const at = argv.findIndex((word) => word === '--format' || word.startsWith('--format='));
  if (at < 0) return ['shell', [...argv]];
  const word = argv[at] as string;
  const inline = word.startsWith('--format=');
  const format = inline ? word.slice('--format='.length) : argv[at + 1];
  if (!FORMATS.includes(format as Format)) {
    throw new ConfigurationError(`--format: ${JSON.stringify(format ?? '')} is none of ${FORMATS.join(', ')}`);
  }
  return [format as Format, [...argv.slice(0, at), ...argv.slice(at + (inline ? 1 : 2))]];
}
