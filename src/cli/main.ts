#!/usr/bin/env node
import { ConfigurationError } from '../config/configuration-error.ts';
import { describeCommand, OVERVIEW } from './help.ts';

type Run = (argv: readonly string[]) => Promise<number> | number;

/** Each command is loaded when it is asked for: `postern token` must not wait for a server's code. */
const COMMANDS: Record<string, () => Promise<Run>> = {
  start: async () => (await import('./start.ts')).runStart,
  exec: async () => (await import('./exec.ts')).runExec,
  env: async () => (await import('./env.ts')).runEnv,
  token: async () => (await import('./token.ts')).runTokenCommand,
  hosts: async () => (await import('./hosts.ts')).runHosts,
  'rotate-seal-key': async () => (await import('./rotate-seal-key.ts')).runRotateSealKey,
  backup: async () => (await import('./backup.ts')).runBackup,
  restore: async () => (await import('./backup.ts')).runRestore,
  audit: async () => (await import('./audit.ts')).runAudit,
  why: async () => (await import('./why.ts')).runWhy,
  access: async () => (await import('./access.ts')).runAccess,
};

async function main([name, ...argv]: string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(OVERVIEW);
    return 2;
  }
  if (name === '--version' || name === '-V') {
    const { default: facts } = await import('../../package.json', { with: { type: 'json' } });
    process.stdout.write(`postern ${facts.version}\n`);
    return 0;
  }
  const asked =
    name === 'help' || name === '--help' || name === '-h' ? (argv[0] ?? '') : asksForHelp(argv) ? name : undefined;
  if (asked !== undefined) return help(asked);
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) throw new ConfigurationError(`${name}: unknown command (postern help)`);
  return await (await load())(argv);
}

/** Before `--`: what stands behind it belongs to another command. */
function asksForHelp(argv: readonly string[]): boolean {
  const dashes = argv.indexOf('--');
  return (dashes < 0 ? argv : argv.slice(0, dashes)).some((word) => word === '--help' || word === '-h');
}

function help(command: string): number {
  const text = command === '' ? OVERVIEW : describeCommand(command);
  if (text === undefined) throw new ConfigurationError(`help: ${command}: unknown command (postern help)`);
  process.stdout.write(text);
  return 0;
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: Error) => {
    const usage = error instanceof ConfigurationError || 'option' in error;
    process.stderr.write(`postern: ${usage ? error.message : (error.message ?? String(error))}\n`);
    process.exit(usage ? 2 : 1);
  },
);
