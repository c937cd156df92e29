import type {
  AccessReview,
  ClusterAccess,
  DatabaseObject,
  DatabaseRole,
  Login,
  LoginStatement,
  Privilege,
  TrustStatement,
} from '../access/report.ts';

/** More names or values than that do not help to read; the JSON has all of them. */
const MAX_LISTED = 5;

/** A review for people. Names come from clients: a terminal must not act on them. */
export function formatReview(review: AccessReview): string {
  const { account, at, clusters, principals, warnings, notes } = review;
  const lines = [`Access to account ${account}, reviewed at ${at}`];
  for (const cluster of clusters) lines.push('', ...formatCluster(cluster));
  const roles = principals.filter(({ trust }) => trust.length > 0);
  if (roles.length > 0) {
    const rows = roles.flatMap(({ arn, trust }) => trust.map((each) => [shortArn(arn), ...trustCells(each)]));
    lines.push('', 'Who may become these IAM roles', ...table(['ROLE', 'MAY', 'WHO', 'STATEMENT'], rows));
  }
  lines.push('', warnings.length === 0 ? 'No warnings' : 'Warnings');
  for (const { level, id, text, change } of warnings) {
    lines.push(`  ${level.padEnd(6)}  ${id}: ${clean(text)}`, `          ${clean(change)}`);
  }
  lines.push('', ...notes.map((note) => `Note: ${clean(note)}`));
  return `${lines.join('\n')}\n`;
}

function formatCluster(cluster: ClusterAccess): string[] {
  const { id, region, state, reason, logins, roles } = cluster;
  const head = `Cluster ${id} (${region})`;
  if (state === 'closed') return [`${head} takes no connections: ${clean(reason ?? '')}`];
  const lines = [state === 'read' ? head : `${head}, database unknown: ${clean(reason ?? '')}`];
  const who = logins.map((login) => [shortArn(login.principal), login.role ?? '?', ANSWERS[login.answer], how(login)]);
  lines.push(
    ...(who.length === 0 ? ['  Nobody can log in.'] : table(['PRINCIPAL', 'DATABASE ROLE', 'LOGIN', 'BY'], who)),
  );
  const what = roles.filter(({ canLogin }) => canLogin).flatMap((role) => rightsOf(role, roles));
  const everybody = grouped(cluster.public).map(([on, may]) => ['every role', 'PUBLIC', on, may]);
  if (state === 'read')
    lines.push('', ...table(['DATABASE ROLE', 'THROUGH', 'ON', 'MAY (*: AND GRANT)'], [...what, ...everybody]));
  return lines;
}

const ANSWERS: Readonly<Record<Login['answer'], string>> = { allowed: 'yes', conditional: 'if', denied: 'NO' };

/** What stands behind `:user/` or `:assumed-role/` is enough to tell who it is. */
function shortArn(arn: string): string {
  return arn.replace(/^arn:aws:(?:iam|sts)::\d{12}:/, '');
}

function how({ because, through, unless }: Login): string {
  if (because !== undefined) return because;
  const statements = through.map(statementText);
  const ways = statements.length === 0 ? 'the account root user may do everything' : statements.join('; ');
  return unless.length === 0 ? ways : `${ways}; unless ${unless.map(statementText).join('; ')}`;
}

function statementText({ kind, policy, origin, statement, conditions }: LoginStatement): string {
  const what = kind === 'boundary' ? `, in the boundary ${origin}` : ` of ${policy} (${origin})`;
  return `${statement}${what}${conditionsText(conditions)}`;
}

function conditionsText(conditions: LoginStatement['conditions']): string {
  if (conditions.length === 0) return '';
  const each = conditions.map(({ operator, key, wanted }) =>
    operator === 'Resource' ? `\${${key}} in ${listed(wanted)} fits` : `${operator} ${key} ${listed(wanted)}`,
  );
  return ` if ${each.join(' and ')}`;
}

function trustCells({ statement, effect, actions, principals, conditions }: TrustStatement): string[] {
  const may = `${effect === 'Deny' ? 'not ' : ''}${listed(actions)}`;
  // In a trust policy the root user's ARN means everybody in the account whose own policies allow it.
  const who = principals.map((arn) => shortArn(arn.replace(/^arn:aws:iam::(\d{12}):root$/, 'account $1')));
  return [may, `${listed(who)}${conditionsText(conditions)}`, statement];
}

/** Own rights first, then what comes from other roles. */
function rightsOf(role: DatabaseRole, all: readonly DatabaseRole[]): string[][] {
  const { name, attributes, inherits, maySet, administers } = role;
  const rows: string[][] = [];
  if (attributes.length > 0) rows.push([name, 'itself', '', attributes.join(', ')]);
  if (administers.length > 0) rows.push([name, 'itself', `role ${listed(administers)}`, 'grant it, to itself too']);
  const add = (through: string, source: Pick<DatabaseRole, 'owns' | 'privileges'>) => {
    for (const [on] of grouped(source.owns)) rows.push([name, through, on, 'owner']);
    for (const [on, may] of grouped(source.privileges)) rows.push([name, through, on, may]);
  };
  add('itself', role);
  for (const [names, how] of [
    [inherits, ''],
    [maySet, ', by SET ROLE'],
  ] as const) {
    for (const each of names) {
      const source = all.find((other) => other.name === each);
      if (source) add(`${each}${how}`, source);
      else rows.push([name, `${each}${how}`, '', 'what PostgreSQL gives to this role of its own']);
    }
  }
  return rows.length > 0 ? rows : [[name, 'itself', '', 'nothing of its own']];
}

/** Objects of a kind and schema with the same privileges stand in one line. */
function grouped(objects: readonly (DatabaseObject & Partial<Privilege>)[]): [on: string, may: string][] {
  const groups = new Map<string, { kind: string; schema: string | null; may: string; names: string[] }>();
  for (const { kind, schema, name, privileges = [], grantable = [] } of objects) {
    const may = privileges.map((each) => (grantable.includes(each) ? `${each}*` : each)).join(', ');
    const key = JSON.stringify([kind, schema, may]);
    const group = groups.get(key);
    if (group) group.names.push(name);
    else groups.set(key, { kind, schema, may, names: [name] });
  }
  return [...groups.values()].map(({ kind, schema, may, names }) => {
    const what = kind.startsWith('future') ? `${kind} of ${listed(names)}` : `${kind} ${listed(names)}`;
    return [schema === null ? what : `${what} in ${schema}`, may];
  });
}

function listed(values: readonly string[]): string {
  const shown = values.slice(0, MAX_LISTED).join(', ');
  return values.length > MAX_LISTED ? `${shown}, … (${values.length})` : shown;
}

/** As wide as its widest cell, but for the last column. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map(clean));
  const widths = head.map((_, column) =>
    cells.reduce((most, row) => Math.max(most, [...(row[column] ?? '')].length), 0),
  );
  return cells.map((row) => `  ${row.map((cell, column) => padded(cell, widths[column]!)).join('  ')}`.trimEnd());
}

function padded(cell: string, width: number): string {
  return cell + ' '.repeat(width - [...cell].length);
}

/** Control and format characters, and separators of lines and paragraphs. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
