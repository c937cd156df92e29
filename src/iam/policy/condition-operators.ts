import { isWithin, readAddress, readRange } from './addresses.ts';
import { isArn, readBinary, readBoolean, readDate, readNumber } from './values.ts';
import { type Part, plainText, wildcardMatcher } from './wildcard.ts';

/** Whether a value of the request is what the policy's value says; undefined when it is nothing of the operator's type. */
export type Test = (found: string) => boolean | undefined;

interface Operator {
  /** Holds where no value of the policy matches, and where the key is absent. */
  negated: boolean;
  /** String and ARN operators take policy variables; to the others `${` is an error. */
  variables: boolean;
  /** Undefined when the policy's value is nothing of the operator's type. */
  test(wanted: readonly Part[]): Test | undefined;
}

type Comparison = 'Equals' | 'LessThan' | 'LessThanEquals' | 'GreaterThan' | 'GreaterThanEquals';
type Family = 'Numeric' | 'Date';

export type OperatorName =
  | `String${'Equals' | 'NotEquals' | 'EqualsIgnoreCase' | 'NotEqualsIgnoreCase' | 'Like' | 'NotLike'}`
  | `${Family}${Comparison | 'NotEquals'}`
  | 'Bool'
  | 'BinaryEquals'
  | 'IpAddress'
  | 'NotIpAddress'
  | `Arn${'Equals' | 'Like' | 'NotEquals' | 'NotLike'}`
  | 'Null';

const stringEquals = (wanted: readonly Part[]): Test => {
  const text = plainText(wanted);
  return (found) => found === text;
};
const stringEqualsIgnoreCase = (wanted: readonly Part[]): Test => {
  const text = plainText(wanted).toLowerCase();
  return (found) => found.toLowerCase() === text;
};
const stringLike = (wanted: readonly Part[]): Test => wildcardMatcher(wanted, 'free');

/** The request's value is mostly the same from one statement to the next. */
function remembering<T>(read: (text: string) => T): (text: string) => T {
  let last: { text: string; value: T } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, value: read(text) };
    return last.value;
  };
}

const isFoundArn = remembering(isArn);

/** ArnEquals and ArnLike are the same: both take wildcards. A lone star stands for every ARN. */
const arnLike = (wanted: readonly Part[]): Test | undefined => {
  const text = plainText(wanted);
  if (!isArn(text) && !(typeof wanted[0] === 'string' && text === '*')) return undefined;
  const matches = wildcardMatcher(wanted, text === '*' ? 'free' : 'segments');
  return (found) => (isFoundArn(found) ? matches(found) : undefined);
};

function comparing<T>(
  read: (text: string) => T | undefined,
  holds: (found: T, wanted: T) => boolean,
): (wanted: readonly Part[]) => Test | undefined {
  const readFound = remembering(read);
  return (wanted) => {
    const value = read(plainText(wanted));
    if (value === undefined) return undefined;
    return (found) => {
      const seen = readFound(found);
      return seen === undefined ? undefined : holds(seen, value);
    };
  };
}

const readFoundAddress = remembering(readAddress);
const inRange = (wanted: readonly Part[]): Test | undefined => {
  const range = readRange(plainText(wanted));
  if (!range) return undefined;
  return (found) => {
    const address = readFoundAddress(found);
    return address && isWithin(range, address);
  };
};

const equal = <T>(found: T, wanted: T) => found === wanted;
const less = <T>(found: T, wanted: T) => found < wanted;
const lessOrEqual = <T>(found: T, wanted: T) => found <= wanted;
const greater = <T>(found: T, wanted: T) => found > wanted;
const greaterOrEqual = <T>(found: T, wanted: T) => found >= wanted;

const text = (test: Operator['test'], negated = false): Operator => ({ negated, variables: true, test });
const typed = (test: Operator['test'], negated = false): Operator => ({ negated, variables: false, test });

/** IAM User Guide, "IAM JSON policy elements: Condition operators". */
export const OPERATORS: Readonly<Record<OperatorName, Operator>> = {
  StringEquals: text(stringEquals),
  StringNotEquals: text(stringEquals, true),
  StringEqualsIgnoreCase: text(stringEqualsIgnoreCase),
  StringNotEqualsIgnoreCase: text(stringEqualsIgnoreCase, true),
  StringLike: text(stringLike),
  StringNotLike: text(stringLike, true),
  NumericEquals: typed(comparing(readNumber, equal)),
  NumericNotEquals: typed(comparing(readNumber, equal), true),
  NumericLessThan: typed(comparing(readNumber, less)),
  NumericLessThanEquals: typed(comparing(readNumber, lessOrEqual)),
  NumericGreaterThan: typed(comparing(readNumber, greater)),
  NumericGreaterThanEquals: typed(comparing(readNumber, greaterOrEqual)),
  DateEquals: typed(comparing(readDate, equal)),
  DateNotEquals: typed(comparing(readDate, equal), true),
  DateLessThan: typed(comparing(readDate, less)),
  DateLessThanEquals: typed(comparing(readDate, lessOrEqual)),
  DateGreaterThan: typed(comparing(readDate, greater)),
  DateGreaterThanEquals: typed(comparing(readDate, greaterOrEqual)),
  Bool: typed(comparing(readBoolean, equal)),
  BinaryEquals: typed(comparing(readBinary, equal)),
  IpAddress: typed(inRange),
  NotIpAddress: typed(inRange, true),
  ArnEquals: text(arnLike),
  ArnLike: text(arnLike),
  ArnNotEquals: text(arnLike, true),
  ArnNotLike: text(arnLike, true),
  // Asks whether the key is there, not what it holds: `found` is "true" when it is absent.
  Null: typed(comparing(readBoolean, equal)),
};

const BY_LOWER_CASE = new Map((Object.keys(OPERATORS) as OperatorName[]).map((name) => [name.toLowerCase(), name]));

/** Without prefix and suffix, in any case. */
export function operatorNamed(name: string): OperatorName | undefined {
  return BY_LOWER_CASE.get(name.toLowerCase());
}
