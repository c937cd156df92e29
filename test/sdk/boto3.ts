import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ApiUnderTest, REGION } from './api-under-test.ts';

/** Runs a script of this folder as the account root user, without whoever runs the tests. Its lines of JSON, read. */
export async function runBoto3(
  api: ApiUnderTest,
  script: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<unknown[]> {
  const { stdout } = await promisify(execFile)('python3', [join(import.meta.dirname, script)], {
    env: {
      PATH: process.env.PATH,
      AWS_ENDPOINT_URL: api.endpoint,
      AWS_ACCESS_KEY_ID: api.root.accessKeyId,
      AWS_SECRET_ACCESS_KEY: api.root.secretAccessKey,
      AWS_DEFAULT_REGION: REGION,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      ...variables,
    },
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
