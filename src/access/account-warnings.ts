import { clusterArn } from '../clusters/names.ts';
import { boundaryOf, identityPolicies, UnusablePolicy } from '../iam/policies-of.ts';
import type { CompiledPolicy, CompiledStatement } from '../iam/policy/compile.ts';
import { ADMIN_ROLE } from '../roles/catalog-sql.ts';
import type { Store } from '../state/store.ts';
import type { Party } from './parties.ts';
import { type ClusterAccess, type Warning, warning } from './report.ts';

/** Of the policies of users and roles, and of who may become a role. */
export function accountWarnings(
  store: Pick<Store, 'get'>,
  account: string,
  parties: readonly Party[],
  clusters: readonly ClusterAccess[],
): Warning[] {
  const warnings: Warning[] = [];
  const holders = new Map<CompiledPolicy, string[]>();
  const admins = new Set(
    clusters.flatMap(({ logins }) =>
      logins.flatMap(({ role, principal, answer }) => (role === ADMIN_ROLE && answer !== 'denied' ? principal : [])),
    ),
  );
  for (const { holder, facts, openTrust } of parties) {
    if (!holder || facts.kind === 'role-session') continue;
    const { arn } = facts;
    const about = { principals: [arn] };
    for (const { statement, to } of openTrust) {
      const text = `The trust policy of role ${holder.name} lets ${to} become it: statement ${statement} has no condition.`;
      const change = `Name the principals in statement ${statement}, or give it a condition.`;
      warnings.push(warning('open-trust', text, change, about));
    }
    let policies: readonly CompiledPolicy[] = [];
    try {
      policies = identityPolicies(store, holder);
      boundaryOf(store, holder);
    } catch (error) {
      if (!(error instanceof UnusablePolicy)) throw error;
      const text = `${arn} is denied everything: ${error.message}.`;
      warnings.push(warning('unusable-policy', text, error.needed, about));
    }
    for (const policy of new Set(policies)) holders.set(policy, [...(holders.get(policy) ?? []), arn]);
    const wide = policies.find(({ statements }) => statements.some(isEverything));
    if (wide && admins.has(arn)) {
      const text = `${arn} may do everything by ${policyText(wide)}, and so is admin of databases.`;
      const change = `Give ${arn} the actions that it needs, without dsql:DbConnectAdmin.`;
      warnings.push(warning('wide-policy-admin', text, change, about, facts.kind === 'user' ? 'medium' : 'low'));
    }
  }
  const probes = probesIn(clusters, account);
  for (const [policy, principals] of holders) {
    for (const statement of policy.statements) {
      if (!isWildcard(statement, probes)) continue;
      const who = principals.length === 1 ? principals[0] : `${principals.length} principals`;
      warnings.push(
        warning(
          'wildcard-resource',
          `Statement ${statement.name} of ${policyText(policy)} lets ${who} connect to every cluster, also to those that will be made.`,
          policy.origin.startsWith('arn:aws:iam::aws:')
            ? 'Attach a policy of your own that names the clusters.'
            : 'Name the ARNs of the clusters as Resource.',
          { principals },
        ),
      );
    }
  }
  return warnings;
}

function isEverything({ effect, source, conditions }: CompiledStatement): boolean {
  const { actions, resources } = source;
  if (effect !== 'Allow' || conditions.length > 0 || actions.negated || resources?.negated) return false;
  return actions.patterns.some(isStar) && (resources?.patterns ?? []).includes('*');
}

function isStar(action: string): boolean {
  return action === '*' || action === '*:*';
}

/** ARNs of clusters that are not there: what names them too names all. */
function probesIn(clusters: readonly ClusterAccess[], account: string): string[] {
  return [...new Set(clusters.map(({ region }) => region))].flatMap((region) =>
    ['0', 'z'].map((letter) => clusterArn(letter.repeat(26), { region, account })),
  );
}

/** A plain statement about everything is told by what it leads to. Clusters can be chosen by their tags, too. */
function isWildcard(statement: CompiledStatement, probes: readonly string[]): boolean {
  const { effect, action, resource, conditions } = statement;
  if (effect !== 'Allow' || isEverything(statement)) return false;
  if (!action('dsql:dbconnect') && !action('dsql:dbconnectadmin')) return false;
  if (conditions.some(({ condition }) => /^aws:ResourceTag\//i.test(condition.key))) return false;
  const matched = probes.filter((probe) => resource(probe, { get: () => undefined }));
  return matched.some((arn) => arn.endsWith('0')) && matched.some((arn) => arn.endsWith('z'));
}

function policyText({ name, origin }: CompiledPolicy): string {
  return origin.startsWith('arn:') ? `policy ${origin}` : `policy ${name} of ${origin}`;
}
