import { resolve } from 'node:path';
import type { BackupDone } from '../backup/backup.ts';
import { restore } from '../backup/restore.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { PLACE, readFlags, readPlace, SWITCH, TEXT } from './flags.ts';
import { askOperator, NO_LIMIT } from './operator.ts';

/** `postern backup`: asks the server that runs on the data directory to copy all of it. Resolves to the exit status. */
export async function runBackup(argv: readonly string[]): Promise<number> {
  const { values } = readFlags('backup', argv, { to: TEXT, 'include-key': SWITCH, ...PLACE });
  if (!values.to) throw new ConfigurationError('--to: is missing (a folder that is not there yet)');
  const to = resolve(values.to);
  const parameters = { to, key: values['include-key'] ? 'yes' : 'no' };
  const done = await askOperator<BackupDone>(readPlace(values).dataDir, '/backup', parameters, NO_LIMIT);
  if (!done) throw new Error('the server does not make backups: it is of another version');
  const { files, size, databases } = done;
  const key = values['include-key'] ? 'The sealing key is in it.' : 'The sealing key is not in it: keep it elsewhere.';
  process.stdout.write(`${to}: ${databases + 1} databases, ${files} files, ${(size / 1e6).toFixed(1)} MB. ${key}\n`);
  return 0;
}

/** `postern restore`: makes a new data directory of a backup. Resolves to the exit status. */
export async function runRestore(argv: readonly string[]): Promise<number> {
  const { values } = readFlags('restore', argv, { from: TEXT, 'key-file': TEXT, ...PLACE });
  if (!values.from) throw new ConfigurationError('--from: is missing (the folder of a backup)');
  const keyFile = values['key-file'];
  const dataDir = readPlace(values).dataDir;
  const manifest = await restore(resolve(values.from), dataDir, keyFile && resolve(keyFile));
  const key =
    manifest.hasKey || keyFile
      ? ''
      : `Put the sealing key into ${dataDir}/seal.key (mode 600) or POSTERN_SEAL_KEY before it is started. `;
  process.stdout.write(
    `${dataDir}: as of ${manifest.endedAt}, account ${manifest.account}, region ${manifest.region}. ${key}\n`,
  );
  return 0;
}
