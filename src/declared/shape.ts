import { ConfigurationError } from '../config/configuration-error.ts';

/**
 * What a declaration may look like, as data: the same tables check it, give it its types, and describe it to editors
 * (JSON Schema, draft 2020-12). A shape's `about` is what an editor shows.
 */
interface Described {
  about: string;
}

export interface TextShape extends Described {
  type: 'text';
  /** In characters. */
  max: number;
  /** Anchored. */
  pattern?: RegExp;
}

export interface IntegerShape extends Described {
  type: 'integer';
  min: number;
  max: number;
}

export interface FlagShape extends Described {
  type: 'flag';
}

/** A JSON object as AWS has it, or the path of a JSON file that has it. */
export interface DocumentShape extends Described {
  type: 'document';
}

export interface ListShape extends Described {
  type: 'list';
  of: Shape;
}

/** Any names. */
export interface MapShape extends Described {
  type: 'map';
  of: Shape;
}

export interface ObjectShape extends Described {
  type: 'object';
  required: Readonly<Record<string, Shape>>;
  optional: Readonly<Record<string, Shape>>;
}

export type Shape = TextShape | IntegerShape | FlagShape | DocumentShape | ListShape | MapShape | ObjectShape;

export type Document = string | { readonly [name: string]: unknown };

export type ValueOf<S> = S extends { type: 'text' }
  ? string
  : S extends { type: 'integer' }
    ? number
    : S extends { type: 'flag' }
      ? boolean
      : S extends { type: 'document' }
        ? Document
        : S extends { type: 'list'; of: infer Item }
          ? readonly ValueOf<Item>[]
          : S extends { type: 'map'; of: infer Item }
            ? Readonly<Record<string, ValueOf<Item>>>
            : S extends { type: 'object'; required: infer R; optional: infer O }
              ? { readonly [Name in keyof R]: ValueOf<R[Name]> } & { readonly [Name in keyof O]?: ValueOf<O[Name]> }
              : never;

/** `declare.roles[2]` and a name below it. */
export function below(path: string, name: string | number): string {
  if (typeof name === 'number') return `${path}[${name}]`;
  return /^[A-Za-z_][\w-]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

/** The same value, typed. Throws ConfigurationError, which names the path of what is wrong. */
export function checkShape<const S extends Shape>(shape: S, value: unknown, path: string): ValueOf<S> {
  check(shape, value, path);
  return value as ValueOf<S>;
}

function check(shape: Shape, value: unknown, path: string): void {
  const wrong = complaint(shape, value);
  if (wrong !== undefined) throw new ConfigurationError(`${path}: ${wrong}`);
  if (shape.type === 'list') {
    for (const [index, item] of (value as unknown[]).entries()) check(shape.of, item, below(path, index));
  } else if (shape.type === 'map') {
    for (const [name, item] of Object.entries(value as object)) check(shape.of, item, below(path, name));
  } else if (shape.type === 'object') {
    checkMembers(shape, value as Record<string, unknown>, path);
  }
}

/** What is wrong with a value itself; its members are another matter. */
function complaint(shape: Shape, value: unknown): string | undefined {
  switch (shape.type) {
    case 'text':
      if (typeof value !== 'string') return 'must be text';
      if (value === '' && !shape.pattern) return 'is empty';
      if (value.length > shape.max) return `has more than ${shape.max} characters`;
      if (shape.pattern?.test(value) === false) return `${JSON.stringify(value)} is not ${shape.about}`;
      return undefined;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) return 'must be a whole number';
      return value < shape.min || value > shape.max ? `must be from ${shape.min} to ${shape.max}` : undefined;
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'document':
      if (isObject(value) || (typeof value === 'string' && value !== '')) return undefined;
      return 'must be a JSON object, or the path of a JSON file';
    case 'list':
      return Array.isArray(value) ? undefined : 'must be a list';
    case 'map':
    case 'object':
      return isObject(value) ? undefined : 'must be a JSON object';
  }
}

function checkMembers({ required, optional }: ObjectShape, value: Record<string, unknown>, path: string): void {
  const known = { ...required, ...optional };
  for (const [name, item] of Object.entries(value)) {
    const shape = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!shape) {
      const names = Object.keys(known).join(', ');
      throw new ConfigurationError(`${below(path, name)}: is not known here (known are ${names})`);
    }
    check(shape, item, below(path, name));
  }
  for (const name of Object.keys(required)) {
    if (!Object.hasOwn(value, name)) throw new ConfigurationError(`${below(path, name)}: is missing`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function jsonSchema(shape: Shape): object {
  const description = shape.about.charAt(0).toUpperCase() + shape.about.slice(1);
  switch (shape.type) {
    case 'text':
      return {
        description,
        type: 'string',
        ...(shape.pattern ? { pattern: shape.pattern.source } : { minLength: 1 }),
        maxLength: shape.max,
      };
    case 'integer':
      return { description, type: 'integer', minimum: shape.min, maximum: shape.max };
    case 'flag':
      return { description, type: 'boolean' };
    case 'document':
      return { description, type: ['object', 'string'], minLength: 1 };
    case 'list':
      return { description, type: 'array', items: jsonSchema(shape.of) };
    case 'map':
      return { description, type: 'object', additionalProperties: jsonSchema(shape.of) };
    case 'object':
      return {
        description,
        type: 'object',
        properties: Object.fromEntries(
          Object.entries({ ...shape.required, ...shape.optional }).map(([name, of]) => [name, jsonSchema(of)]),
        ),
        required: Object.keys(shape.required),
        additionalProperties: false,
      };
  }
}
