import { parsePolicyArn } from './arn.ts';
import type { Decision, PolicyKind } from './identity.ts';
import type { Caller } from './policy/caller.ts';
import type { CompiledPolicy } from './policy/compile.ts';
import type { Context } from './policy/context.ts';
import type { Effect, Span } from './policy/document.ts';
import { evaluate, type PolicySet } from './policy/evaluate.ts';
import { type Position, positionsIn } from './policy/position.ts';

/** What is simulated, but for the action and the resource. */
export interface Simulation {
  identity: readonly CompiledPolicy[];
  boundary: readonly CompiledPolicy[] | undefined;
  /** As if it stood on every resource. */
  resourcePolicy: CompiledPolicy | undefined;
  /** The account of resources whose ARN does not name one. */
  owner: string;
  caller: Caller & { account: string };
  context: Context;
  /** Keys of the context in lower case, those without values too. */
  given: ReadonlySet<string>;
}

/** One action on one resource: the answer in the members that the results of IAM have. */
export interface Simulated {
  effect: Decision['effect'];
  MatchedStatements: readonly MatchedStatement[];
  MissingContextValues: readonly string[];
  /** What each kind of policy says by itself; only where caller and resource are of two accounts. */
  EvalDecisionDetails: ReadonlyMap<string, EvalDecision> | undefined;
  /** Only where there is a permissions boundary. */
  PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: boolean } | undefined;
}

export const EVAL_DECISION = {
  allowed: 'allowed',
  'explicit-deny': 'explicitDeny',
  'implicit-deny': 'implicitDeny',
} as const satisfies Record<Decision['effect'], string>;

export type EvalDecision = (typeof EVAL_DECISION)[Decision['effect']];

interface MatchedStatement {
  SourcePolicyId: string;
  SourcePolicyType: 'user' | 'group' | 'role' | 'aws-managed' | 'user-managed' | 'resource' | 'none';
  StartPosition: Position;
  EndPosition: Position;
}

/** What is not heard limits nothing and denies nothing. */
const NOTHING: PolicySet = { identity: 'everything', boundary: undefined, session: undefined, resource: undefined };

export function simulateDecision(simulation: Simulation, action: string, resource: string): Simulated {
  const { identity, boundary, resourcePolicy, caller, context } = simulation;
  const hear = (set: Partial<PolicySet>): Heard => ({
    decision: evaluate({ ...NOTHING, ...set }, { action, resource, caller, context }),
    policies: [
      ...(Array.isArray(set.identity) ? set.identity : []),
      ...(set.boundary ?? []),
      ...(set.resource ? [set.resource.policy] : []),
    ],
  });
  const limit = boundary && hear({ boundary });
  const answer = (heard: readonly Heard[], details?: Simulated['EvalDecisionDetails']): Simulated => {
    const effect = worst(heard.map(({ decision }) => decision.effect));
    return {
      effect,
      MatchedStatements: matchedStatements(heard, effect === 'explicit-deny' ? 'Deny' : 'Allow'),
      MissingContextValues: missingKeys(heard, simulation.given),
      EvalDecisionDetails: details,
      PermissionsBoundaryDecisionDetail: limit && { AllowedByPermissionsBoundary: limit.decision.allowed },
    };
  };
  const from = (kind: 'resource' | 'trust') => resourcePolicy && { kind, policy: resourcePolicy, ids: undefined };
  if (!resourcePolicy || ownerOf(resource, simulation.owner) === caller.account) {
    return answer([hear({ identity, boundary, resource: from('resource') })]);
  }
  // Over accounts each side must allow by itself (IAM User Guide, "Cross-account policy evaluation logic"). `trust` is the
  // kind of policy whose word is needed.
  const own = hear({ identity });
  const theirs = hear({ resource: from('trust') });
  const details = new Map<string, EvalDecision>([
    ['IAM Policy', EVAL_DECISION[own.decision.effect]],
    ['Resource Policy', EVAL_DECISION[theirs.decision.effect]],
  ]);
  if (limit) details.set('Permissions Boundary Policy', EVAL_DECISION[limit.decision.effect]);
  return answer(limit ? [own, theirs, limit] : [own, theirs], details);
}

/** A decision by some of the policies, and these, in the order of its explanation. */
interface Heard {
  decision: Decision;
  policies: readonly CompiledPolicy[];
}

/** Those with the effect. That a boundary allows decides nothing, so its Allow is not among them. */
function matchedStatements(heard: readonly Heard[], effect: Effect): MatchedStatement[] {
  const found: MatchedStatement[] = [];
  for (const { decision, policies } of heard) {
    for (const [index, { kind, statements }] of decision.explain().policies.entries()) {
      if (kind === 'boundary' && effect === 'Allow') continue;
      const policy = policies[index]!;
      for (const statement of statements) {
        if (statement.matched && statement.effect === effect) {
          found.push({ ...sourceOf(kind, policy), ...placeOf(policy, statement.span) });
        }
      }
    }
  }
  return found;
}

const INLINE = /^(user|group|role) (.+)$/;

function sourceOf(
  kind: PolicyKind,
  { name, origin }: CompiledPolicy,
): Pick<MatchedStatement, 'SourcePolicyId' | 'SourcePolicyType'> {
  if (kind === 'resource' || kind === 'trust')
    return { SourcePolicyId: 'ResourcePolicy', SourcePolicyType: 'resource' };
  const [, type, holder] = INLINE.exec(origin) ?? [];
  if (type !== undefined) {
    return { SourcePolicyId: `${type}_${holder}_${name}`, SourcePolicyType: type as 'user' | 'group' | 'role' };
  }
  if (origin === '') return { SourcePolicyId: name, SourcePolicyType: 'none' };
  const owner = parsePolicyArn(origin)?.owner;
  return { SourcePolicyId: name, SourcePolicyType: owner === 'aws' ? 'aws-managed' : 'user-managed' };
}

const positions = new WeakMap<CompiledPolicy, ReturnType<typeof positionsIn>>();

function placeOf(policy: CompiledPolicy, { start, end }: Span) {
  let position = positions.get(policy);
  if (!position) {
    position = positionsIn(policy.text);
    positions.set(policy, position);
  }
  return { StartPosition: position(start), EndPosition: position(end) };
}

/** Each once, as it was written where it was met first. */
function missingKeys(heard: readonly Heard[], given: ReadonlySet<string>): string[] {
  const missing = new Map<string, string>();
  for (const { decision } of heard) {
    for (const key of decision.explain().absentKeys) {
      const lower = key.toLowerCase();
      if (!given.has(lower) && !missing.has(lower)) missing.set(lower, key);
    }
  }
  return [...missing.values()];
}

/** A Deny wins, and what one does not allow is not allowed. */
export function worst(effects: readonly Decision['effect'][]): Decision['effect'] {
  if (effects.includes('explicit-deny')) return 'explicit-deny';
  return effects.every((effect) => effect === 'allowed') ? 'allowed' : 'implicit-deny';
}

function ownerOf(resource: string, owner: string): string {
  const account = resource.split(':', 5)[4] ?? '';
  return /^\d{12}$/.test(account) ? account : owner;
}
