import type { RawInput, RawValue } from '../../iam/input.ts';
import { Refused } from '../../refused.ts';
import { decodeQuery } from '../../sigv4/canonical-request.ts';
import type { HttpAnswer, HttpRequest, Operation, Protocol, Service } from '../operation.ts';

/** REST JSON: an operation is a method and a path, its parameters are in path and query, its answers in JSON. */
export interface Route {
  name: string;
  method: string;
  /** Groups are named like the members that they fill. */
  path: RegExp;
  /** Query parameter -> member. */
  query: Readonly<Record<string, string>>;
  operation: Operation;
}

const INTEGER = /^-?\d{1,15}$/;

export function createRestService(routes: readonly Route[]): Service {
  return {
    protocol: REST_JSON,
    ask(request) {
      const [path = '', query] = split(request.target);
      for (const route of routes) {
        const found = route.method === request.method ? route.path.exec(path) : null;
        if (!found) continue;
        if (request.body.length > 0) throw invalid('cannotParse', `${route.name} takes no body.`);
        const input = { ...found.groups, ...readQuery(route, query) };
        return { name: route.name, operation: route.operation, input };
      }
      throw unsupported(request, path);
    },
  };
}

export const REST_JSON: Protocol = {
  kind: 'rest',
  answer: (_name, output, _requestId) => json(200, {}, output ?? {}),
  fault: ({ status, code, message, fields }) => json(status, { 'x-amzn-ErrorType': code }, { message, ...fields }),
};

function readQuery(route: Route, query: string): RawInput {
  const input: Record<string, RawValue> = {};
  for (const [name, value] of decodeQuery(query) ?? []) {
    if (/^x-amz-/i.test(name)) continue;
    const member = Object.hasOwn(route.query, name) ? route.query[name] : undefined;
    if (member === undefined) throw invalid('fieldValidationFailed', `${route.name} has no parameter ${name}.`);
    if (Object.hasOwn(input, member)) throw invalid('cannotParse', `The parameter ${name} is given twice.`);
    const isInteger = route.operation.input[member]?.type === 'integer';
    if (isInteger && !INTEGER.test(value)) throw invalid('cannotParse', `The parameter ${name} is not an integer.`);
    input[member] = isInteger ? Number(value) : value;
  }
  return input;
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

function unsupported(request: HttpRequest, path: string): Refused<'unknown-operation'> {
  const say = `The operation ${request.method} ${path.slice(0, 128)} is not supported.`;
  return new Refused('unknown-operation', { say, detail: say });
}
