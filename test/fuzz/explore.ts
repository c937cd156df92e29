import type { Coverage } from './coverage.ts';
import { mutate, Random, shrink } from './mutation.ts';
import type { Target } from './target.ts';

export interface Exploration {
  /** Of the inputs that are drawn. */
  seed: number;
  /** Inputs to draw; those of the corpus come first and count. */
  runs: number;
  /** In ms since 1970: no batch is begun afterwards. */
  until?: number;
  /** Inputs of earlier explorations, besides the target's own seeds. */
  corpus?: readonly string[];
  /** Without it, nothing is built on but seeds and corpus. */
  coverage?: Coverage;
  /** Told of each input before it is tried. */
  trying?: (input: string) => void;
}

export interface Explored {
  inputs: number;
  /** Inputs that reached something new, in the order in which they were found. */
  reached: string[];
  finding: Finding | undefined;
}

export interface Finding {
  /** As small as it was made. */
  input: string;
  error: Error;
}

const MAX_LENGTH = 4_096;
/** Coverage costs as much as hundreds of inputs, so it is taken for many at once: the more, the less there is new. */
const FIRST_BATCH = 64;
const LARGEST_BATCH = 8_192;
/** In ms of an input's first and second try: decoders must not be made slow either. */
const MAX_TIME = 2_000;

/** Why this input is a finding; undefined when every promise is kept. */
export async function tryInput({ check }: Target, input: string): Promise<Error | undefined> {
  const began = performance.now();
  try {
    const pending = check(input);
    if (pending) await pending;
  } catch (error) {
    return error instanceof Error ? error : new Error(`threw ${String(error)}`);
  }
  const time = performance.now() - began;
  return time > MAX_TIME
    ? new Error(`broken promise: ${input.length} characters are read in ${Math.round(time)} ms`)
    : undefined;
}

/** Tries inputs until the time is up, they are as many as asked for, or one breaks a promise. */
export async function explore(target: Target, options: Exploration): Promise<Explored> {
  const { seed, runs, coverage, corpus = [], until = Number.POSITIVE_INFINITY, trying } = options;
  const random = new Random(seed);
  const maxLength = target.maxLength ?? MAX_LENGTH;
  const pool = [...target.seeds, ...corpus];
  const given = [...pool];
  const explored: Explored = { inputs: 0, reached: [], finding: undefined };

  const fails = async (input: string): Promise<Error | undefined> => {
    trying?.(input);
    const error = await tryInput(target, input);
    // Once may be the machine's fault.
    return error?.message.endsWith(' ms') ? await tryInput(target, input) : error;
  };

  /** Finds in a batch what it was that reached something new. */
  const keepNew = async (batch: readonly string[], taken: Coverage): Promise<void> => {
    for (const input of batch) await fails(input);
    const [only] = batch;
    if (!taken.reachedNew({ learn: batch.length === 1 }) || only === undefined) return;
    if (batch.length > 1) {
      const middle = batch.length >> 1;
      await keepNew(batch.slice(0, middle), taken);
      await keepNew(batch.slice(middle), taken);
      return;
    }
    pool.push(only);
    if (!target.seeds.includes(only)) explored.reached.push(only);
  };

  for (let size = FIRST_BATCH; explored.inputs < runs && Date.now() < until; ) {
    const batch: string[] = [];
    for (let n = Math.min(size, runs - explored.inputs); n > 0 && Date.now() < until; n--) {
      const input = given.shift() ?? mutate(random, { pool, vocabulary: target.vocabulary, maxLength });
      batch.push(input);
      explored.inputs++;
      const error = await fails(input);
      if (!error) continue;
      const smallest = await shrink(input, async (candidate) => (await fails(candidate)) !== undefined);
      return { ...explored, finding: { input: smallest, error: (await fails(smallest)) ?? error } };
    }
    if (coverage?.reachedNew({ learn: false })) await keepNew(batch, coverage);
    else size = Math.min(size * 2, LARGEST_BATCH);
  }
  return explored;
}
