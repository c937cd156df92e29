import type { AppendFile } from '../machine/append-file.ts';
import { fileName, type TrailFile, type TrailFolder } from './trail-folder.ts';

/** An audit log's files in memory, on a disk that can be full. */
export class TestingFolder implements TrailFolder {
  readonly contents = new Map<string, { file: TrailFile; bytes: Buffer }>();
  head: string | undefined;
  /** Names of files that are none of the log. */
  others: string[] = [];
  /** In bytes; what does not fit is written as far as it does, as by a real disk. */
  room = Number.POSITIVE_INFINITY;
  /** Every operation that changes something fails with this. */
  failure: Error | undefined;
  truncateFails = false;
  syncs = 0;

  async files(): Promise<TrailFile[]> {
    return [...this.contents.values()].map(({ file }) => file).sort((a, b) => a.number - b.number);
  }

  async strangers(): Promise<string[]> {
    return this.others;
  }

  async tail(file: TrailFile, length: number): Promise<{ bytes: Buffer; size: number }> {
    const { bytes } = this.#get(file);
    return { bytes: bytes.subarray(Math.max(0, bytes.length - length)), size: bytes.length };
  }

  async start(file: TrailFile, length: number): Promise<Buffer> {
    return this.#get(file).bytes.subarray(0, length);
  }

  async *lines(file: TrailFile): AsyncGenerator<{ bytes: Buffer; whole: boolean }> {
    const { bytes } = this.#get(file);
    let at = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
      yield { bytes: bytes.subarray(at, end), whole: true };
      at = end + 1;
    }
    if (at < bytes.length) yield { bytes: bytes.subarray(at), whole: false };
  }

  async openFile(file: TrailFile): Promise<AppendFile> {
    if (this.failure) throw this.failure;
    const name = fileName(file);
    const content = this.contents.get(name) ?? { file, bytes: Buffer.alloc(0) };
    this.contents.set(name, content);
    let size = content.bytes.length;
    return {
      get size() {
        return size;
      },
      append: async (bytes) => {
        if (this.failure) throw this.failure;
        const fits = Math.min(bytes.length, this.room);
        content.bytes = Buffer.concat([content.bytes, bytes.subarray(0, fits)]);
        this.room -= fits;
        if (fits < bytes.length) throw new Error('ENOSPC: no space left on device');
        size += bytes.length;
      },
      truncate: async (to) => {
        if (this.truncateFails) throw new Error('EIO: i/o error');
        this.room += content.bytes.length - to;
        content.bytes = content.bytes.subarray(0, to);
        size = to;
      },
      sync: async () => {
        this.syncs++;
      },
      close: async () => undefined,
    };
  }

  async remove(file: TrailFile): Promise<void> {
    this.contents.delete(fileName(file));
  }

  async readHead(): Promise<string | undefined> {
    return this.head;
  }

  async writeHead(text: string): Promise<void> {
    if (this.failure) throw this.failure;
    this.head = text;
  }

  async close(): Promise<void> {}

  /** The same files and the same head, for another to change. */
  copy(): TestingFolder {
    const copy = new TestingFolder();
    for (const [name, { file, bytes }] of this.contents) copy.contents.set(name, { file, bytes: Buffer.from(bytes) });
    copy.head = this.head;
    return copy;
  }

  /** All lines, with the newline, oldest first. */
  text(): string {
    return [...this.contents.values()].map(({ bytes }) => bytes.toString()).join('');
  }

  /** Puts other lines into a file. */
  edit(name: string, change: (lines: string[]) => string[]): void {
    const content = this.contents.get(name);
    if (!content) throw new Error(`no file ${name}`);
    const lines = content.bytes.toString().split(/(?<=\n)/);
    content.bytes = Buffer.from(change(lines).join(''));
  }

  #get(file: TrailFile): { bytes: Buffer } {
    const content = this.contents.get(fileName(file));
    if (!content) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return content;
  }
}
