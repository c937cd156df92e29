/**
 * The values that condition operators compare (IAM User Guide, "IAM JSON policy elements: Condition operators"). Each
 * reader returns undefined for text that is no such value.
 */

const DECIMAL = /^([+-]?)(\d{1,40})(?:\.(\d{1,20}))?$/;
const SCALE = 20;

/** An integer or decimal, exactly, times 10^20: two numbers beyond 2^53 must not become the same. */
export function readNumber(text: string): bigint | undefined {
  const [, sign, whole, fraction = ''] = DECIMAL.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const value = BigInt(whole + fraction.padEnd(SCALE, '0'));
  return sign === '-' ? -value : value;
}

const ISO_DATE =
  /^(\d{4})-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2}))?)?$/i;
/** Five digits at least: four are a year in ISO 8601 and seconds in 1970 to whoever means the epoch. */
const EPOCH_SECONDS = /^\d{5,12}$/;

/** In ms since the epoch. W3C's profile of ISO 8601 without the bare year, or seconds since the epoch. */
export function readDate(text: string): number | undefined {
  if (EPOCH_SECONDS.test(text)) return Number(text) * 1000;
  const found = ISO_DATE.exec(text);
  if (!found) return undefined;
  const [, year, month, day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = found;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Date.UTC lets the 31st of February run over into March.
  const check = new Date(midnight);
  if (check.getUTCMonth() !== Number(month) - 1 || check.getUTCDate() !== Number(day)) return undefined;
  const offset = offsetMinutes(zone);
  if (offset === undefined) return undefined;
  const minutes = Number(hour) * 60 + Number(minute) - offset;
  return midnight + minutes * 60_000 + Number(second) * 1000 + Number(`0.${fraction || '0'}`) * 1000;
}

function offsetMinutes(zone: string): number | undefined {
  if (/^z$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 14 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

export function readBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Base64 with its padding, as the same bytes are always written. */
export function readBinary(text: string): string | undefined {
  return BASE64.test(text) ? Buffer.from(text, 'base64').toString('base64') : undefined;
}

const ARN = /^arn:(?:[^:]*:){4}/;

export function isArn(text: string): boolean {
  return ARN.test(text);
}
