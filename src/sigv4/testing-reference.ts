/** For tests: the reference implementations of Signature Version 4, to compare with. */
import { spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

class Sha256 {
  readonly #sink;
  constructor(secret?: Uint8Array | string) {
    this.#sink = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data: Uint8Array | string): void {
    this.#sink.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#sink.digest();
  }
  reset(): void {}
}

/** The signer of the AWS SDK for JavaScript. */
export function smithySigner(
  service: string,
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
): SignatureV4 {
  return new SignatureV4({ service, region: 'us-east-1', credentials, sha256: Sha256 as never });
}

/** What a Python program that uses boto3 prints, as JSON; undefined on a machine without boto3. */
export function fromBoto(program: string): unknown {
  const probe = spawnSync('python3', ['-c', 'import boto3'], { stdio: 'ignore' });
  if (probe.status !== 0) return undefined;
  const env = { ...process.env, AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null' };
  const run = spawnSync('python3', ['-c', program], { encoding: 'utf8', env });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}
