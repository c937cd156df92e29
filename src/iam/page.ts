import { Refused } from '../refused.ts';

export interface Paging {
  readonly Marker?: string;
  readonly MaxItems?: number;
}

export interface Page<T> {
  items: T[];
  IsTruncated: boolean;
  Marker?: string;
}

const DEFAULT_ITEMS = 100;

/**
 * One page of `items`, which stand in the order of `keyOf`. A marker names the last key that was given, so a list that
 * changes between two pages neither repeats nor skips what stayed. Throws Refused `validation` for a foreign marker.
 */
export function page<T>(items: readonly T[], keyOf: (item: T) => string, paging: Paging): Page<T> {
  const after = paging.Marker === undefined ? undefined : readMarker(paging.Marker);
  const rest = after === undefined ? items : items.filter((item) => keyOf(item) > after);
  const taken = rest.slice(0, paging.MaxItems ?? DEFAULT_ITEMS);
  const last = taken.at(-1);
  if (last === undefined || taken.length === rest.length) return { items: taken, IsTruncated: false };
  return { items: taken, IsTruncated: true, Marker: Buffer.from(`after ${keyOf(last)}`).toString('base64url') };
}

function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString();
  if (!text.startsWith('after ')) {
    throw new Refused('validation', { say: 'Invalid Marker.', detail: 'the marker is none of ours' });
  }
  return text.slice('after '.length);
}
