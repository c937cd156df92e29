import type { Iam } from '../../iam/iam.ts';
import { simulateCustomPolicy, simulatePrincipalPolicy } from '../../iam/simulation.ts';
import { SIMULATE_CUSTOM_POLICY, SIMULATE_PRINCIPAL_POLICY } from '../../iam/simulation-input.ts';
import { type Operations, operation } from '../operation.ts';
import { need } from './iam-needs.ts';

/** Who may simulate a principal's policies learns what they say, so it is asked on that principal. */
export function simulationOperations(iam: Iam): Operations {
  return {
    SimulateCustomPolicy: operation(
      SIMULATE_CUSTOM_POLICY,
      () => [need('SimulateCustomPolicy', '*')],
      (input) => simulateCustomPolicy(iam, input),
    ),
    SimulatePrincipalPolicy: operation(
      SIMULATE_PRINCIPAL_POLICY,
      (input) => [need('SimulatePrincipalPolicy', input.PolicySourceArn)],
      (input) => simulatePrincipalPolicy(iam, input),
    ),
  };
}
