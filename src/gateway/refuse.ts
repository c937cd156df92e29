import type { Socket } from 'node:net';
import { type ErrorFields, errorResponse } from '../pgwire/messages.ts';
import type { AccessKind, Refused, WireKind } from '../refused.ts';

/**
 * What a refused client is told. Observed of the service (with its source in the facts this project keeps): the one
 * message for everything that has to do with access, the reason only in the HINT, 08006 for an action that is not
 * allowed, 28000 for a missing mapping, 08P01 for an unknown role and for plain text. The other SQLSTATEs are guesses;
 * docs/differences.md lists them.
 */
const ACCESS_DENIED = 'unable to accept connection, access denied';

/** The service's words for its quotas; for limits that only Postern has, too. */
const TOO_MANY = { code: '53300', message: 'Unable to accept connection, too many open connections.' };
const TOO_FAST = { code: '53400', message: 'Unable to accept connection, rate exceeded.' };

type GatewayKind = AccessKind | WireKind;

const TEXTS: Record<GatewayKind, { code: string; message: string }> = {
  'signature-malformed': { code: '08006', message: ACCESS_DENIED },
  'signature-expired': { code: '08006', message: ACCESS_DENIED },
  'signature-not-yet-valid': { code: '08006', message: ACCESS_DENIED },
  'lifetime-too-long': { code: '08006', message: ACCESS_DENIED },
  'scope-mismatch': { code: '08006', message: ACCESS_DENIED },
  'host-mismatch': { code: '08006', message: ACCESS_DENIED },
  'unknown-key': { code: '08006', message: ACCESS_DENIED },
  'inactive-key': { code: '08006', message: ACCESS_DENIED },
  'session-token-invalid': { code: '08006', message: ACCESS_DENIED },
  'session-token-expired': { code: '08006', message: ACCESS_DENIED },
  'signature-mismatch': { code: '08006', message: ACCESS_DENIED },
  'action-denied': { code: '08006', message: ACCESS_DENIED },
  'foreign-account': { code: '08006', message: ACCESS_DENIED },
  'audit-unavailable': { code: '58030', message: 'unable to accept connection, please retry later' },
  'wrong-action': { code: '08006', message: ACCESS_DENIED },
  'unknown-cluster': { code: '08006', message: ACCESS_DENIED },
  'cluster-not-ready': { code: '57P03', message: 'unable to accept connection, please retry later' },
  'cluster-deleting': { code: '08006', message: ACCESS_DENIED },
  'unknown-role': { code: '08P01', message: ACCESS_DENIED },
  'no-mapping': { code: '28000', message: ACCESS_DENIED },
  'no-login': { code: '28000', message: ACCESS_DENIED },
  'mapping-revoked': { code: '28000', message: ACCESS_DENIED },
  'too-many-connections': TOO_MANY,
  'rate-exceeded': TOO_FAST,
  'failed-logins-exceeded': TOO_FAST,
  'address-connections-exceeded': TOO_MANY,
  'address-rate-exceeded': TOO_FAST,
  'principal-connections-exceeded': TOO_MANY,
  'principal-rate-exceeded': TOO_FAST,
  'open-files-exceeded': TOO_MANY,
  'waking-up': {
    code: '57P03',
    message: 'unable to accept connection, waking up cluster, please retry later',
  },
  'cluster-deleted': { code: '57P01', message: 'terminating connection due to administrator command' },
  'protocol-violation': { code: '08P01', message: 'protocol violation' },
  'tls-required': { code: '08P01', message: 'unable to accept connection, SSL is mandatory' },
  'server-name-missing': { code: '08006', message: 'unable to accept connection, sni was not received' },
  'unsupported-parameter': { code: '0A000', message: 'setting configuration parameter not supported' },
  'unsupported-protocol': { code: '0A000', message: 'unsupported frontend protocol' },
  'unknown-database': { code: '3D000', message: 'database does not exist' },
  'login-timeout': { code: '08006', message: 'unable to accept connection, the login took too long' },
  'engine-unavailable': { code: '57P03', message: 'unable to accept connection, please retry later' },
  // The engine's own text and code, about what the client asked for.
  'engine-refused': { code: '58000', message: 'unable to accept connection' },
  'shutting-down': { code: '57P01', message: 'terminating connection due to administrator command' },
};

/** The FATAL error for a refusal. */
export function refusalFields(refusal: Refused): ErrorFields {
  const text = TEXTS[refusal.kind as GatewayKind];
  return {
    severity: 'FATAL',
    code: refusal.fields['code'] ?? text.code,
    message: refusal.say ?? text.message,
    hint: refusal.hint,
  };
}

/** For what is a bug: the id leads to the whole story in the server's log. */
export function internalErrorFields(connectionId: string): ErrorFields {
  return { severity: 'FATAL', code: 'XX000', message: `internal error (connection ${connectionId})` };
}

/** How much a refused client may still send, in bytes, and for how long, in ms, while its error is on the way. */
const DRAIN_BYTES = 4 * 1024 * 1024;
const DRAIN_TIME = 2_000;

/**
 * Says the last word and closes. What the client is still sending is read and thrown away for a moment: closing a
 * socket with unread bytes resets it, and the client would lose the error.
 */
export function sayAndEnd(socket: Socket, fields: ErrorFields | undefined): void {
  if (socket.destroyed) return;
  let drained = 0;
  const timer = setTimeout(() => socket.destroy(), DRAIN_TIME);
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > DRAIN_BYTES) socket.destroy();
  });
  socket.once('end', () => socket.destroySoon());
  socket.once('close', () => clearTimeout(timer));
  if (fields) socket.end(errorResponse(fields));
  else socket.end();
  socket.resume();
}
