import type { RawInput, RawValue, Shape } from '../../iam/input.ts';
import { Refused } from '../../refused.ts';
import { decodeQuery } from '../../sigv4/canonical-request.ts';
import { uriDecode } from '../../sigv4/encoding.ts';
import type { HttpAnswer, Operation, Protocol, Service } from '../operation.ts';

/**
 * REST JSON (smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html): an operation is a method and a path, its
 * parameters are in path, query and a JSON body, its answers in JSON.
 */
export interface Route {
  name: string;
  method: 'GET' | 'POST' | 'DELETE';
  /** As the service model has it: what stands in braces is the member that the segment fills. */
  path: string;
  /** Query parameter -> member. All members that are neither in path nor query are in the body. */
  query?: Readonly<Record<string, string>>;
  /** A text: AWS has the operation and this server has not, and says so. */
  operation: Operation | string;
}

const INTEGER = /^-?\d{1,15}$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

export function createRestService(routes: readonly Route[]): Service {
  const matchers = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  return {
    protocol: REST_JSON,
    ask(request) {
      const [path = '', query] = split(request.target);
      for (const { route, pattern } of matchers) {
        const found = route.method === request.method ? pattern.exec(path) : null;
        if (!found) continue;
        const { name, operation } = route;
        if (typeof operation === 'string') throw unsupported(operation);
        const given = new Set([...Object.keys(found.groups ?? {}), ...Object.values(route.query ?? {})]);
        const input = {
          ...readPath(name, found.groups ?? {}),
          ...readQuery(route, operation, query),
          ...readBody(name, operation, given, request.body),
        };
        return { name, operation, input };
      }
      throw unsupported(`The operation ${request.method} ${path.slice(0, 128)} is not supported.`);
    },
  };
}

export const REST_JSON: Protocol = {
  kind: 'rest',
  answer: (_name, output, _requestId) => json(200, {}, output ?? {}),
  fault: ({ status, code, message, fields }) => json(status, { 'x-amzn-ErrorType': code }, { message, ...fields }),
};

/** An ARN in a path has its slash encoded, or not where it was written by hand. */
function patternOf(path: string): RegExp {
  const last = path.lastIndexOf('{');
  const segments = path.replace(/\{(\w+)\}/g, (_, member: string, at: number) =>
    at === last && member.endsWith('Arn') ? `(?<${member}>.+)` : `(?<${member}>[^/]+)`,
  );
  return new RegExp(`^${segments}/?$`);
}

function readPath(name: string, groups: Readonly<Record<string, string>>): RawInput {
  const input: Record<string, RawValue> = {};
  for (const [member, text] of Object.entries(groups)) {
    const value = uriDecode(text);
    if (value === undefined) throw invalid('cannotParse', `The path of ${name} is not encoded as a URL requires.`);
    input[member] = value;
  }
  return input;
}

function readQuery(route: Route, operation: Operation, query: string): RawInput {
  const input: Record<string, RawValue> = {};
  const parameters = decodeQuery(query);
  if (!parameters) throw invalid('cannotParse', `The query of ${route.name} is not encoded as a URL requires.`);
  for (const [name, value] of parameters) {
    if (/^x-amz-/i.test(name)) continue;
    const member = route.query && Object.hasOwn(route.query, name) ? route.query[name] : undefined;
    if (member === undefined) throw invalid('fieldValidationFailed', `${route.name} has no parameter ${name}.`);
    const type = operation.input[member]?.type;
    const before = input[member];
    if (type === 'list') {
      input[member] = [...((before ?? []) as readonly RawValue[]), value];
      continue;
    }
    if (before !== undefined) throw invalid('cannotParse', `The parameter ${name} is given twice.`);
    if (type === 'integer' && !INTEGER.test(value)) {
      throw invalid('cannotParse', `The parameter ${name} is not an integer.`);
    }
    input[member] = type === 'integer' ? Number(value) : value;
  }
  return input;
}

/** `given` are the members that path and query fill. */
function readBody(name: string, operation: Operation, given: ReadonlySet<string>, body: Buffer): RawInput {
  if (body.length === 0) return {};
  const members = Object.fromEntries(Object.entries(operation.input).filter(([member]) => !given.has(member)));
  if (Object.keys(members).length === 0) throw invalid('cannotParse', `${name} takes no body.`);
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(body));
  } catch {
    throw invalid('cannotParse', `The body of ${name} is not JSON in UTF-8.`);
  }
  return readValue({ type: 'structure', members }, value, name) as RawInput;
}

/** Only as deep as the shape goes, however deep the JSON is. What has another type than its shape is refused later. */
function readValue(shape: Shape, value: unknown, path: string): RawValue {
  if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) {
    throw invalid('cannotParse', `${path} is no Unicode text.`);
  }
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (shape.type === 'integer' && !Number.isSafeInteger(value)) {
      throw invalid('cannotParse', `${path} is not an integer.`);
    }
    return value;
  }
  if (typeof value !== 'object' || value === null) throw invalid('cannotParse', `${path} must not be null.`);
  if (Array.isArray(value)) {
    return shape.type === 'list' ? value.map((item) => readValue(shape.of, item, `${path}[]`)) : [];
  }
  // A member that is null is one that is not there.
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  if (shape.type === 'map') return textMap(entries, path);
  if (shape.type !== 'structure') return {};
  return Object.fromEntries(
    entries.map(([member, item]) => {
      const of = Object.hasOwn(shape.members, member) ? shape.members[member] : undefined;
      if (!of) throw invalid('fieldValidationFailed', `${path} has no member ${member.slice(0, 128)}.`);
      return [member, readValue(of, item, `${path}.${member}`)];
    }),
  );
}

function textMap(entries: readonly [string, unknown][], path: string): RawValue {
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (typeof item !== 'string' || /\p{Surrogate}/u.test(key + item)) {
        throw invalid('cannotParse', `${path} is a map of texts.`);
      }
      return [key, item];
    }),
  );
}

function split(target: string): [string, string] {
  const question = target.indexOf('?');
  return question === -1 ? [target, ''] : [target.slice(0, question), target.slice(question + 1)];
}

function json(status: number, headers: Record<string, string>, body: object): HttpAnswer {
  return { status, contentType: 'application/json', headers, body: JSON.stringify(body, timestamps) };
}

/** Timestamps are seconds since 1970. A replacer sees dates after `toJSON`, so it looks at the holder. */
function timestamps(this: unknown, key: string, value: unknown): unknown {
  const held = (this as Record<string, unknown>)[key];
  return held instanceof Date ? held.getTime() / 1000 : value;
}

function invalid(reason: 'cannotParse' | 'fieldValidationFailed', say: string): Refused<'validation'> {
  return new Refused('validation', { say, detail: say, fields: { reason } });
}

function unsupported(say: string): Refused<'unknown-operation'> {
  return new Refused('unknown-operation', { say, detail: say });
}
