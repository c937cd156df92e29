/** A piece of work with its place in a trace ("OpenTelemetry specification", trace API). */
export interface Span {
  trace: TraceContext;
  /** 16 hex digits. */
  spanId: string;
  /** Undefined for the first one of a trace. */
  parentSpanId: string | undefined;
  name: string;
  kind: 'server' | 'internal';
  /** Unix time in ms, with fractions. */
  start: number;
  end: number;
  attributes: Attributes;
  /** What went wrong, in one word of ours; undefined for what went well or was the client's own doing. */
  error: string | undefined;
}

/** Names are those of the semantic conventions where they have one. Never a secret, a token, a password or a text of SQL. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface TraceContext {
  /** 32 hex digits. */
  traceId: string;
  /** Whose work this is a part of, by what the client says; 16 hex digits. */
  parentSpanId: string | undefined;
}

/** Takes spans that have ended, and makes nobody wait. */
export interface SpanSink {
  add(spans: readonly Span[]): void;
}

/** `traceparent` of "Trace Context" (W3C), version 00; undefined for anything else, as it asks. */
export function readTraceparent(header: string | undefined): (TraceContext & { sampled: boolean }) | undefined {
  const [, traceId, parentSpanId, flags] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header ?? '') ?? [];
  if (!traceId || !parentSpanId || !flags || /^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return undefined;
  return { traceId, parentSpanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
