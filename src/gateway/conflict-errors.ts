/** Which of the engine's errors say that another transaction was in the way (PostgreSQL manual, "PostgreSQL Error Codes"). */
import type { Conflicts } from '../transactions/conflicts.ts';
import { type Answer, codeOf } from './answers.ts';
import type { Block } from './block.ts';
import type { Step } from './steps.ts';

const SERIALIZATION: ReadonlySet<string | undefined> = new Set(['40001', '40P01']);
const CATALOG_RACE = /^tuple concurrently (updated|deleted)$/;
/** Of 23503: the table that refers stands in its fields. */
const REFERRED_TO = /^update or delete on table /;

export const isSerializationFailure = (code: string | undefined): boolean => SERIALIZATION.has(code);

/** Two changes of one object at once: PostgreSQL's catalog has no better word for it. */
export const isCatalogRace = (answer: Answer): boolean =>
  codeOf(answer) === 'XX000' && CATALOG_RACE.test(answer.error?.get('M') ?? '');

/** Whether a key that is there already, or a row that refers to one, may be one that the transaction cannot see. */
export function isLate(conflicts: Conflicts, { transaction }: Block, { statements }: Step, { error }: Answer): boolean {
  switch (error?.get('C')) {
    case '23505':
      return conflicts.wereWritten(
        transaction,
        statements.flatMap(({ targets }) => targets),
      );
    case '23503':
      return (
        REFERRED_TO.test(error.get('M') ?? '') &&
        conflicts.wereWritten(transaction, [{ schema: error.get('s'), name: error.get('t') ?? '' }])
      );
    default:
      return false;
  }
}
