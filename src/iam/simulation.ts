import { setImmediate } from 'node:timers/promises';
import { Refused } from '../refused.ts';
import { type Iam, invalidInput } from './iam.ts';
import type { InputOf } from './input.ts';
import { page } from './page.ts';
import { boundaryOf, identityPolicies, UnusablePolicy } from './policies-of.ts';
import { type CompiledPolicy, compileIdentityPolicy, compileResourcePolicy } from './policy/compile.ts';
import { parseIdentityPolicy, parseResourcePolicy } from './policy/parse.ts';
import { findPolicySource, givenPolicy } from './policy-source.ts';
import { EVAL_DECISION, type Simulated, type Simulation, simulateDecision, worst } from './simulated-decision.ts';
import {
  readContext,
  readParties,
  readQuestions,
  type SIMULATE_CUSTOM_POLICY,
  type SIMULATE_PRINCIPAL_POLICY,
  type SimulationInput,
} from './simulation-input.ts';

/*
 * IAM API Reference, SimulateCustomPolicy and SimulatePrincipalPolicy. Nothing is taken from the call itself, and of the
 * resources nothing is looked up: neither their policies nor their tags.
 */

/** Throws Refused `invalid-input`, or `validation` for a foreign marker. */
export async function simulateCustomPolicy(iam: Iam, input: InputOf<typeof SIMULATE_CUSTOM_POLICY>) {
  return simulate(iam, input, {
    identity: given(input.PolicyInputList, 'PolicyInputList'),
    boundary: givenBoundary(input),
    user: undefined,
  });
}

/**
 * Of a user with its groups, of a group or of a role. Throws Refused `invalid-input`, `no-such-entity`, `validation`, or
 * `policy-evaluation` where a policy of theirs cannot be read.
 */
export async function simulatePrincipalPolicy(iam: Iam, input: InputOf<typeof SIMULATE_PRINCIPAL_POLICY>) {
  const { PolicySourceArn: arn, PolicyInputList } = input;
  const source = findPolicySource(iam, arn);
  const boundary = givenBoundary(input);
  return simulate(iam, input, {
    // A policy may be attached to a user and to its groups.
    identity: [
      ...new Set(usable(() => identityPolicies(iam.store, source))),
      ...given(PolicyInputList ?? [], 'PolicyInputList'),
    ],
    boundary: boundary ?? ('boundary' in source ? usable(() => boundaryOf(iam.store, source)) : undefined),
    user: 'groups' in source ? arn : undefined,
  });
}

function given(documents: readonly string[], list: string): CompiledPolicy[] {
  return documents.map((text, index) =>
    compileIdentityPolicy(`${list}.${index + 1}`, givenPolicy(parseIdentityPolicy, text)),
  );
}

function givenBoundary({ PermissionsBoundaryPolicyInputList: list = [] }: SimulationInput) {
  if (list.length > 1) throw invalidInput('The list of Permissions Boundary policies cannot exceed 1 items.');
  return list.length === 0 ? undefined : given(list, 'PermissionsBoundaryPolicyInputList');
}

function usable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UnusablePolicy)) throw error;
    throw new Refused('policy-evaluation', {
      say: `A policy cannot be evaluated: ${error.message}.`,
      detail: error.message,
    });
  }
}

/**
 * Steps that matching may take for one answer: the characters of all policies times those of what they are held against.
 * Less than half a second, in which nobody else is served; the largest request would take hours.
 */
const MAX_STEPS = 2 ** 26;
/** What one page may hold and take. IAM too may give fewer results than were asked for. */
const MAX_STATEMENTS = 20_000;
const PAGE_MS = 1000;
/** A page has one result at least, which may take longer. */
const RESULT_MS = 5000;

interface Policies extends Pick<Simulation, 'identity' | 'boundary'> {
  /** ARN of the user who has them, if it is one. */
  user: string | undefined;
}

