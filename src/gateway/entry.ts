import { sourceOf } from '../iam/source-address.ts';
import { Refused } from '../refused.ts';
import type { Gateway } from './gateway.ts';
import type { Admission, Quotas } from './quotas.ts';

/** What a connection has from its first moment on, before it has sent a byte. */
export interface Entry {
  /** Its address has used up what it gets: the connection stays only until it can be told so. */
  refused: Refused | undefined;
  /** The connection is closed. */
  release(): void;
}

/** File descriptors that connections leave for calls of the API, the operator's above all. */
const FOR_API = 64;
/** Those that sessions leave for connections, so that one too many can be told so. */
const FOR_REFUSALS = 64;
/** What must be left when a session takes its second. */
export const SPARE_FILES = FOR_API + FOR_REFUSALS;

/** Undefined where there is no room for the connection, nor for telling it so. `address` is the client's. */
export function enter(
  address: string,
  { openFiles, addressQuotas, addressRefusals }: Pick<Gateway, 'openFiles' | 'addressQuotas' | 'addressRefusals'>,
): Entry | undefined {
  const file = openFiles.take(FOR_API);
  if (!file) return undefined;
  const source = sourceOf(address);
  const admitted = admission(addressQuotas, source);
  const refused = admitted instanceof Refused ? admitted : undefined;
  // Being told costs a TLS handshake: a few get it, the others find their connection closed.
  const place = admitted instanceof Refused ? admission(addressRefusals, source) : admitted;
  if (place instanceof Refused) {
    file.release();
    return undefined;
  }
  return {
    refused,
    release() {
      file.release();
      place.release();
    },
  };
}

function admission(quotas: Quotas, holder: string): Admission | Refused {
  try {
    return quotas.admit(holder);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}
