// Verification of tokens on one core, without a network.
import { calculations } from './calculations.mjs';

export async function measureTokens({ folder, rounds }) {
  const figure = await calculations('tokens.ts', { folder, rounds, unit: '/s' });
  return [
    figure('token parsed and verified, 1 KB session token', 'signature', { atLeast: 30_000 }),
    figure('key found, token verified, policy decided: a user', 'user', { atLeast: 30_000 }),
    figure('the same: a role session, its token opened', 'session', undefined),
  ];
}
