import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** For vitest: brings dist/ up to date, of which tests start programs and threads. */
export function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  execFileSync(process.execPath, ['build.mjs', '--if-stale'], { cwd: root, stdio: 'inherit' });
}
