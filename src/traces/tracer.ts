import type { Attempt } from '../attempts/attempt.ts';
import type { TraceSettings } from './settings.ts';
import { type Attributes, readTraceparent, type Span, type SpanSink, type TraceContext } from './span.ts';

/** The trace of one login while it goes on. */
export interface LoginTrace {
  /** The step has ended and took so long. Steps follow one another without a gap. */
  passed(step: string, ms: number): void;
  /** The login has come to its end, which the attempt says. Once; what comes later is no part of it. */
  end(): void;
}

/** What is known of an HTTP call when it has been answered. */
export interface TracedCall {
  requestId: string;
  source?: string | undefined;
  method?: string | undefined;
  service?: string | undefined;
  operation?: string | undefined;
  caller?: string | undefined;
  status: number;
  ms: number;
  refused?: string | undefined;
  traceparent?: string | undefined;
}

export interface TracerDeps {
  sink: SpanSink;
  sampling: Pick<TraceSettings, 'ratio' | 'followsParent'>;
  now: () => Date;
  /** In ms, from any beginning, never backwards. */
  clock: () => number;
  random: (bytes: number) => Buffer;
}

/** In order: the one after the last that was passed is where a login ended that got no further. */
const STEPS = ['encryption', 'token', 'proof', 'wake', 'role', 'session'] as const;

/** Makes traces of logins and of HTTP calls. */
export class Tracer {
  readonly #deps: TracerDeps;

  constructor(deps: TracerDeps) {
    this.#deps = deps;
  }

  /** Undefined for a login that is not sampled. */
  login(attempt: Attempt): LoginTrace | undefined {
    const trace = this.#begin(undefined);
    if (!trace) return undefined;
    const { sink, clock } = this.#deps;
    const began = clock();
    const start = attempt.at.getTime();
    const rootId = this.#id(8);
    const spans: Span[] = [];
    let at = start;
    let over = false;
    const step = (name: string, end: number, error?: string) => {
      spans.push(this.#span(trace, { name, kind: 'internal', parentSpanId: rootId, start: at, end, error }));
      at = end;
    };
    return {
      passed: (name, ms) => {
        if (!over) step(name, at + ms);
      },
      end: () => {
        if (over) return;
        over = true;
        // Cancel requests and who only looked whether the port is open are no logins.
        if (!attempt.end) return;
        const end = start + clock() - began;
        const error = errorOf(attempt.end);
        const next = STEPS[spans.length];
        if (error !== undefined && next !== undefined) step(next, end, error);
        const attributes = loginAttributes(attempt);
        const root = { name: 'login', kind: 'server', parentSpanId: undefined, start, end, error, attributes } as const;
        sink.add([{ ...this.#span(trace, root), spanId: rootId }, ...spans]);
      },
    };
  }

  call(call: TracedCall): void {
    const trace = this.#begin(call.traceparent);
    if (!trace) return;
    const { service, operation, status, ms, refused } = call;
    const end = this.#deps.now().getTime();
    const attributes: Attributes = {
      'http.request.method': call.method,
      'http.response.status_code': status,
      'client.address': call.source,
      'rpc.system': 'aws-api',
      'rpc.service': service,
      'rpc.method': operation,
      'aws.request_id': call.requestId,
      'enduser.id': call.caller,
      // A client's mistake is no error of the server's span; what it was is told all the same.
      'postern.refusal': refused,
    };
    const error = status >= 500 ? (refused ?? String(status)) : undefined;
    const name = operation === undefined ? 'api call' : `${service}/${operation}`;
    const { parentSpanId } = trace;
    this.#deps.sink.add([
      this.#span(trace, { name, kind: 'server', parentSpanId, start: end - ms, end, attributes, error }),
    ]);
  }

  #begin(traceparent: string | undefined): TraceContext | undefined {
    const { ratio, followsParent } = this.#deps.sampling;
    const parent = readTraceparent(traceparent);
    // 48 bits of chance are as good as any.
    const sampled = parent && followsParent ? parent.sampled : this.#deps.random(6).readUIntBE(0, 6) / 2 ** 48 < ratio;
    return sampled ? (parent ?? { traceId: this.#id(16), parentSpanId: undefined }) : undefined;
  }

  #span(
    trace: TraceContext,
    { attributes = {}, error, ...rest }: Omit<Span, 'trace' | 'spanId' | 'attributes' | 'error'> & Partial<Span>,
  ): Span {
    return { trace, spanId: this.#id(8), attributes, error, ...rest };
  }

  #id(bytes: number): string {
    return this.#deps.random(bytes).toString('hex');
  }
}

function errorOf(end: NonNullable<Attempt['end']>): string | undefined {
  if (end.outcome === 'accepted') return undefined;
  return end.outcome === 'refused' ? end.why.kind : end.outcome;
}

function loginAttributes({
  connectionId,
  sourceAddress,
  encryption,
  request,
  cluster,
  identity,
  end,
}: Attempt): Attributes {
  return {
    'client.address': sourceAddress,
    'db.system.name': 'postgresql',
    'db.namespace': request?.database,
    'tls.protocol.version': encryption?.protocol,
    'enduser.id': identity?.arn,
    'postern.connection.id': connectionId,
    'postern.cluster.id': cluster?.id,
    'postern.role': request?.user,
    'postern.outcome': end?.outcome,
  };
}
