/** Schedules as text: `## title`, then `session: statement => outcome` a line; a line without an outcome must succeed. */
import { readFileSync } from 'node:fs';

export interface Line {
  /** `session: statement` */
  text: string;
  outcome: string | undefined;
}

export interface Case {
  title: string;
  lines: readonly Line[];
}

/** `{rows 3}` stands for `(1),(2),(3)`; `{text 3}` for `xxx`. */
function expand(text: string): string {
  return text
    .replace(/\{rows (\d+)\}/g, (_, count) => Array.from({ length: Number(count) }, (__, i) => `(${i + 1})`).join(','))
    .replace(/\{text (\d+)\}/g, (_, length) => 'x'.repeat(Number(length)));
}

const OUTCOMES: Readonly<Record<string, string>> = {
  OC000: '40001 change conflicts with another transaction (OC000)',
  OC001: '40001 schema has been updated by another transaction (OC001)',
  ABORTED: '25P02 current transaction is aborted, commands ignored until end of transaction block',
  TWO_DDL: '0A000 multiple ddl statements not supported in a transaction',
  DDL_DML: '0A000 ddl and dml are not supported in the same transaction',
  TOO_MANY: '54000 transaction row limit exceeded',
  TOO_LARGE: '54000 transaction size limit 10mb exceeded',
};

export function readCases(file: string): Case[] {
  const cases: { title: string; lines: Line[] }[] = [];
  for (const line of readFileSync(new URL(`cases/${file}`, import.meta.url), 'utf8').split('\n')) {
    if (line.startsWith('## ')) cases.push({ title: line.slice(3), lines: [] });
    else if (/^\w+: /.test(line)) {
      const [text = '', outcome] = line.split(' => ');
      cases.at(-1)?.lines.push({ text: expand(text), outcome: outcome && (OUTCOMES[outcome] ?? outcome) });
    } else if (line !== '' && !line.startsWith('#')) throw new Error(`${file}: what is ${line}?`);
  }
  return cases;
}
