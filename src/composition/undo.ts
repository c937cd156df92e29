import type { Log } from '../audit/log.ts';

/** How to take down what was built, in the order in which it was built. */
export type Undo = (() => Promise<unknown>)[];

/** Takes all of it down, the newest first; what fails is logged. */
export async function undoAll(undo: Undo, log: Log): Promise<void> {
  for (const step of undo.splice(0).reverse()) {
    await step().catch((error) => log.error({ err: error }, 'a step of the shutdown failed'));
  }
}
