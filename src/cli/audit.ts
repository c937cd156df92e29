import { join } from 'node:path';
import type { Link } from '../audit/chain.ts';
import { readChainKey, TRAIL_FOLDER, trailFolder } from '../audit/trail-folder.ts';
import { type Finding, type TrailVerdict, verifyTrail } from '../audit/verify-trail.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { findSealer } from '../state/sealing.ts';
import { PLACE, readFlags, readPlace, SWITCH, TEXT } from './flags.ts';

/** `postern audit verify`. Resolves to the exit status: 0 whole, 1 broken. Throws Errors where there is nothing to verify. */
export async function runAudit(argv: readonly string[]): Promise<number> {
  const { dataDir, json, through } = readArguments(argv);
  const path = join(dataDir, TRAIL_FOLDER);
  const sealer = await findSealer({ folder: dataDir, env: process.env });
  if (!sealer) throw new Error(`${dataDir}: there is no key that seals it (seal.key, or POSTERN_SEAL_KEY)`);
  const key = await readChainKey(path, sealer);
  if (!key) throw new Error(`${path}: there is no audit log with a key`);
  const verdict = await verifyTrail(trailFolder(path), key, through);
  process.stdout.write(json ? `${JSON.stringify(verdict, null, 2)}\n` : formatVerdict(verdict));
  return verdict.problems.length === 0 ? 0 : 1;
}

function readArguments(argv: readonly string[]): { dataDir: string; json: boolean; through: Link | undefined } {
  const { values, positionals } = readFlags(
    'audit',
    argv,
    { json: SWITCH, through: TEXT, ...PLACE },
    { allowPositionals: true },
  );
  const [what, ...more] = positionals;
  if (what !== 'verify')
    throw new ConfigurationError(`audit: ${what ?? 'what to do'}: postern audit verify is what there is`);
  if (more.length > 0) throw new ConfigurationError(`${more[0]}: unexpected argument`);
  return { dataDir: readPlace(values).dataDir, json: values.json ?? false, through: readLink(values.through) };
}

function readLink(text: string | undefined): Link | undefined {
  if (text === undefined) return undefined;
  const [, sequence, seal] = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || seal === undefined) {
    throw new ConfigurationError(
      `--through: ${JSON.stringify(text)} is no NUMBER:SEAL, as postern audit verify prints it`,
    );
  }
  return { sequence: Number(sequence), seal };
}

export function formatVerdict({ problems, notes, files, lines, last }: TrailVerdict): string {
  const show = (mark: string) => (finding: Finding) => `${mark} ${place(finding)}${finding.text}`;
  const size = `${lines} ${lines === 1 ? 'line' : 'lines'} in ${files} ${files === 1 ? 'file' : 'files'}`;
  const told = [
    ...problems.map(show('BROKEN')),
    ...notes.map(show('note  ')),
    problems.length === 0 ? `whole: ${size}` : `not as it was written: ${size}`,
  ];
  // For --through.
  if (last) told.push(`last line: ${last.sequence}:${last.seal}`);
  return `${told.join('\n')}\n`;
}

function place({ file, line }: Finding): string {
  if (file === undefined) return '';
  return line === undefined ? `${file}: ` : `${file}:${line}: `;
}
