import { rotateSealKey } from '../composition/seal-key.ts';
import { PLACE, readFlags, readPlace } from './flags.ts';
import { openLog } from './serve.ts';

/** `postern rotate-seal-key`: a new sealing key for the secrets of a data directory. Resolves to the exit status. */
export async function runRotateSealKey(argv: readonly string[]): Promise<number> {
  const options = readPlace(readFlags('rotate-seal-key', argv, PLACE).values);
  const { log } = openLog({ ...options, logLevel: 'warn' });
  const { count, kept } = await rotateSealKey({ options, env: process.env, log });
  const where =
    kept === 'file'
      ? 'The new key is in seal.key; the old one is gone.'
      : 'Start the server with the new key as POSTERN_SEAL_KEY from now on.';
  process.stdout.write(`${count} secrets are sealed under the new key. ${where}\n`);
  return 0;
}
