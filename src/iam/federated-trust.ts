import type { RoleRecord } from '../state/records.ts';
import type { AccessRequest, Decision, FederatedPrincipal } from './identity.ts';

/**
 * What a role's trust policy says to somebody whom an OpenID Connect provider vouches for. Conditions are read only as
 * far as StringEquals goes; what is not read allows nothing, and a Deny counts whatever its conditions.
 */
export function decideFederated(
  role: Readonly<RoleRecord> | undefined,
  federated: FederatedPrincipal,
  request: AccessRequest,
): Decision {
  if (!role) return denied('implicit-deny', `there is no role ${request.resource}`);
  let statements: Statement[];
  try {
    const { Statement } = JSON.parse(role.trustPolicy) as { Statement?: Statement | Statement[] };
    statements = list(Statement);
  } catch {
    return denied('implicit-deny', 'the trust policy cannot be read');
  }
  const context = { ...request.context, ...federated.claims, 'aws:federatedprovider': [federated.provider] };
  let allowed = false;
  for (const statement of statements) {
    if (!list(statement.Action).some((action) => action === request.action || action === 'sts:*')) continue;
    const { Principal } = statement;
    const names = typeof Principal === 'object' ? list(Principal.Federated) : [];
    if (Principal !== '*' && !names.includes(federated.provider)) continue;
    if (statement.Effect !== 'Allow') return denied('explicit-deny', 'the trust policy denies it');
    allowed ||= names.includes(federated.provider) && holds(statement.Condition ?? {}, context);
  }
  if (!allowed) return denied('implicit-deny', `no statement of the trust policy allows it to ${federated.provider}`);
  return { allowed: true, effect: 'allowed', because: 'the trust policy allows it', matched: [] };
}

interface Statement {
  Effect?: string;
  Action?: string | string[];
  Principal?: string | { Federated?: string | string[] };
  Condition?: Record<string, Record<string, string | string[]>>;
}

function holds(condition: NonNullable<Statement['Condition']>, context: AccessRequest['context']): boolean {
  return Object.entries(condition).every(
    ([operator, keys]) =>
      operator === 'StringEquals' &&
      Object.entries(keys).every(([key, wanted]) =>
        (context[key.toLowerCase()] ?? []).some((value) => list(wanted).includes(value)),
      ),
  );
}

function list<T>(value: T | T[] | undefined): T[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function denied(effect: 'explicit-deny' | 'implicit-deny', because: string): Decision {
  return { allowed: false, effect, because, matched: [] };
}
