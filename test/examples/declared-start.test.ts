import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, postern } from '../harness/cli.ts';

afterAll(cleanUp);

describe('examples/declared-start', () => {
  it('does what its README says', async () => {
    const folder = fileURLToPath(new URL('../../examples/declared-start', import.meta.url));
    const run = await postern(['exec', '--', process.execPath, 'check.mjs'], { NODE_NO_WARNINGS: '1' }, folder);
    expect(run).toMatchObject({ status: 0, stdout: 'orders: apples, pears, plums\n' });
  });
});
