import type { RawInput } from '../iam/input.ts';
import type { HttpRequest, Protocol, UnsignedOperation } from './operation.ts';
import { readParameters } from './protocols/form.ts';
import { isQuery, queryProtocol, unsupportedOperation } from './protocols/query.ts';
import { unflatten } from './protocols/unflatten.ts';
import { STS_NAMESPACE, STS_VERSION } from './services/sts.ts';

/*
 * The one operation that is called without a signature, since whoever calls it has no AWS credentials yet: the web
 * identity token is its proof. There is no credential scope to name the service, so Action and Version do.
 */

const OPERATION = 'AssumeRoleWithWebIdentity';
/** AWS takes this one unsigned too. */
const UNSUPPORTED = 'AssumeRoleWithSAML';

export const UNSIGNED_PROTOCOL: Protocol = queryProtocol(STS_NAMESPACE);

export interface AskedUnsigned {
  name: typeof OPERATION;
  input: RawInput;
}

/**
 * Undefined for every request but the one. Throws Refused `unsupported-operation` for AssumeRoleWithSAML, and `validation`
 * or `request-too-large` for a request that is the one but for its form.
 */
export function askUnsigned(request: HttpRequest, operation: UnsignedOperation): AskedUnsigned | undefined {
  if (!isQuery(request) || !mentions(request, OPERATION, UNSUPPORTED)) return undefined;
  const parameters = new Map(readParameters(request));
  const name = parameters.get('Action');
  if (parameters.get('Version') !== STS_VERSION) return undefined;
  if (name === UNSUPPORTED) throw unsupportedOperation(UNSUPPORTED);
  if (name !== OPERATION) return undefined;
  parameters.delete('Action');
  parameters.delete('Version');
  return { name, input: unflatten(parameters, operation.input) };
}

/** Cheap, so that what is not signed is refused as such, and not for the form of what nobody has to read. */
function mentions({ target, body }: HttpRequest, ...names: string[]): boolean {
  return names.some((name) => target.includes(name) || body.includes(name, 0, 'latin1'));
}
