/**
 * The certificates of a data directory: a local authority that clients are told to trust, made once and kept, and a
 * server certificate that is made again whenever it no longer fits.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../machine/atomic-file.ts';
import { type CertificateAndKey, type CertificateNames, issueAuthority, issueServer } from './issue.ts';

export interface Certificates {
  /** The file that a client's `sslrootcert` names. */
  caFile: string;
  /** PEM, as are the others. */
  ca: string;
  cert: string;
  key: string;
}

const RENEW_BEFORE = 30 * 86_400_000;

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The certificate when both parse and belong together. */
function parsePair(pair: CertificateAndKey): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pair.cert);
    return certificate.checkPrivateKey(createPrivateKey(pair.key)) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

async function ensureAuthority(certFile: string, keyFile: string, now: Date): Promise<CertificateAndKey> {
  const [cert, key] = await Promise.all([readIfThere(certFile), readIfThere(keyFile)]);
  if (cert === undefined) {
    // A key alone is what a start leaves that was cut off: no client has seen a certificate of it.
    const made = await issueAuthority(now);
    await writeAtomically(keyFile, made.key, 0o600);
    await writeAtomically(certFile, made.cert, 0o644);
    return made;
  }
  // Clients trust this authority by its file. Making another one would break them without a word.
  const remedy = `restore it, or remove ${certFile} to have a new authority made, which every client must then trust`;
  if (key === undefined) throw new Error(`${keyFile} is missing: ${remedy}`);
  const certificate = parsePair({ cert, key });
  if (certificate === undefined) throw new Error(`${keyFile} is not the key of ${certFile}: ${remedy}`);
  if (Date.parse(certificate.validTo) <= now.getTime()) {
    throw new Error(`${certFile} expired on ${certificate.validTo}: remove it to have a new authority made`);
  }
  return { cert, key };
}

function covers(certificate: X509Certificate, names: CertificateNames): boolean {
  const covered = new Set((certificate.subjectAltName ?? '').toLowerCase().split(', '));
  return (
    names.dns.every((name) => covered.has(`dns:${name.toLowerCase()}`)) &&
    names.ip.every((address) => certificate.checkIP(address) !== undefined)
  );
}

function stillFits(server: CertificateAndKey, ca: string, names: CertificateNames, now: Date): boolean {
  const certificate = parsePair(server);
  if (certificate === undefined) return false;
  const issuer = new X509Certificate(ca);
  const left = Date.parse(certificate.validTo) - now.getTime();
  return (
    certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey) &&
    Date.parse(certificate.validFrom) <= now.getTime() &&
    // Towards the end of the authority itself there is nothing longer to be had.
    (left >= RENEW_BEFORE || (left > 0 && certificate.validTo === issuer.validTo)) &&
    covers(certificate, names)
  );
}

/**
 * The certificates of `folder`, made where they are missing: `ca.crt` (0644), `ca.key`, `server.crt` and `server.key`
 * (0600). The server's is renewed when it has less than 30 days left, lacks a name, or does not match its key or the
 * authority.
 * Throws Error when the authority's files are there but unusable: the authority is never replaced silently.
 */
export async function ensureCertificates(options: {
  folder: string;
  names: CertificateNames;
  now: () => Date;
}): Promise<Certificates> {
  const { folder, names } = options;
  const now = options.now();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const caFile = join(folder, 'ca.crt');
  const authority = await ensureAuthority(caFile, join(folder, 'ca.key'), now);

  const certFile = join(folder, 'server.crt');
  const keyFile = join(folder, 'server.key');
  const [cert = '', key = ''] = await Promise.all([readIfThere(certFile), readIfThere(keyFile)]);
  let server: CertificateAndKey = { cert, key };
  if (!stillFits(server, authority.cert, names, now)) {
    server = await issueServer(authority, names, now);
    // A start that is cut off in between leaves a pair that does not match, and the next start renews it.
    await writeAtomically(keyFile, server.key, 0o600);
    await writeAtomically(certFile, server.cert, 0o600);
  }
  return { caFile, ca: authority.cert, ...server };
}
