// Decisions on one core, without a network: what each login and each call of the API asks.
import { calculations } from './calculations.mjs';

export async function measureDecisions({ folder, rounds }) {
  const figure = await calculations('decisions.ts', { folder, rounds, unit: ' µs' });
  return [
    figure('a session with 10 policies of 5 statements, all conditions asked: allowed', 'allowed', { atMost: 10 }),
    figure('the same, each time on another resource than before', 'elsewhere', { atMost: 10 }),
    figure('the same, an action that no statement is about: refused', 'refused', { atMost: 10 }),
    figure('the first one with its explanation', 'explained', undefined),
  ];
}
