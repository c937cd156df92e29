import { createInterface } from 'node:readline';
import type { Log } from '../../audit/log.ts';
import { createEmbeddedHost } from './host.ts';

/**
 * The launcher in a process of its own, for tests that kill it or run it as another user. One argument: JSON of the
 * host's folders and the engine's options. Prints one line of JSON when the server runs; stops it at the end of input.
 */
const { cacheFolder, runFolder, ...engine } = JSON.parse(process.argv[2]!);
const log: Log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [level, () => undefined]),
) as unknown as Log;
try {
  const { socketPath, pid, stop } = await createEmbeddedHost({ cacheFolder, runFolder, log }).start(engine);
  console.log(JSON.stringify({ socketPath, pid }));
  createInterface({ input: process.stdin }).on('close', () => stop());
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).message }));
}
