import { type Head, type Link, MAX_LINE, readHead, readLine, type SealedLine } from './chain.ts';
import { tornLine } from './open-trail.ts';
import { fileName, type TrailFile, type TrailFolder } from './trail-folder.ts';

export interface TrailVerdict {
  problems: Finding[];
  /** What is worth knowing and no sign of tampering. */
  notes: Finding[];
  files: number;
  lines: number;
  last: Link | undefined;
}

export interface Finding {
  file?: string;
  /** From 1. */
  line?: number;
  text: string;
}

/** More problems than that say nothing new. */
const MAX_PROBLEMS = 100;
/** Files that go while they are read were pruned by a server that runs. */
const ATTEMPTS = 3;

/**
 * Reads the whole log and says where it is not as it was written. Changes nothing; a server may write to it meanwhile.
 * `through` is a line that somebody has noted down before: without it a log that was set back to an older copy of itself,
 * head and all, is whole.
 */
export async function verifyTrail(folder: TrailFolder, key: Buffer, through?: Link): Promise<TrailVerdict> {
  for (let attempt = 1; ; attempt++) {
    const before = await folder.readHead();
    const verdict = await verifyOnce(folder, key, before, through);
    if (verdict.problems.length === 0 || attempt === ATTEMPTS) return verdict;
    const firstFile = (text: string | undefined) => text && readHead(key, text)?.first.file;
    if (firstFile(before) === firstFile(await folder.readHead())) return verdict;
  }
}

async function verifyOnce(
  folder: TrailFolder,
  key: Buffer,
  text: string | undefined,
  through: Link | undefined,
): Promise<TrailVerdict> {
  const verdict: TrailVerdict = { problems: [], notes: [], files: 0, lines: 0, last: undefined };
  const head = text === undefined ? undefined : readHead(key, text);
  if (text === undefined) verdict.problems.push({ text: 'the head is missing' });
  else if (!head) verdict.problems.push({ text: 'the head was changed' });
  const walk = new Walk(key, verdict, head, through);
  let expected = head?.first.file;
  for (const file of await folder.files()) {
    if (head && file.number < head.first.file) {
      verdict.notes.push({ file: fileName(file), text: 'is not kept any more and was not removed' });
      continue;
    }
    if (expected !== undefined && file.number !== expected) {
      const [from, to] = [expected, file.number - 1];
      walk.problem({ text: from === to ? `file ${from} is missing` : `files ${from} to ${to} are missing` });
    }
    expected = file.number + 1;
    verdict.files++;
    const why = await readThrough(folder, file, walk);
    if (why !== undefined) walk.problem({ file: fileName(file), text: `cannot be read (${why})` });
  }
  for (const file of await folder.strangers()) walk.problem({ file, text: 'is no file of the audit log' });
  walk.end();
  return verdict;
}

/** A file's lines, one after the other. The system's word for why it cannot be read, if it cannot. */
async function readThrough(folder: TrailFolder, file: TrailFile, walk: Walk): Promise<string | undefined> {
  walk.open(fileName(file));
  try {
    for await (const line of folder.lines(file, MAX_LINE)) walk.line(line.bytes, line.whole);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return code;
  }
}

class Walk {
  readonly #key: Buffer;
  readonly #verdict: TrailVerdict;
  readonly #head: Head | undefined;
  readonly #through: Link | undefined;
  #file = '';
  #number = 0;
  /** The last line that is sealed. */
  #last: Link | undefined;
  /** Lines since then that are not. */
  #unsealed = 0;
  /** The line before, where it is not sealed: it may be one that a killed server has left. */
  #suspect: { bytes: Buffer; finding: Finding } | undefined;
  #torn: Finding | undefined;

  constructor(key: Buffer, verdict: TrailVerdict, head: Head | undefined, through: Link | undefined) {
    this.#through = through;
    this.#key = key;
    this.#verdict = verdict;
    this.#head = head;
    this.#last = head?.first.previous;
  }

