import type { Attributes, Span } from './span.ts';

/*
 * The body of an export ("OTLP specification", JSON Protobuf encoding; opentelemetry-proto, trace.proto): ids are hex,
 * 64 bit numbers are text, enumerations are numbers. Written here and not taken from a package: what is needed is this file,
 * and the packages for it are twelve, of 28 MB.
 */

const KINDS = { internal: 1, server: 2 } as const;
/** STATUS_CODE_UNSET and STATUS_CODE_ERROR. */
const STATUS = { unset: 0, error: 2 } as const;

export function exportBody(spans: readonly Span[], resource: Attributes, version: string): string {
  const scope = { name: 'postern', version };
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: keyValues(resource) }, scopeSpans: [{ scope, spans: spans.map(encodeSpan) }] },
    ],
  });
}

function encodeSpan({ trace, spanId, parentSpanId, name, kind, start, end, attributes, error }: Span): object {
  return {
    traceId: trace.traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(Math.max(start, end)),
    attributes: keyValues(error === undefined ? attributes : { ...attributes, 'error.type': error }),
    status: error === undefined ? { code: STATUS.unset } : { code: STATUS.error, message: error },
  };
}

function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }];
  });
}

/** From ms with fractions. A double has no room for today's nanoseconds, so that whole ms and the rest go apart. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000)));
}
