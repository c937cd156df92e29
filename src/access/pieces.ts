import { setImmediate } from 'node:timers/promises';
import type { AccessReview } from './report.ts';

/** Elements of an array that are written before others get their turn. */
const AT_ONCE = 200;

/** The review as JSON, piece by piece: that of a large account would keep logins waiting. */
export async function* inPieces({ clusters, ...rest }: AccessReview): AsyncGenerator<string> {
  yield '{';
  yield* members(rest);
  yield ',"clusters":[';
  for (const [index, cluster] of clusters.entries()) {
    yield index === 0 ? '{' : ',{';
    yield* members(cluster);
    yield '}';
  }
  yield ']}';
}

async function* members(object: object): AsyncGenerator<string> {
  let comma = '';
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    yield `${comma}${JSON.stringify(name)}:`;
    comma = ',';
    if (!Array.isArray(value)) {
      yield JSON.stringify(value);
      continue;
    }
    yield '[';
    for (let at = 0; at < value.length; at += AT_ONCE) {
      const some = JSON.stringify(value.slice(at, at + AT_ONCE)).slice(1, -1);
      yield at === 0 ? some : `,${some}`;
      await setImmediate();
    }
    yield ']';
  }
}
