import { type Profiler, Session } from 'node:inspector';

/**
 * Which blocks of one script have ever run, from V8's precise coverage. An input that reaches a block for the first time
 * is worth building on.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #url: string;
  /** By a function's place in the script: one byte a character of it, 1 once it has run. */
  readonly #seen = new Map<string, Uint8Array>();

  /** `url` is that of the script. */
  constructor(url: string) {
    this.#url = url;
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Whether anything ran since the last call that never ran before. With `learn`, it counts as known from now on. */
  reachedNew({ learn }: { learn: boolean }): boolean {
    let isNew = false;
    for (const entry of this.#take()) if (this.#look(entry, learn)) isNew = true;
    return isNew;
  }

  stop(): void {
    this.#session.disconnect();
  }

  #take(): readonly Profiler.FunctionCoverage[] {
    // V8 counts from zero again after each answer, so only what ran since is in it.
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    const script = result.find(({ url }) => url === this.#url);
    // The first of all is the script itself.
    return script?.functions.filter(({ ranges }) => ranges[0]?.startOffset !== 0 && ranges[0]?.count !== 0) ?? [];
  }

  #look({ ranges }: Profiler.FunctionCoverage, learn: boolean): boolean {
    const { startOffset: from, endOffset: to } = ranges[0] as Profiler.CoverageRange;
    const key = `${from}:${to}`;
    const seen = this.#seen.get(key) ?? new Uint8Array(to - from);
    const ran = new Uint8Array(to - from);
    // Each range stands behind the one that it is in.
    for (const { startOffset, endOffset, count } of ranges)
      ran.fill(count > 0 ? 1 : 0, startOffset - from, endOffset - from);
    let isNew = !this.#seen.has(key);
    for (let i = 0; i < ran.length && !isNew; i++) isNew = ran[i] === 1 && seen[i] === 0;
    if (isNew && learn) {
      for (let i = 0; i < ran.length; i++) if (ran[i] === 1) seen[i] = 1;
      this.#seen.set(key, seen);
    }
    return isNew;
  }

  /** In one thread the answer comes before `post` returns. */
  #post(method: string, parameters: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw error;
      answer = result;
    });
    return answer;
  }
}
