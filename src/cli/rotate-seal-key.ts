import { parseArgs } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import { rotateSealKey } from '../main.ts';
import { openLog } from './serve.ts';

/** `postern rotate-seal-key`: a new sealing key for the secrets of a data directory. Resolves to the exit status. */
export async function runRotateSealKey(argv: readonly string[]): Promise<number> {
  let given: { 'data-dir'?: string | undefined; config?: string | undefined };
  try {
    const option = { type: 'string' } as const;
    given = parseArgs({ args: [...argv], options: { 'data-dir': option, config: option } }).values;
  } catch (error) {
    throw new ConfigurationError(`rotate-seal-key: ${(error as Error).message}`);
  }
  const flags = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  const { options } = readOptions('env', flags, process.env, process.cwd());
  const dataDir = options.dataDir as string;
  const log = openLog({ ...options, logLevel: 'warn' });
  const { count, kept } = await rotateSealKey({ options: { ...options, dataDir }, env: process.env, log });
  const where =
    kept === 'file'
      ? 'The new key is in seal.key; the old one is gone.'
      : 'Start the server with the new key as POSTERN_SEAL_KEY from now on.';
  process.stdout.write(`${count} secrets are sealed under the new key. ${where}\n`);
  return 0;
}
