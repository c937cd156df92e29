import type { RunnerPort } from './runner-port.ts';

/** How often a step is cut off because it holds others up. */
const MAX_INTERRUPTIONS = 3;

/** Why a statement was cancelled by us: it would wait for what nobody can be made to give up, or it held others up. */
export type Reason = 'given up' | 'interrupted';

/** What the engine is at work on for the client. */
export interface Running {
  /** Whether all that it has done can be undone and done again, if the client has got none of its answer. */
  canRepeat: () => boolean;
  interruptions: number;
  /** Whether its client has asked for its end. */
  byClient: boolean;
}

/** Cancels statements for the sake of others. */
export class Cancelling {
  readonly #port: Pick<RunnerPort, 'cancel' | 'request' | 'status' | 'streaming' | 'waiting'>;
  #cancelled: { why: Reason; known: Promise<void> } | undefined;
  #running: Running | undefined;

  constructor(port: Pick<RunnerPort, 'cancel' | 'request' | 'status' | 'streaming' | 'waiting'>) {
    this.#port = port;
  }

  async during<T>(running: Running, work: () => Promise<T>): Promise<T> {
    this.#running = running;
    try {
      return await work();
    } finally {
      this.#running = undefined;
    }
  }

  /** Its client wants it to end: it is not done again, whoever else has cut it off. */
  clientCancels(): void {
    if (this.#running) this.#running.byClient = true;
  }

  giveUp(): void {
    if (this.#port.waiting) this.#cancel('given up');
  }

  /** See Party. */
  interrupt(): 'done' | 'later' | 'never' {
    const running = this.#running;
    // What we ask for ourselves does not take long.
    if (this.#cancelled || !this.#port.waiting || !running || running.byClient) return 'later';
    const canRepeat = running.canRepeat() && !this.#port.streaming;
    if (!canRepeat || running.interruptions >= MAX_INTERRUPTIONS) return 'never';
    running.interruptions++;
    this.#cancel('interrupted');
    return 'done';
  }

  #cancel(why: Reason): void {
    this.#cancelled ??= { why, known: this.#port.cancel() };
  }

  /** Why a statement was cancelled, if one was; none that comes after this is. */
  async take(): Promise<Reason | undefined> {
    const cancelled = this.#cancelled;
    if (!cancelled) return undefined;
    await cancelled.known;
    this.#cancelled = undefined;
    // PostgreSQL forgets a request to cancel that finds nothing to do, or it ends this.
    if (this.#port.status !== 'E') await this.#port.request('SELECT 1');
    return cancelled.why;
  }
}