  open(file: string): void {
    this.#settle();
    if (this.#torn) this.problem({ ...this.#torn, text: 'the end of the line is missing' });
    this.#torn = undefined;
    this.#file = file;
    this.#number = 0;
  }

  line(bytes: Buffer, whole: boolean): void {
    this.#number++;
    const place = { file: this.#file, line: this.#number };
    if (!whole) {
      this.#torn = { ...place, text: `is torn after ${bytes.length} bytes` };
      return;
    }
    const sealed = readLine(this.#key, bytes);
    if (!sealed) {
      this.#settle();
      this.#unsealed++;
      const finding = { ...place, text: 'was changed or inserted: it does not carry its seal' };
      this.#suspect = { bytes: Buffer.from(bytes), finding };
      return;
    }
    this.#verdict.lines++;
    this.#readOpening(bytes, place);
    this.#settle();
    this.#compare(sealed, place);
    this.#last = sealed.link;
    this.#unsealed = 0;
  }

  /** What a server has said of the log when it opened it. */
  #readOpening(bytes: Buffer, place: Finding | { file: string; line: number }): void {
    if (!bytes.includes('"eventName":"AuditLogOpened"')) return;
    const { eventName, additionalEventData: data } = JSON.parse(bytes.toString()) as {
      eventName: string;
      additionalEventData: { state: string; problem?: string; tornBytes?: number; tornSha256?: string };
    };
    if (eventName !== 'AuditLogOpened') return;
    if (data.state === 'broken') {
      this.problem({ ...place, text: `a server that was started here found that ${data.problem}` });
    }
    if (data.state !== 'recovered' || !this.#suspect) return;
    const { bytes: length, sha256 } = tornLine(this.#suspect.bytes);
    if (length !== data.tornBytes || sha256 !== data.tornSha256) return;
    const text = `is torn after ${length} bytes: the server was killed; the line after it says so`;
    this.#verdict.notes.push({ ...this.#suspect.finding, text });
    this.#suspect = undefined;
    this.#unsealed--;
  }

  #compare({ link, previous }: SealedLine, place: { file: string; line: number }): void {
    if (!this.#last) return;
    const gap = link.sequence - this.#last.sequence - 1;
    if (gap < 0) {
      this.problem({
        ...place,
        text: `line ${link.sequence} of the log stands where ${this.#last.sequence + 1} belongs`,
      });
    } else if (gap > this.#unsealed) {
      const missing = gap - this.#unsealed;
      this.problem({ ...place, text: `${missing === 1 ? 'a line is' : `${missing} lines are`} missing before it` });
    } else if (gap === 0 && previous !== this.#last.seal) {
      this.problem({ ...place, text: 'the line before it is another than when it was written' });
    }
    if (this.#through && link.sequence === this.#through.sequence && link.seal !== this.#through.seal) {
      this.problem({ ...place, text: 'is another line than was noted down' });
    }
    if (this.#head && link.sequence === this.#head.last.sequence && link.seal !== this.#head.last.seal) {
      this.problem({ ...place, text: 'the head knows another line of this number' });
    }
  }

  /** The suspect was not a torn line. */
  #settle(): void {
    if (this.#suspect) this.problem(this.#suspect.finding);
    this.#suspect = undefined;
  }

  end(): void {
    this.#settle();
    const { notes } = this.#verdict;
    this.#verdict.last = this.#last;
    const reached = this.#last?.sequence ?? 0;
    const known = this.#head?.last.sequence ?? 0;
    if (this.#through && this.#through.sequence > reached) {
      this.problem({
        text: `the log ends at line ${reached}, before line ${this.#through.sequence} that was noted down`,
      });
    }
    const count = known - reached - this.#unsealed;
    if (count > 0) {
      this.problem({
        text: `the end of the log is missing: ${count === 1 ? 'a line' : `${count} lines`} after line ${reached}`,
      });
    } else if (this.#torn) {
      notes.push({ ...this.#torn, text: `${this.#torn.text}: the server was killed, or is writing it` });
    }
    if (this.#head && reached > known) {
      const count = reached - known;
      notes.push({
        text: `${count === 1 ? 'a line came' : `${count} lines came`} after the head: a server writes, or was killed`,
      });
    }
  }

  problem(finding: Finding): void {
    if (this.#verdict.problems.length < MAX_PROBLEMS) this.#verdict.problems.push(finding);
  }
}
