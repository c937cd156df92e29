/** A place in a document as IAM tells it: lines and columns are counted from 1. */
export interface Position {
  Line: number;
  Column: number;
}

const LINE_END = /\r\n|\r|\n/g;

/** Turns offsets in `text` into positions. */
export function positionsIn(text: string): (offset: number) => Position {
  const starts = [0, ...Array.from(text.matchAll(LINE_END), (end) => end.index + end[0].length)];
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { Line: low + 1, Column: offset - starts[low]! + 1 };
  };
}
