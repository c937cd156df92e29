// What was measured, set beside what was promised.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of one property of all samples. */
export function medianOf(samples, property) {
  return median(samples.map((sample) => sample[property]));
}

/** The median of the ratios of each round: what slows a round down slows both of its halves. */
export function pairedRatio(ours, theirs, property) {
  return median(ours.map((sample, i) => sample[property] / theirs[i][property]));
}

/** `target` is left out for figures that are only information. */
export function meets({ value, target }) {
  if (target === undefined) return undefined;
  return target.atLeast === undefined ? value <= target.atMost : value >= target.atLeast;
}

export function format(value) {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

function targetText({ target, unit }) {
  if (target === undefined) return '';
  const [sign, bound] = target.atLeast === undefined ? ['≤', target.atMost] : ['≥', target.atLeast];
  return `${sign} ${format(bound)}${unit}`;
}

const MARKS = new Map([
  [true, 'ok'],
  [false, 'MISSED'],
  [undefined, ''],
]);

export function printFigures(title, figures) {
  const rows = figures.map((figure) => [
    figure.name,
    `${format(figure.value)}${figure.unit}`,
    targetText(figure),
    MARKS.get(meets(figure)),
    figure.note ?? '',
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column].length)));
  console.log(`\n${title}`);
  for (const row of rows) {
    console.log(`  ${row.map((cell, i) => (i < 4 ? cell.padEnd(widths[i]) : cell)).join('  ')}`.trimEnd());
  }
}
