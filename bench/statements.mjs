// Reading of statements on one core, without a network: what the dialect costs.
import { mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { calculations } from './calculations.mjs';

export async function measureStatements({ rounds }) {
  // Beside the packages, so that the parser's own file is found.
  const folder = mkdtempSync(fileURLToPath(new URL('../node_modules/.postern-bench-', import.meta.url)));
  try {
    const figure = await calculations('statements.ts', { folder, rounds, unit: ' µs', external: ['libpg-query'] });
    return [
      figure('a statement that was seen before, from its bytes on', 'known', { atMost: 3 }),
      figure('a short statement of which others with other numbers were seen', 'numbers', undefined),
      figure('a new short statement', 'short', { atMost: 40 }),
      figure('a new statement of 20 lines', 'long', undefined),
      figure('a new statement that is refused', 'refused', undefined),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
