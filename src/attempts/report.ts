import type { PolicyExplanation } from '../iam/policy/explain.ts';
import type { ErrorFields } from '../pgwire/messages.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import { advice } from './advice.ts';
import type { Attempt } from './attempt.ts';
import { presentStep, STEPS, type Step } from './steps.ts';

/** An attempt told step by step, as `postern why` prints it. JSON all through. */
export interface Report {
  /** Undefined for a question without a connection. */
  connectionId: string | undefined;
  at: string;
  sourceAddress: string | undefined;
  outcome: 'accepted' | 'refused' | 'abandoned' | 'failed' | 'in progress';
  steps: readonly StepReport[];
  /** What the client was told; undefined when it was let in. */
  told: { sqlstate: string; message: string; hint: string | undefined } | undefined;
  /** The one thing to change; undefined when there is nothing to. */
  change: string | undefined;
}

export interface StepReport {
  step: Step;
  outcome: 'passed' | 'failed' | 'under way' | 'not reached' | 'not asked';
  text: string;
  /** Of the step `policy`. */
  policies?: readonly PolicyExplanation[];
}

/** Steps that a question without a connection leaves out. */
export const UNASKED: ReadonlySet<Step> = new Set([
  'encryption',
  'startup',
  'token',
  'action',
  'signature',
  'region',
  'time',
  'host',
  'session',
]);

/** `told` is the error that the client got for a refusal. */
export function report(
  attempt: Attempt,
  told: ErrorFields | undefined,
  unasked: ReadonlySet<Step> = new Set(),
): Report {
  const { end } = attempt;
  const outcome = end?.outcome ?? 'in progress';
  const present = presentStep(attempt);
  const at = present === undefined ? STEPS.length : STEPS.indexOf(present);
  return {
    connectionId: attempt.connectionId === '' ? undefined : attempt.connectionId,
    at: attempt.at.toISOString(),
    sourceAddress: attempt.sourceAddress === '' ? undefined : attempt.sourceAddress,
    outcome,
    steps: STEPS.map((step, index): StepReport => {
      if (unasked.has(step)) return { step, outcome: 'not asked', text: '' };
      if (index > at) return { step, outcome: 'not reached', text: '' };
      const policies = step === 'policy' && attempt.decision ? attempt.decision.explain().policies : undefined;
      return {
        step,
        outcome: index < at ? 'passed' : end ? 'failed' : 'under way',
        text: index < at ? TELL[step](attempt) : endingOf(attempt),
        ...(policies && { policies }),
      };
    }),
    told: told && outcome === 'refused' ? { sqlstate: told.code, message: told.message, hint: told.hint } : undefined,
    change: advice(attempt),
  };
}

function endingOf(attempt: Attempt): string {
  const { end } = attempt;
  if (end === undefined || end.outcome === 'accepted') return '';
  return end.outcome === 'refused' ? end.why.detail : end.reason;
}

/** What a step has found, where it was passed. */
const TELL: Readonly<Record<Step, (attempt: Attempt) => string>> = {
  encryption: ({ encryption }) =>
    `${encryption?.protocol}, ${encryption?.serverName === undefined ? 'no server name' : `server name ${encryption.serverName}`}`,
  startup: ({ request }) => `user ${request?.user}, database ${request?.database}`,
  cluster: ({ cluster }) => `${cluster?.arn}`,
  token: ({ token }) =>
    token
      ? `${token.action} for ${token.host} in ${token.region}, made ${token.signedAt.toISOString()} for ${token.expiresIn} s`
      : '',
  action: ({ request, token }) => `user ${request?.user} may be asked for with ${token?.action}`,
  key: ({ token, keyOwner }) =>
    token
      ? `${token.accessKeyId}${token.hasSessionToken ? ', with its session token,' : ''} is a key of ${keyOwner}`
      : `${keyOwner}`,
  signature: () => 'the signature is the key’s own',
  region: ({ token }) => `${token?.region}`,
  time: ({ token, judgedAt }) =>
    token && judgedAt
      ? `at ${judgedAt.toISOString()}, good until ${new Date(token.signedAt.getTime() + token.expiresIn * 1000).toISOString()}`
      : '',
  host: ({ token, cluster }) => `${token?.host} is a name of cluster ${cluster?.id}`,
  policy: ({ decision }) => decision?.because ?? '',
  role: ({ request, identity }) =>
    request?.user === ADMIN_ROLE
      ? 'admin needs no mapping'
      : `${request?.user} is there, may log in, and is associated with ${identity?.principalArn}`,
  session: ({ request }) => `opened in PostgreSQL as ${request?.user}`,
};
