/** Sequences and identity columns: bigint only, and CACHE must be said (user guide, "Sequences and identity columns"). */
import type { Node, TypeName } from '@pgsql/types';
import type { Rules } from './rule.ts';
import { type Refusal, TEXTS, unsupported } from './texts.ts';
import { builtinType, formatType } from './types.ts';

/** What the options of a sequence say of its cache; undefined when they do not. */
function cacheOf(options: readonly Node[]): number | undefined {
  for (const option of options) {
    if (!('DefElem' in option) || option.DefElem.defname !== 'cache') continue;
    const { arg } = option.DefElem;
    if (arg && 'Integer' in arg) return arg.Integer.ival ?? 0;
    if (arg && 'Float' in arg) return Number(arg.Float.fval);
    return Number.NaN;
  }
  return undefined;
}

const isGood = (cache: number) => cache === 1 || cache >= 65_536;

export function checkCache(options: readonly Node[] | undefined, refusal: Refusal, required = true): void {
  const cache = cacheOf(options ?? []);
  if (cache === undefined ? required : !isGood(cache)) unsupported(refusal);
}

/** Of an identity column. */
export function checkIdentity(type: TypeName | undefined, options: readonly Node[] | undefined): void {
  const name = type && builtinType(type);
  if (name !== undefined && name !== 'int8') unsupported(TEXTS.identityType(formatType(name)));
  checkCache(options, TEXTS.identityCache);
}

function checkSequenceType(options: readonly Node[] | undefined): void {
  for (const option of options ?? []) {
    if (!('DefElem' in option) || option.DefElem.defname !== 'as') continue;
    const type = option.DefElem.arg;
    const name = type && 'TypeName' in type ? builtinType(type.TypeName) : undefined;
    if (name !== undefined && name !== 'int8') unsupported(TEXTS.type(formatType(name)));
  }
}

export const SEQUENCE_RULES: Rules<'CreateSeqStmt' | 'AlterSeqStmt'> = {
  CreateSeqStmt: {
    kind: 'ddl',
    check({ sequence, options }) {
      if (sequence?.relpersistence === 't') unsupported(TEXTS.temporary('SEQUENCE'));
      if (sequence?.relpersistence === 'u') unsupported(TEXTS.unlogged('SEQUENCE'));
      checkSequenceType(options);
      checkCache(options, TEXTS.sequenceCache);
    },
  },
  AlterSeqStmt: {
    kind: 'ddl',
    check({ options }) {
      checkSequenceType(options);
      checkCache(options, TEXTS.sequenceCache, false);
    },
  },
};
