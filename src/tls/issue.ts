/** Makes certificates (RFC 5280): the local authority's own, and the server's that it signs. */
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { installReflectMetadata } from './reflect-metadata.ts';

/** PEM. */
export interface CertificateAndKey {
  cert: string;
  key: string;
}

export interface CertificateNames {
  /** Wildcards allowed, in the first label. */
  dns: readonly string[];
  ip: readonly string[];
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Clients refuse server certificates of more than 398 days (CA/Browser Forum, Baseline Requirements, section 6.3.2). */
const SERVER_DAYS = 396;
/** A client in another container may be a little behind. */
const HEAD_START = 3_600_000;

/** Loading takes longer than everything else here, and most starts find certificates already made. */
async function library(): Promise<typeof import('@peculiar/x509')> {
  installReflectMetadata();
  return import('@peculiar/x509');
}

function serialNumber(): string {
  const serial = randomBytes(16);
  // A positive number whose first byte is not zero.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial.toString('hex');
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function keyPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

/** A new authority for ten years. It signs nothing but end-entity certificates. */
export async function issueAuthority(now: Date): Promise<CertificateAndKey> {
  const x509 = await library();
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Postern local CA ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(now.getTime() - HEAD_START),
    notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: keyPem(keys.privateKey) };
}

/** A server certificate for these names, for 396 days but no longer than the authority's own. */
export async function issueServer(
  authority: CertificateAndKey,
  names: CertificateNames,
  now: Date,
): Promise<CertificateAndKey> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.cert);
  const keys = await newKeys();
  const end = Math.min(now.getTime() + SERVER_DAYS * DAY, issuer.notAfter.getTime());
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Postern',
    issuer: issuer.subject,
    notBefore: new Date(now.getTime() - HEAD_START),
    notAfter: new Date(end),
    signingAlgorithm: ALGORITHM,
    signingKey: await signingKey(authority.key),
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...names.dns.map((value) => ({ type: 'dns' as const, value })),
        ...names.ip.map((value) => ({ type: 'ip' as const, value })),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: keyPem(keys.privateKey) };
}
