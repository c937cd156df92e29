/** What another implementation answers: `@cloud-copilot/iam-simulate`. For the tests only; nothing of it is shipped. */
import { runSimulation, runUnsafeSimulation, type Simulation } from '@cloud-copilot/iam-simulate';
import type { Decision } from '../../src/iam/identity.ts';
import { ACCOUNT } from './tables.ts';

export interface OracleQuestion {
  principal: string;
  action: string;
  resource: string;
  context: Record<string, string[]>;
  identity: string[];
  boundary?: string[] | undefined;
  session?: string | undefined;
  resourcePolicy?: string | undefined;
}

const EFFECTS = {
  Allowed: 'allowed',
  ExplicitlyDenied: 'explicit-deny',
  ImplicitlyDenied: 'implicit-deny',
} as const satisfies Record<string, Decision['effect']>;

/**
 * `fails` where it gives up. Its checked way alone takes session and resource policies, and leaves out context keys that it
 * does not know of the action; the other way takes any key.
 */
export async function askOracle(question: OracleQuestion): Promise<Decision['effect'] | 'fails'> {
  const named = (text: string, i: number) => ({ name: `p${i}`, policy: JSON.parse(text) as unknown });
  const simulation: Simulation = {
    request: {
      principal: question.principal,
      action: question.action,
      resource: { resource: question.resource, accountId: ACCOUNT },
      contextVariables: contextFor(question.context),
    },
    identityPolicies: question.identity.map(named),
    // What an account without an organisation has.
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    ...(question.boundary && { permissionBoundaryPolicies: question.boundary.map(named) }),
    ...(question.session !== undefined && { sessionPolicy: JSON.parse(question.session) as unknown }),
    ...(question.resourcePolicy !== undefined && { resourcePolicy: JSON.parse(question.resourcePolicy) as unknown }),
  };
  try {
    if (question.session === undefined && question.resourcePolicy === undefined) {
      return EFFECTS[runUnsafeSimulation(simulation, {})];
    }
    const results = await runSimulation(simulation, {});
    return results.resultType === 'error' ? 'fails' : EFFECTS[results.overallResult];
  } catch {
    return 'fails';
  }
}

/** It tells keys of one value from keys of many by their form; a key without values is absent for us. */
function contextFor(context: Record<string, string[]>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(context)
      .filter(([, values]) => values.length > 0)
      .map(([key, values]) => [key, values.length === 1 ? values[0]! : values]),
  );
}
