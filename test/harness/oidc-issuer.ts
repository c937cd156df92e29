import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export interface SigningKey {
  kid: string;
  alg: 'RS256' | 'ES256';
  privateKey: GenerateKeyPairResult['privateKey'];
  jwk: JWK;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export async function makeKey(kid: string, alg: 'RS256' | 'ES256' = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An OpenID Connect provider on a free loopback port. */
export async function startIssuer(first: SigningKey) {
  const keys = [first];
  /** Answers other than the usual ones, by path. */
  const handlers: Record<string, Handler> = {};
  const paths: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    paths.push(path);
    const handler = handlers[path];
    if (handler) return handler(request, response);
    if (path === '/.well-known/openid-configuration') return json(response, configuration());
    if (path === '/keys') return json(response, { keys: keys.map(({ jwk }) => jwk) });
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const configuration = () => ({ issuer: url, jwks_uri: `${url}/keys` });

  return {
    url,
    keys,
    handlers,
    /** What was asked for, oldest first. */
    paths,
    configuration,
    claims(more: JWTPayload = {}): JWTPayload {
      const now = Math.floor(Date.now() / 1000);
      return { iss: url, aud: 'client', sub: 'repo:me/app', iat: now, exp: now + 600, ...more };
    },
    sign(claims: JWTPayload, key: SigningKey = first): Promise<string> {
      return new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid }).sign(key.privateKey);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

export function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
