import { Refused } from '../../refused.ts';
import type { HttpAnswer, HttpRequest, Operations, Protocol, Service } from '../operation.ts';
import { readParameters } from './form.ts';
import { unflatten } from './unflatten.ts';
import { escapeXml, xmlMembers } from './xml.ts';

/** AWS Query: parameters in a form or a query string, answers in XML. */
export interface QueryService {
  /** The API version, which every request names. */
  version: string;
  namespace: string;
  operations: Operations;
  /** Names of operations that the service has on AWS and not here. */
  unsupported?: ReadonlySet<string>;
}

/** IAM gives policies URL-encoded (RFC 3986), also within its XML. */
const ENCODED = new Set(['PolicyDocument', 'AssumeRolePolicyDocument', 'Document']);

export function createQueryService({ version, namespace, operations, unsupported }: QueryService): Service {
  return {
    protocol: queryProtocol(namespace),
    ask(request) {
      if (!isQuery(request)) throw unknown(`Could not find an operation for ${request.method} on this path.`);
      const parameters = new Map(readParameters(request));
      const name = parameters.get('Action');
      if (name === undefined) throw unknown('The request has no parameter Action.');
      const asked = parameters.get('Version');
      if (asked === version && unsupported?.has(name)) throw unsupportedOperation(name);
      const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
      if (!operation || asked !== version) {
        const of = asked === undefined ? 'without a Version' : `for version ${asked.slice(0, 32)}`;
        throw unknown(`Could not find operation ${name.slice(0, 128)} ${of}`);
      }
      parameters.delete('Action');
      parameters.delete('Version');
      return { name, operation, input: unflatten(parameters, operation.input) };
    },
  };
}

/** Where Query requests go, and how. */
export function isQuery({ method, target }: HttpRequest): boolean {
  return target.split('?', 1)[0] === '/' && (method === 'POST' || method === 'GET');
}

export function unsupportedOperation(name: string): Refused<'unsupported-operation'> {
  const say = `The operation ${name} is not supported by this server.`;
  return new Refused('unsupported-operation', { say, detail: say });
}

/** Without a namespace for answers to requests that name no service. */
export function queryProtocol(namespace?: string): Protocol {
  const xmlns = namespace === undefined ? '' : ` xmlns="${namespace}"`;
  return {
    kind: 'query',
    answer(name, output, requestId) {
      const members = output && xmlMembers(output, (element, text) => (ENCODED.has(element) ? encode(text) : text));
      const result = members === undefined ? '' : `<${name}Result>${members}</${name}Result>`;
      const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
      return xml(200, `<${name}Response${xmlns}>${result}${metadata}</${name}Response>`);
    },
    fault({ status, code, message }, requestId) {
      const type = status < 500 ? 'Sender' : 'Receiver';
      const error = `<Type>${type}</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message>`;
      const body = `<Error>${error}</Error><RequestId>${requestId}</RequestId>`;
      return xml(status, `<ErrorResponse${xmlns}>${body}</ErrorResponse>`);
    },
  };
}

function xml(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/xml', headers: {}, body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}\n` };
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unknown(say: string): Refused<'unknown-operation'> {
  return new Refused('unknown-operation', { say, detail: say });
}
