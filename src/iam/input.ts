import { Refused } from '../refused.ts';

/**
 * What the parameters of an operation must look like: the constraints of AWS's service models as data. The same table
 * tells a protocol how to read a parameter and TypeScript what the operation gets.
 */
export interface StringShape {
  type: 'string';
  min?: number;
  max: number;
  /** Without anchors: the whole value must match. */
  pattern?: RegExp;
  oneOf?: readonly string[];
  /** No error text has the value (smithy.io, "sensitive trait"). */
  sensitive?: true;
}

export interface IntegerShape {
  type: 'integer';
  min: number;
  max: number;
}

export interface BooleanShape {
  type: 'boolean';
}

export interface ListShape {
  type: 'list';
  of: Shape;
  max: number;
}

/** Text keys and text values. */
export interface MapShape {
  type: 'map';
  key: StringShape;
  value: StringShape;
  max: number;
}

export interface StructureShape {
  type: 'structure';
  members: Members;
}

/** A parameter that AWS has and Postern does not: refused wherever it is given, never ignored. */
export interface UnsupportedShape {
  type: 'unsupported';
}

export type Shape = (
  | StringShape
  | IntegerShape
  | BooleanShape
  | ListShape
  | MapShape
  | StructureShape
  | UnsupportedShape
) & {
  required?: true;
};
export type Members = Readonly<Record<string, Shape>>;

/** A parameter as a protocol read it: the right JSON type, but no constraint checked. */
export type RawValue = string | number | boolean | readonly RawValue[] | { readonly [name: string]: RawValue };
export type RawInput = Readonly<Record<string, RawValue>>;

type ValueOf<S> = S extends { type: 'string' }
  ? string
  : S extends { type: 'integer' }
    ? number
    : S extends { type: 'boolean' }
      ? boolean
      : S extends { type: 'list'; of: infer Item }
        ? readonly ValueOf<Item>[]
        : S extends { type: 'map' }
          ? Readonly<Record<string, string>>
          : S extends { type: 'structure'; members: infer M }
            ? InputOf<M>
            : never;

export type InputOf<M> = {
  readonly [Name in keyof M as M[Name] extends { required: true } ? Name : never]: ValueOf<M[Name]>;
} & {
  readonly [Name in keyof M as M[Name] extends { required: true } | UnsupportedShape ? never : Name]?: ValueOf<M[Name]>;
};

export function required<const S extends Shape>(shape: S): S & { required: true } {
  return { ...shape, required: true };
}

export const UNSUPPORTED = { type: 'unsupported' } as const satisfies Shape;

/** Long values are cut in error texts. */
const MAX_ECHO = 256;
const MAX_FAILURES = 10;

/**
 * The same input, typed, when it satisfies every constraint. Throws Refused `validation` with AWS's text for all that
 * fail, or `unsupported-parameter-value`.
 */
export function checkInput<M extends Members>(members: M, input: RawInput): InputOf<M> {
  const failures: Failure[] = [];
  checkMembers(members, input, '', failures);
  if (failures.length > 0) {
    const count = failures.length === 1 ? '1 validation error' : `${failures.length} validation errors`;
    const told = failures.slice(0, MAX_FAILURES);
    throw new Refused('validation', {
      say: `${count} detected: ${told.map(({ text }) => text).join('; ')}`,
      detail: `${count} in the parameters`,
      fieldList: told.map(({ path, constraint }) => ({ name: path, message: constraint })),
    });
  }
  return input as unknown as InputOf<M>;
}

function checkMembers(members: Members, input: RawInput, prefix: string, failures: Failure[]): void {
  for (const [name, shape] of Object.entries(members)) {
    const path = prefix + name.charAt(0).toLowerCase() + name.slice(1);
    const value = Object.hasOwn(input, name) ? input[name] : undefined;
    if (value !== undefined) checkValue(shape, value, path, failures);
    else if (shape.required) failures.push(failure(null, path, 'Member must not be null'));
  }
}

function checkValue(shape: Shape, value: RawValue, path: string, failures: Failure[]): void {
  const fail = (constraint: string, shown: RawValue = '') => {
    failures.push(failure(typeof shown === 'object' ? '' : String(shown), path, constraint));
  };
  switch (shape.type) {
    case 'unsupported': {
      const say = `The parameter ${path} is not supported.`;
      throw new Refused('unsupported-parameter-value', { say, detail: say });
    }
    case 'string':
      if (typeof value === 'string') checkString(shape, value, path, failures);
      else fail('Member must be a string');
      break;
    case 'integer':
      if (typeof value !== 'number') fail('Member must be an integer');
      else if (value < shape.min) fail(`Member must have value greater than or equal to ${shape.min}`, value);
      else if (value > shape.max) fail(`Member must have value less than or equal to ${shape.max}`, value);
      break;
    case 'boolean':
      if (typeof value !== 'boolean') fail('Member must be a boolean');
      break;
    case 'list':
      if (!Array.isArray(value)) fail('Member must be a list');
      else if (value.length > shape.max) fail(`Member must have length less than or equal to ${shape.max}`);
      else {
        value.forEach((item, index) => {
          checkValue(shape.of, item, `${path}.${index + 1}.member`, failures);
        });
      }
      break;
    case 'map': {
      if (typeof value !== 'object' || Array.isArray(value)) {
        fail('Member must be a map');
        break;
      }
      const entries = Object.entries(value);
      if (entries.length > shape.max) {
        fail(`Member must have length less than or equal to ${shape.max}`);
        break;
      }
      for (const [key, item] of entries) {
        checkString(shape.key, key, `${path}.key`, failures);
        checkValue(shape.value, item as RawValue, `${path}.value`, failures);
      }
      break;
    }
    case 'structure':
      if (typeof value !== 'object' || Array.isArray(value)) fail('Member must be a structure');
      else checkMembers(shape.members, value as RawInput, `${path}.`, failures);
      break;
  }
}

function checkString(shape: StringShape, value: string, path: string, failures: Failure[]): void {
  const min = shape.min ?? 0;
  const fail = (constraint: string) => failures.push(failure(shape.sensitive ? undefined : value, path, constraint));
  if (value.length < min) fail(`Member must have length greater than or equal to ${min}`);
  else if (value.length > shape.max) fail(`Member must have length less than or equal to ${shape.max}`);
  else if (shape.oneOf && !shape.oneOf.includes(value)) {
    fail(`Member must satisfy enum value set: [${shape.oneOf.join(', ')}]`);
  } else if (shape.pattern && !matchesWhole(shape.pattern, value)) {
    fail(`Member must satisfy regular expression pattern: ${shape.pattern.source}`);
  }
}

const anchored = new WeakMap<RegExp, RegExp>();

function matchesWhole(pattern: RegExp, value: string): boolean {
  let whole = anchored.get(pattern);
  if (!whole) {
    whole = new RegExp(`^(?:${pattern.source})$`, pattern.flags);
    anchored.set(pattern, whole);
  }
  return whole.test(value);
}

interface Failure {
  path: string;
  constraint: string;
  text: string;
}

/** `value` is null where there is none, and undefined where it is not to be told. */
function failure(value: string | null | undefined, path: string, constraint: string): Failure {
  const shown = value && value.length > MAX_ECHO ? `${value.slice(0, MAX_ECHO).toWellFormed()}…` : value;
  const told = shown === undefined ? 'Value' : shown === null ? 'Value null' : `Value '${shown}'`;
  return { path, constraint, text: `${told} at '${path}' failed to satisfy constraint: ${constraint}` };
}
