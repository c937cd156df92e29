import {
  type AccessQuestion,
  type AccessReview,
  type ClusterAccess,
  type DatabaseRole,
  LEVELS,
  type Warning,
} from './report.ts';

/** The gravest first; of one level as they came. */
export function ordered(warnings: readonly Warning[]): Warning[] {
  return [...warnings].sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
}

/**
 * What is about the principal and the role that were asked for, with the roles from which that one has more. Throws an
 * Error for one that is nowhere.
 */
export function chosen(review: AccessReview, question: AccessQuestion): AccessReview {
  const { cluster: clusterId, principal, role } = question;
  const clusters = review.clusters.map((access): ClusterAccess => {
    const logins = access.logins.filter(
      (login) =>
        (principal === undefined || login.principal === principal) &&
        (role === undefined || login.role === role || login.role === null),
    );
    if (principal === undefined && role === undefined) return access;
    const wanted = role === undefined ? new Set(logins.map((login) => login.role)) : new Set([role]);
    return { ...access, logins, roles: withSources(access.roles, (each) => wanted.has(each.name)) };
  });
  if (role !== undefined && !clusters.some(({ state, roles }) => state === 'unknown' || roles.length > 0)) {
    throw new Error(`there is no database role ${role}`);
  }
  const isKnown = review.principals.some(({ arn }) => arn === principal);
  const isMapped = review.clusters.some(({ roles }) =>
    roles.some(({ mappedTo }) => mappedTo.includes(principal ?? '')),
  );
  if (principal !== undefined && !isKnown && !isMapped) {
    throw new Error(`${principal} is no user, role or root user of this account`);
  }
  const who = new Set(clusters.flatMap(({ logins }) => logins.map((login) => login.principal)));
  return {
    ...review,
    clusters,
    principals: review.principals.filter(({ arn }) => who.has(arn) || arn === principal),
    warnings: review.warnings.filter(
      (each) =>
        (clusterId === undefined || each.cluster === undefined || each.cluster === clusterId) &&
        (principal === undefined || each.principals?.includes(principal)) &&
        (role === undefined || each.role === role),
    ),
  };
}

function withSources(roles: readonly DatabaseRole[], isWanted: (role: DatabaseRole) => boolean): DatabaseRole[] {
  const wanted = roles.filter(isWanted);
  const names = new Set(wanted.flatMap(({ name, inherits, maySet }) => [name, ...inherits, ...maySet]));
  return roles.filter(({ name }) => names.has(name));
}
