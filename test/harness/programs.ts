import { execFile, spawnSync } from 'node:child_process';

/** Whether a program that tests use as a client is on this machine. */
export function has(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

export const HAS_PSQL = has('psql', '--version');
/** One that knows Aurora DSQL. */
export const HAS_BOTO3 = has('python3', '-c', "import boto3; boto3.client('dsql', region_name='us-east-1')");
if (!HAS_BOTO3) console.info('skipped: boto3 tests need python3 with a boto3 that knows Aurora DSQL');

export interface Finished {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. Never rejects: the status is part of what is tested. */
export function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  options: { cwd?: string; input?: string } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      { env: { ...process.env, ...env }, cwd: options.cwd, maxBuffer: 64 * 1024 * 1024, timeout: 60_000 },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ status, stdout, stderr });
      },
    );
    child.stdin?.end(options.input ?? '');
  });
}

/** psql without the user's own settings: tuples only, unaligned. */
export function psql(env: NodeJS.ProcessEnv, ...commands: string[]): Promise<Finished> {
  return run('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', ...commands.flatMap((text) => ['-c', text])], env);
}
