/** Functions: what may be made (LANGUAGE sql only) and what may be called. */
import type { FuncCall, Node } from '@pgsql/types';
import { nameLength } from '../name-length.ts';
import type { Rules, Subject } from './rule.ts';
import { checkSet, checkSetting } from './sessions.ts';
import { TEXTS, unsupported } from './texts.ts';
import { REFUSED_EVERYWHERE } from './types.ts';

const stringOf = (node: Node | undefined): string | undefined => {
  if (node === undefined) return undefined;
  if ('A_Const' in node) return node.A_Const.sval?.sval;
  // 'simple'::regconfig
  if ('TypeCast' in node) return stringOf(node.TypeCast.arg);
  return undefined;
};

/** Functions whose first argument may be a text search configuration, when they have at least so many arguments. */
const TEXT_SEARCH = new Map([
  ['to_tsvector', 2],
  ['to_tsquery', 2],
  ['plainto_tsquery', 2],
  ['phraseto_tsquery', 2],
  ['websearch_to_tsquery', 2],
  ['ts_headline', 3],
]);

export function checkTextSearchConfiguration(name: string | undefined): void {
  if (name !== undefined && !/^(pg_catalog\.)?simple$/i.test(name)) unsupported(TEXTS.textSearch(name));
}

function checkSetConfig([name, value, local]: readonly Node[]): void {
  const text = stringOf(name);
  if (text === undefined) unsupported(TEXTS.computedSetting);
  const isLocal = local && 'A_Const' in local && local.A_Const.boolval?.boolval === true;
  if (text?.toLowerCase() === 'role' && isLocal) return;
  checkSetting(text ?? '', stringOf(value));
}

/** PostgreSQL's functions that answer with the engine's own version; those of the schema sys answer with the service's. */
const OWN_FUNCTIONS = new Set(['version', 'current_setting']);

/** What statements with ASYNC become; no client's text has them. */
const INTERNAL = new Set([
  'async_table',
  'create_index_async',
  'submit_index_build',
  'submit_validation',
  'validate_constraint_async',
]);

/** They run a text that nobody has read; `ts_rewrite` does when it has two arguments. */
const RUNS_TEXT = /^(query|cursor)_to_xml(schema|_and_xmlschema)?$|^ts_stat$/;

function spliceSchema({ sql, end, splice }: Subject, { location, funcname }: FuncCall, name: string): void {
  if (location === undefined) return;
  const length = nameLength(sql.slice(location, end), funcname?.length ?? 1);
  splice({ start: location, end: location + length, replacement: `sys.${name}` });
}

/** A call, wherever it stands. */
export function checkCall(call: FuncCall, subject: Subject): void {
  const names = (call.funcname ?? []).map((part) => ('String' in part ? (part.String.sval ?? '') : ''));
  const name = names.at(-1) ?? '';
  if (INTERNAL.has(name) && (names.length === 1 || names.at(-2) === 'sys')) unsupported(TEXTS.function(name));
  if (names.length > 2 || (names.length === 2 && names[0] !== 'pg_catalog')) return;
  const args = call.args ?? [];
  if (/^pg_(try_)?advisory_/.test(name)) unsupported(TEXTS.function(name));
  if (RUNS_TEXT.test(name) || (name === 'ts_rewrite' && args.length === 2)) unsupported(TEXTS.function(name));
  if (REFUSED_EVERYWHERE.has(name)) unsupported(TEXTS.type(name));
  if (name === 'set_config') checkSetConfig(args);
  const configured = TEXT_SEARCH.get(name);
  if (configured !== undefined && args.length >= configured) checkTextSearchConfiguration(stringOf(args[0]));
  if (OWN_FUNCTIONS.has(name) && (name !== 'version' || args.length === 0)) spliceSchema(subject, call, name);
}

/** ALTER FUNCTION and ALTER ROUTINE change names, owners and schemas only, which are other statements. */
export const FUNCTION_RULES: Rules<
  'CreateFunctionStmt' | 'AlterFunctionStmt' | 'CreateTrigStmt' | 'CallStmt' | 'DoStmt'
> = {
  CreateFunctionStmt: {
    kind: 'ddl',
    check({ is_procedure, options }, subject) {
      if (is_procedure) unsupported(TEXTS.procedure);
      for (const option of options ?? []) {
        if (!('DefElem' in option)) continue;
        const { defname, arg } = option.DefElem;
        if (arg === undefined) continue;
        if (defname === 'language' && 'String' in arg && arg.String.sval?.toLowerCase() !== 'sql') {
          unsupported(TEXTS.functionLanguage(arg.String.sval ?? ''));
        }
        if (defname === 'set' && 'VariableSetStmt' in arg) checkSet(arg.VariableSetStmt, subject);
      }
      for (const option of options ?? []) {
        if (!('DefElem' in option) || option.DefElem.defname !== 'as') continue;
        const { arg } = option.DefElem;
        const [body] = arg && 'List' in arg ? (arg.List.items ?? []) : [];
        if (body && 'String' in body) subject.checkBody(body.String.sval ?? '');
      }
    },
  },
  AlterFunctionStmt: { kind: 'ddl', check: () => unsupported(TEXTS.statement('AlterFunctionStmt')) },
  CreateTrigStmt: { kind: 'ddl', check: () => unsupported(TEXTS.createTrigger) },
  CallStmt: { kind: 'utility' },
  DoStmt: { kind: 'utility', check: () => unsupported(TEXTS.statement('DoStmt')) },
};
