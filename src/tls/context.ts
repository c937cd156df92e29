/** How the server speaks TLS, with its own certificates or with those that the operator brings. */
import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ConfigurationError } from '../config/configuration-error.ts';

/** To be spread into the options of a `tls.TLSSocket` or server. */
export interface TlsSettings {
  secureContext: SecureContext;
  ALPNProtocols: string[];
}

/**
 * TLS 1.2 and 1.3. The application protocol is the one of direct TLS (PostgreSQL 17, "SSL Session Encryption"): whoever
 * names another is not a client of PostgreSQL and is refused in the handshake. A client may not begin another handshake
 * on a connection (TLS 1.2), as PostgreSQL forbids it too: it costs the server far more than the client, as often as he likes.
 */
export function createTlsSettings(pair: { cert: string; key: string }): TlsSettings {
  return {
    secureContext: createSecureContext({
      cert: pair.cert,
      key: pair.key,
      minVersion: 'TLSv1.2',
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    }),
    ALPNProtocols: ['postgresql'],
  };
}

export interface OperatorCertificates {
  /** PEM: the server's certificate, then any intermediate ones. */
  cert: string;
  key: string;
  /** What clients shall trust, when it is not a public authority. */
  ca: string | undefined;
  caFile: string | undefined;
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`${option}: cannot read ${file} (${(error as NodeJS.ErrnoException).code})`);
  }
}

function parseCertificate(option: string, file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new ConfigurationError(`${option}: ${file} holds no certificate in PEM`);
  }
}

function parseKey(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new ConfigurationError(`--tls-key: ${file} holds no private key in PEM without a passphrase`);
  }
}

/**
 * Reads and checks the operator's certificates. Throws ConfigurationError, which names the option and the file, when one
 * cannot be read or parsed, is not valid now, or the key belongs to another certificate.
 */
export function loadOperatorCertificates(
  files: { certFile: string; keyFile: string; caFile?: string | undefined },
  now: Date,
): OperatorCertificates {
  const { certFile, keyFile, caFile } = files;
  const cert = read('--tls-cert', certFile);
  const key = read('--tls-key', keyFile);
  const ca = caFile === undefined ? undefined : read('--tls-ca', caFile);
  const certificate = parseCertificate('--tls-cert', certFile, cert);
  if (!certificate.checkPrivateKey(parseKey(keyFile, key))) {
    throw new ConfigurationError(`--tls-key: ${keyFile} is not the key of ${certFile}`);
  }
  if (!(Date.parse(certificate.validTo) > now.getTime())) {
    throw new ConfigurationError(`--tls-cert: ${certFile} expired on ${certificate.validTo}`);
  }
  if (!(Date.parse(certificate.validFrom) <= now.getTime())) {
    throw new ConfigurationError(`--tls-cert: ${certFile} is not valid before ${certificate.validFrom}`);
  }
  if (caFile !== undefined && ca !== undefined) parseCertificate('--tls-ca', caFile, ca);
  return { cert, key, ca, caFile };
}
