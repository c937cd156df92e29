import { authenticationOk, backendKeyData, negotiateProtocolVersion, readyForQuery } from '../pgwire/messages.ts';
import type { EngineSession } from './engine-session.ts';
import type { CancelKey } from './sessions.ts';

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
export function greeting(session: EngineSession, key: CancelKey): Buffer {
  return Buffer.concat([
    authenticationOk,
    session.parameters,
    backendKeyData(key.processId, key.secretKey),
    readyForQuery('I'),
  ]);
}
