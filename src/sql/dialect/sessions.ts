/** SET, RESET, SHOW and DISCARD. */
import type { Node, VariableSetStmt } from '@pgsql/types';
import { Lexer } from '../lexer.ts';
import type { Rules, Subject } from './rule.ts';
import { engineSetting, isReadableEncoding } from './settings.ts';
import { TEXTS, unsupported } from './texts.ts';
import { checkModes, modesOf } from './transactions.ts';

/** The one constant that a setting is set to. */
function textOf(args: readonly Node[] | undefined): string | undefined {
  const [arg] = args ?? [];
  return args?.length === 1 && arg && 'A_Const' in arg ? arg.A_Const.sval?.sval : undefined;
}

/** Whether a parameter may be set to a value, wherever that is asked. `value` is undefined when it is no text. */
export function checkSetting(name: string, value: string | undefined): void {
  const key = name.toLowerCase();
  if (engineSetting(key) === undefined) unsupported(TEXTS.setting(name));
  if (key === 'client_encoding' && !isReadableEncoding(value ?? '')) unsupported(TEXTS.encoding(value ?? ''));
}

/** Replaces the first word of the statement that is this parameter's name by the engine's name for it. */
function spliceName(name: string, { sql, start, end, splice }: Subject): void {
  const engine = engineSetting(name.toLowerCase());
  if (engine === undefined || engine === name.toLowerCase()) return;
  const lexer = new Lexer(sql.slice(start, end), { standardConformingStrings: true });
  for (let kind = lexer.nextSignificant(); kind !== 'end'; kind = lexer.nextSignificant()) {
    const word = lexer.sql.slice(lexer.start, lexer.end).replaceAll('"', '').toLowerCase();
    if (word !== name.toLowerCase()) continue;
    splice({ start: start + lexer.start, end: start + lexer.end, replacement: engine });
    return;
  }
}

const isReset = ({ kind }: VariableSetStmt) =>
  kind === 'VAR_RESET' || kind === 'VAR_RESET_ALL' || kind === 'VAR_SET_DEFAULT';

/** Back to what they were at the beginning: who the session is. */
const RESETTABLE = new Set(['role', 'session_authorization']);

function checkMulti({ name, args }: VariableSetStmt): void {
  const { isolation } = modesOf(args);
  if (isolation !== undefined) checkModes(args);
  if (name !== 'SESSION CHARACTERISTICS') unsupported(TEXTS.setting('TRANSACTION'));
  checkModes(args);
}

export function checkSet(node: VariableSetStmt, subject: Subject): void {
  const { kind, name = '', args, is_local } = node;
  if (kind === 'VAR_SET_MULTI') checkMulti(node);
  if (kind === 'VAR_SET_MULTI' || kind === 'VAR_RESET_ALL') return;
  if (isReset(node) && RESETTABLE.has(name)) return;
  // In a block the service takes it, and outside of one it does nothing.
  if (name === 'role' && is_local) return;
  if (isReset(node) || kind === 'VAR_SET_CURRENT') {
    if (engineSetting(name.toLowerCase()) === undefined) unsupported(TEXTS.setting(name));
  } else {
    checkSetting(name, textOf(args));
  }
  spliceName(name, subject);
}

/** Values that are the service's and not the engine's: their SHOW is answered by sys.show. */
const OWN_VALUES = new Set([
  'server_version',
  'server_version_num',
  'client_min_messages',
  'disable_sync_create_index',
]);

export const SESSION_RULES: Rules<'VariableSetStmt' | 'VariableShowStmt' | 'DiscardStmt'> = {
  VariableSetStmt: { kind: 'session', check: checkSet },
  VariableShowStmt: {
    kind: 'show',
    check({ name = '' }, { start, end, splice }) {
      const key = name.toLowerCase();
      if (!OWN_VALUES.has(key)) return;
      splice({ start, end, replacement: ` SELECT sys.show('${key}') AS ${key}` });
    },
  },
  DiscardStmt: { kind: 'session', check: () => unsupported(TEXTS.statement('DiscardStmt')) },
};
