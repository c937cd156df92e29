import type { Report, StepReport } from '../attempts/report.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { Miss, PolicyExplanation, StatementExplanation } from '../iam/policy/explain.ts';
import { PLACE, readFlags, readPlace, SWITCH, TEXT } from './flags.ts';
import { askOperator } from './operator.ts';

/** `postern why`: how a login attempt went, or would go. Resolves to the exit status: 0 let in, 1 not. */
export async function runWhy(argv: readonly string[]): Promise<number> {
  const { dataDir, json, path, parameters } = readArguments(argv);
  const found = await askOperator<Report>(dataDir, path, parameters);
  if (!found) {
    const id = parameters['connection'];
    throw new Error(
      id === undefined
        ? 'nobody has tried to log in since the server was started'
        : `no attempt ${id}: the newest 10,000 since the server was started are kept`,
    );
  }
  process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : formatReport(found));
  return found.outcome === 'accepted' ? 0 : 1;
}

interface Asked {
  dataDir: string;
  json: boolean;
  path: string;
  parameters: Readonly<Record<string, string>>;
}

const FLAGS = { user: TEXT, principal: TEXT, cluster: TEXT, json: SWITCH, ...PLACE } as const;

function readArguments(argv: readonly string[]): Asked {
  const { values, positionals } = readFlags('why', argv, FLAGS, { allowPositionals: true });
  const { user, principal, cluster, json = false } = values;
  const common = { dataDir: readPlace(values).dataDir, json };
  if (user === undefined && principal === undefined) {
    if (cluster !== undefined) throw new ConfigurationError('--cluster: only with --user and --principal');
    if (positionals.length > 1) throw new ConfigurationError(`${positionals[1]}: unexpected argument`);
    const [connection] = positionals;
    return { ...common, path: '/why', parameters: connection === undefined ? {} : { connection } };
  }
  if (!user) throw new ConfigurationError('--user: is missing (a database role, such as admin)');
  if (!principal) throw new ConfigurationError('--principal: is missing (the ARN of an IAM user or role)');
  if (positionals.length > 0) throw new ConfigurationError(`${positionals[0]}: unexpected argument`);
  const parameters = { user, principal, ...(cluster === undefined ? {} : { cluster }) };
  return { ...common, path: '/would-admit', parameters };
}

const MARKS: Readonly<Record<StepReport['outcome'], string>> = {
  passed: 'ok',
  failed: 'NO',
  'under way': '..',
  'not reached': '--',
  'not asked': '',
};

export function formatReport({ connectionId, at, sourceAddress, outcome, steps, told, change }: Report): string {
  const head =
    connectionId === undefined
      ? `Asked at ${at}: ${outcome === 'accepted' ? 'would be let in' : 'would be refused'}`
      : `Connection ${connectionId} from ${sourceAddress} at ${at}: ${outcome}`;
  const lines = [head, ''];
  for (const step of steps) {
    if (step.outcome === 'not asked') continue;
    lines.push(`  ${MARKS[step.outcome]}  ${step.step.padEnd(10)}  ${step.text}`.trimEnd());
    for (const policy of step.policies ?? []) lines.push(...formatPolicy(policy).map((line) => `        ${line}`));
  }
  if (told) {
    const who = connectionId === undefined ? 'A client would be told' : 'The client was told';
    lines.push('', `${who}: ${told.sqlstate} ${told.message}`);
    if (told.hint !== undefined) lines.push(`  HINT: ${told.hint}`);
  }
  if (change !== undefined) lines.push('', `To change: ${change}`);
  // Names come from clients; a terminal must not act on them.
  return `${lines.map((line) => line.replace(/[\p{Cc}\p{Cf}]/gu, '?')).join('\n')}\n`;
}

function formatPolicy({ kind, name, origin, statements }: PolicyExplanation): string[] {
  return [
    `${kind} policy ${name} (${origin})`,
    ...statements.map((statement) => `  ${statement.effect} ${statement.statement}: ${formatOutcome(statement)}`),
  ];
}

function formatOutcome({ matched, missed }: StatementExplanation): string {
  return matched ? 'matches' : `does not match: ${missed.map(formatMiss).join('; ')}`;
}

/** More values than that do not help to read. */
const MAX_VALUES = 8;

function formatMiss(miss: Miss): string {
  switch (miss.part) {
    case 'principal':
      return 'the principal is another';
    case 'action':
    case 'resource':
      return `the ${miss.part} is ${miss.negated ? 'among' : 'not among'} ${list(miss.wanted)}`;
    case 'condition':
      return `${miss.operator} ${miss.key} asks for ${list(miss.wanted)}, and it is ${miss.found ? list(miss.found) : 'absent'}`;
  }
}

function list(values: readonly string[]): string {
  const shown = values.slice(0, MAX_VALUES).join(', ');
  return values.length > MAX_VALUES ? `${shown}, … (${values.length})` : shown;
}
