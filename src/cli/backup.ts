import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BackupDone } from '../backup/backup.ts';
import { restore } from '../backup/restore.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import { askOperator, NO_LIMIT } from './operator.ts';

const text = { type: 'string' } as const;

/** `postern backup`: asks the server that runs on the data directory to copy all of it. Resolves to the exit status. */
export async function runBackup(argv: readonly string[]): Promise<number> {
  const values = parse('backup', argv, { to: text, 'include-key': { type: 'boolean' } });
  if (!values.to) throw new ConfigurationError('--to: is missing (a folder that is not there yet)');
  const to = resolve(values.to as string);
  const parameters = { to, key: values['include-key'] ? 'yes' : 'no' };
  const done = await askOperator<BackupDone>(dataDirOf(values), '/backup', parameters, NO_LIMIT);
  if (!done) throw new Error('the server does not make backups: it is of another version');
  const { files, size, databases } = done;
  const key = values['include-key'] ? 'The sealing key is in it.' : 'The sealing key is not in it: keep it elsewhere.';
  process.stdout.write(`${to}: ${databases + 1} databases, ${files} files, ${(size / 1e6).toFixed(1)} MB. ${key}\n`);
  return 0;
}

/** `postern restore`: makes a new data directory of a backup. Resolves to the exit status. */
export async function runRestore(argv: readonly string[]): Promise<number> {
  const values = parse('restore', argv, { from: text, 'key-file': text });
  if (!values.from) throw new ConfigurationError('--from: is missing (the folder of a backup)');
  const keyFile = values['key-file'] as string | undefined;
  const dataDir = dataDirOf(values);
  const manifest = await restore(resolve(values.from as string), dataDir, keyFile && resolve(keyFile));
  const key =
    manifest.hasKey || keyFile
      ? ''
      : `Put the sealing key into ${dataDir}/seal.key (mode 600) or POSTERN_SEAL_KEY before it is started. `;
  process.stdout.write(
    `${dataDir}: as of ${manifest.endedAt}, account ${manifest.account}, region ${manifest.region}. ${key}\n`,
  );
  return 0;
}

type Values = Record<string, string | boolean | undefined>;

function parse(
  command: string,
  argv: readonly string[],
  options: Record<string, { type: 'string' | 'boolean' }>,
): Values {
  try {
    const all = { ...options, 'data-dir': text, config: text };
    return parseArgs({ args: [...argv], options: all }).values as Values;
  } catch (error) {
    throw new ConfigurationError(`${command}: ${(error as Error).message}`);
  }
}

function dataDirOf(values: Values): string {
  const flags = ['data-dir', 'config'].flatMap((name) =>
    typeof values[name] === 'string' ? [`--${name}`, values[name]] : [],
  );
  return readOptions('env', flags, process.env, process.cwd()).options.dataDir as string;
}
