/** Limits of PostgreSQL's that stand for those of the service, which is told in their place. */
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';

const LIMITS: readonly [sqlstate: string, message: RegExp, refusal: Refusal][] = [
  ['54000', /^index row (size \d+ exceeds btree version|requires \d+ bytes, maximum size is) /, TEXTS.keySize],
  ['54000', /^row is too big: size \d+, maximum size /, TEXTS.rowSize],
  ['53400', /^temporary file size exceeds temp_file_limit /, TEXTS.tempSpace],
];
const CODES = new Set(LIMITS.map(([sqlstate]) => sqlstate));

/** What is told in the place of an error of the engine's; undefined of all others. */
export function limitOf(sqlstate: string | undefined, message: string | undefined): Refusal | undefined {
  if (sqlstate === undefined || !CODES.has(sqlstate)) return undefined;
  return LIMITS.find(([code, text]) => code === sqlstate && text.test(message ?? ''))?.[2];
}
