import { Refused } from '../../refused.ts';
import { decodeQuery } from '../../sigv4/canonical-request.ts';
import { uriDecode } from '../../sigv4/encoding.ts';
import type { HttpRequest } from '../operation.ts';

/** Parameters of a Query request, each name once. */
export type Parameters = ReadonlyMap<string, string>;

const MAX_PARAMETERS = 1000;
const MAX_NAME = 256;
const FORM = /^application\/x-www-form-urlencoded(?:\s*;|$)/i;

/**
 * The parameters of the query string and of the form body together. A name that comes twice is refused: which of the two
 * counts would be a guess. Throws Refused `validation` or `request-too-large`.
 */
export function readParameters(request: HttpRequest): Parameters {
  const question = request.target.indexOf('?');
  const query = decodeQuery(question === -1 ? '' : request.target.slice(question + 1)) ?? [];
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    // Those of a presigned request are the signature's, and read there.
    if (!/^x-amz-/i.test(name)) add(parameters, name, value);
  }
  if (request.body.length > 0) {
    const type = request.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
    if (!FORM.test(type)) throw invalid('The body must be of type application/x-www-form-urlencoded.');
    const text = request.body.toString('latin1');
    if (!/^[\u0020-\u007e]*$/.test(text)) throw invalid('The body is not encoded as a form requires.');
    for (const pair of text.split('&', MAX_PARAMETERS + 1)) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      add(
        parameters,
        decode(equals < 0 ? pair : pair.slice(0, equals)),
        equals < 0 ? '' : decode(pair.slice(equals + 1)),
      );
    }
  }
  return parameters;
}

function add(parameters: Map<string, string>, name: string, value: string): void {
  if (name.length > MAX_NAME) throw invalid(`The name of a parameter has more than ${MAX_NAME} characters.`);
  if (parameters.has(name)) throw invalid(`The parameter ${name} is given twice.`);
  if (parameters.size >= MAX_PARAMETERS) {
    const detail = `more than ${MAX_PARAMETERS} parameters`;
    throw new Refused('request-too-large', { say: `The request has ${detail}.`, detail });
  }
  parameters.set(name, value);
}

function decode(text: string): string {
  const decoded = uriDecode(text.replaceAll('+', '%20'));
  if (decoded === undefined) throw invalid('The body is not encoded as a form requires.');
  return decoded;
}

function invalid(say: string): Refused<'validation'> {
  return new Refused('validation', { say, detail: say });
}