async function simulate(iam: Iam, input: SimulationInput, { identity, boundary, user }: Policies) {
  const { actions, resources } = readQuestions(input);
  const { caller, owner } = readParties(iam, input, user);
  const { context, given, length } = readContext(input);
  const resourcePolicy =
    input.ResourcePolicy === undefined
      ? undefined
      : compileResourcePolicy(givenPolicy(parseResourcePolicy, input.ResourcePolicy));
  const arn = caller?.arn ?? '';
  const simulation: Simulation = {
    identity,
    boundary,
    resourcePolicy,
    owner,
    caller: {
      kind: 'user',
      account: caller?.account ?? iam.account,
      arn,
      principalArn: arn,
      // Whoever is simulated exists, and is known by the ARN.
      entityId: arn,
      bounded: boundary !== undefined,
    },
    context,
    given,
  };
  checkWork(simulation, actions, resources ?? ['*'], length);
  checkApplies(simulation, resources ?? ['*']);
  return pageOf(iam, input, simulation, actions, resources);
}

function checkWork(
  { identity, boundary = [], resourcePolicy }: Simulation,
  actions: readonly string[],
  resources: readonly string[],
  context: number,
): void {
  const policies = [...identity, ...boundary, ...(resourcePolicy ? [resourcePolicy] : [])];
  const patterns = policies.reduce((sum, { text }) => sum + text.length, 0);
  const longest = (texts: readonly string[]) => texts.reduce((most, { length }) => Math.max(most, length), 0);
  if (patterns * (longest(actions) + longest(resources) + context) > MAX_STEPS) {
    throw invalidInput('The policies, the resources and the context are too large together.');
  }
}

function checkApplies({ resourcePolicy, context }: Simulation, resources: readonly string[]): void {
  if (!resourcePolicy) return;
  const { statements } = resourcePolicy;
  for (const resource of resources) {
    if (statements.some((statement) => statement.resource(resource, context))) continue;
    throw invalidInput(`The resource policy does not apply to the resource ${resource}.`);
  }
}

/** One result for each action. What is asked next waits for other requests, which must not wait for a whole page. */
async function pageOf(
  iam: Iam,
  input: SimulationInput,
  simulation: Simulation,
  actions: readonly string[],
  resources: readonly string[] | undefined,
) {
  const numbered = actions.map((action, index) => ({ action, key: String(index).padStart(4, '0') }));
  const cut = (paging: SimulationInput) => page(numbered, ({ key }) => key, paging);
  const started = iam.now().getTime();
  const results: object[] = [];
  let matched = 0;
  next: for (const { action } of cut(input).items) {
    const answers: Simulated[] = [];
    for (const resource of resources ?? ['*']) {
      const spent = iam.now().getTime() - started;
      if (results.length > 0 && (spent > PAGE_MS || matched > MAX_STATEMENTS)) break next;
      if (spent > RESULT_MS || matched > MAX_STATEMENTS) {
        throw invalidInput('The simulation is too large. Ask about fewer resources at a time.');
      }
      const answer = simulateDecision(simulation, action, resource);
      matched += answer.MatchedStatements.length;
      answers.push(answer);
      await setImmediate();
    }
    results.push(resources ? onResources(action, resources, answers) : onEverything(action, answers[0]!));
  }
  const { IsTruncated, Marker } = cut(results.length === 0 ? input : { ...input, MaxItems: results.length });
  return { EvaluationResults: results, IsTruncated, Marker };
}

function onEverything(action: string, { effect, ...facts }: Simulated) {
  return { EvalActionName: action, EvalResourceName: '*', EvalDecision: EVAL_DECISION[effect], ...facts };
}

/**
 * Of one resource, the result and that of the resource are the same, but for the missing context values, which stand with
 * the resource. Of several, the result says what holds for all of them.
 */
function onResources(action: string, resources: readonly string[], answers: readonly Simulated[]) {
  const only = answers.length === 1 ? answers[0] : undefined;
  return {
    EvalActionName: action,
    EvalResourceName: only ? resources[0] : '*',
    EvalDecision: EVAL_DECISION[worst(answers.map(({ effect }) => effect))],
    MatchedStatements: only?.MatchedStatements ?? [],
    MissingContextValues: [],
    EvalDecisionDetails: only?.EvalDecisionDetails ?? new Map(),
    PermissionsBoundaryDecisionDetail: answers[0]!.PermissionsBoundaryDecisionDetail && {
      AllowedByPermissionsBoundary: answers.every(
        ({ PermissionsBoundaryDecisionDetail: limit }) => limit?.AllowedByPermissionsBoundary,
      ),
    },
    ResourceSpecificResults: answers.map(({ effect, ...facts }, index) => ({
      EvalResourceName: resources[index],
      EvalResourceDecision: EVAL_DECISION[effect],
      ...facts,
    })),
  };
}
