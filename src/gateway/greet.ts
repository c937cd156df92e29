import {
  authenticationOk,
  backendKeyData,
  negotiateProtocolVersion,
  parameterStatus,
  readyForQuery,
} from '../pgwire/messages.ts';
import { SERVER_VERSION } from '../sql/dialect/settings.ts';
import type { EngineSession } from './engine-session.ts';
import type { CancelKey } from './sessions.ts';
import type { Dialect } from './settings.ts';

/** The newest minor version of protocol 3 that we speak; 3.1 was never given out. */
export const NEWEST_MINOR = 2;

/** In bytes. Protocol 3.0 has room for four; from 3.2 on it can be a real secret. */
export function cancelKeyLength(minor: number): number {
  return minor >= NEWEST_MINOR ? 32 : 4;
}

/**
 * NegotiateProtocolVersion, where the client asked for more than there is: a newer minor version or options that nobody
 * knows. It must come before the authentication request. Undefined when there is nothing to say.
 */
export function versionAnswer(minor: number, unknownOptions: readonly string[]): Buffer | undefined {
  if (minor <= NEWEST_MINOR && unknownOptions.length === 0) return undefined;
  return negotiateProtocolVersion(Math.min(minor, NEWEST_MINOR), unknownOptions);
}

/** From AuthenticationOk to ReadyForQuery. The cancel key is ours: the engine's never leaves this process. */
export function greeting(session: EngineSession, key: CancelKey, dialect: Dialect): Buffer {
  return Buffer.concat([
    authenticationOk,
    dialect === 'dsql' ? withVersion(session.parameters) : session.parameters,
    backendKeyData(key.processId, key.secretKey),
    readyForQuery('I'),
  ]);
}

/** The ParameterStatus messages with the service's release in the place of the engine's. */
function withVersion(parameters: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, next: number; at < parameters.length; at = next) {
    next = at + 1 + parameters.readInt32BE(at + 1);
    const isVersion = parameters.toString('latin1', at + 5, next).startsWith('server_version\0');
    parts.push(isVersion ? parameterStatus('server_version', SERVER_VERSION) : parameters.subarray(at, next));
  }
  return Buffer.concat(parts);
}
