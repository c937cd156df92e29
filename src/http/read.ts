import type { IncomingMessage } from 'node:http';
import { Refused } from '../refused.ts';
import type { HeldBody } from './held-bodies.ts';
import type { HttpRequest } from './operation.ts';

/** Far above the largest request of the three services: a policy of 131,072 characters, each encoded as %XX. */
export const MAX_BODY = 1024 * 1024;

/** Whether it announces more than is read. */
export function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > MAX_BODY;
}

/**
 * Reads a request whole. Throws Refused `request-too-large`, and what `room` throws; rejects with the stream's error when the client goes away.
 * How long it may take is the server's limit.
 */
export async function readRequest(incoming: IncomingMessage, room: HeldBody): Promise<HttpRequest> {
  const tooLarge = () => {
    const detail = `the body has more than ${MAX_BODY} bytes`;
    return new Refused('request-too-large', { say: `Request is too large: ${detail}.`, detail });
  };
  // What is announced as too large is refused before any of it is taken.
  if (isTooLarge(incoming)) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY) throw tooLarge();
    room.take((chunk as Buffer).length);
    chunks.push(chunk as Buffer);
  }
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    headers.push([incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!]);
  }
  return { method: incoming.method ?? '', target: incoming.url ?? '', headers, body: Buffer.concat(chunks) };
}
