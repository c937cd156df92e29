import type { Log } from '../audit/log.ts';
import { exportBody } from './otlp.ts';
import type { TraceSettings } from './settings.ts';
import type { Span, SpanSink } from './span.ts';

/** Spans that wait, at most: what comes then is dropped. */
const MAX_QUEUE = 2048;
const MAX_BATCH = 512;
/** In ms: how long a span waits for others; after a failure, until it is tried again. */
const DELAY = 5_000;
/** In ms: what a collector gets to answer, and what all of it gets when the server stops. */
const TIMEOUT = 10_000;
const LAST_TIMEOUT = 2_000;
/** Statuses after which it is tried again ("OTLP specification", retryable response codes). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface ExporterDeps {
  settings: Pick<TraceSettings, 'url' | 'headers' | 'resource'>;
  version: string;
  log: Log;
  /** Calls `work` after `ms`; returns what takes it back. */
  after: (ms: number, work: () => void) => () => void;
}

/** Sends spans to an OpenTelemetry collector (OTLP over HTTP, in JSON), in batches. A collector that fails costs spans, no more. */
export class SpanExporter implements SpanSink {
  readonly #deps: ExporterDeps;
  #queue: Span[] = [];
  #dropped = 0;
  #exported = 0;
  #failing = false;
  #running: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;
  readonly #abort = new AbortController();

  constructor(deps: ExporterDeps) {
    this.#deps = deps;
  }

  get counts(): { exported: number; dropped: number } {
    return { exported: this.#exported, dropped: this.#dropped };
  }

  add(spans: readonly Span[]): void {
    if (this.#closed || this.#queue.length + spans.length > MAX_QUEUE) {
      this.#dropped += spans.length;
      return;
    }
    this.#queue.push(...spans);
    if (this.#queue.length >= MAX_BATCH && !this.#failing) void this.#run();
    else this.#schedule();
  }

  /** Sends what waits, if the collector takes it soon. */
  async close(): Promise<void> {
    this.#closed = true;
    const giveUp = this.#deps.after(LAST_TIMEOUT, () => this.#abort.abort());
    await this.#running;
    await this.#run();
    giveUp();
    this.#cancelTimer?.();
    this.#dropped += this.#queue.length;
    this.#queue = [];
  }

  #schedule(): void {
    if (this.#cancelTimer || this.#running || this.#closed) return;
    this.#cancelTimer = this.#deps.after(DELAY, () => void this.#run());
  }

  #run(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#schedule();
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_BATCH);
      const problem = await this.#send(batch);
      if (!problem) {
        this.#exported += batch.length;
        if (this.#failing) this.#deps.log.info({}, 'traces are exported again');
        this.#failing = false;
        continue;
      }
      if (!this.#failing) this.#deps.log.warn({ problem: problem.text }, 'traces cannot be exported');
      this.#failing = true;
      if (problem.again && this.#queue.length + batch.length <= MAX_QUEUE) this.#queue.unshift(...batch);
      else this.#dropped += batch.length;
      return;
    }
  }

  async #send(batch: readonly Span[]): Promise<{ text: string; again: boolean } | undefined> {
    const { settings, version } = this.#deps;
    try {
      const answer = await fetch(settings.url, {
        method: 'POST',
        headers: { ...settings.headers, 'content-type': 'application/json' },
        body: exportBody(batch, settings.resource, version),
        // Headers may hold the collector's key: they go to nobody else.
        redirect: 'error',
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT), this.#abort.signal]),
      });
      await answer.body?.cancel();
      if (answer.ok) return undefined;
      return { text: `the collector answers ${answer.status}`, again: RETRYABLE.has(answer.status) };
    } catch (error) {
      // Texts of the runtime's own; the cause names the system's error.
      const { name, message, cause } = error as Error & { cause?: { code?: string } };
      return { text: cause?.code ?? `${name}: ${message}`, again: true };
    }
  }
}
