import { describe, expect, it } from 'vitest';
import { positionsIn } from './position.ts';

describe('a position', () => {
  it.each([
    ['', [[0, 1, 1]]],
    [
      'ab\ncd',
      [
        [0, 1, 1],
        [2, 1, 3],
        [3, 2, 1],
        [5, 2, 3],
      ],
    ],
    [
      'a\r\nb\rc\n\nd',
      [
        [0, 1, 1],
        [3, 2, 1],
        [5, 3, 1],
        [7, 4, 1],
        [8, 5, 1],
        [9, 5, 2],
      ],
    ],
  ] as const)('in %j has a line and a column', (text, places) => {
    const position = positionsIn(text);
    for (const [offset, Line, Column] of places) expect(position(offset)).toEqual({ Line, Column });
  });
});
