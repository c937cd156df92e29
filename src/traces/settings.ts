import type { Attributes } from './span.ts';

/** Where traces go, and which. */
export interface TraceSettings {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Of the service that the spans are of. */
  resource: Attributes;
  /** The share of traces that are exported, 0 to 1. */
  ratio: number;
  /** Whether a client's own decision (traceparent) goes before it. */
  followsParent: boolean;
}

/**
 * From the option, and the variables that OpenTelemetry has for all programs ("OpenTelemetry specification", environment
 * variables; "OTLP exporter"). Undefined: nothing is traced. What cannot be done is told to `warn` and leaves it off.
 */
export function traceSettings(
  endpoint: string | undefined,
  env: NodeJS.ProcessEnv,
  warn: (text: string) => void,
): TraceSettings | undefined {
  const read = (name: string) => (env[name]?.trim() ? env[name]?.trim() : undefined);
  const ofTraces = (name: string) => read(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? read(`OTEL_EXPORTER_OTLP_${name}`);
  if (endpoint === undefined) {
    if (read('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || read('OTEL_TRACES_EXPORTER') === 'none')
      return undefined;
  }
  const base = endpoint ?? read('OTEL_EXPORTER_OTLP_ENDPOINT');
  const exact = endpoint === undefined ? read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') : undefined;
  const text = exact ?? (base && `${base.replace(/\/+$/, '')}/v1/traces`);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '') {
    warn('OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL: nothing is traced');
    return undefined;
  }
  if (endpoint === undefined && ofTraces('PROTOCOL') === 'grpc') {
    warn('OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not supported (http/json is): nothing is traced');
    return undefined;
  }
  const { 'service.name': named, ...resource } = pairs(read('OTEL_RESOURCE_ATTRIBUTES'));
  return {
    url: url.href,
    headers: pairs(ofTraces('HEADERS')),
    resource: { 'service.name': read('OTEL_SERVICE_NAME') ?? named ?? 'postern', ...resource },
    ...sampling(read('OTEL_TRACES_SAMPLER'), read('OTEL_TRACES_SAMPLER_ARG'), warn),
  };
}

const RATIOS: Readonly<Record<string, (arg: number) => number>> = {
  always_on: () => 1,
  always_off: () => 0,
  traceidratio: (arg) => arg,
};

function sampling(
  name = 'parentbased_always_on',
  arg: string | undefined,
  warn: (text: string) => void,
): Pick<TraceSettings, 'ratio' | 'followsParent'> {
  const parent = 'parentbased_';
  const followsParent = name.startsWith(parent);
  const plain = followsParent ? name.slice(parent.length) : name;
  const ratio = Object.hasOwn(RATIOS, plain) ? RATIOS[plain]?.(arg === undefined ? 1 : Number(arg)) : undefined;
  if (ratio !== undefined && ratio >= 0 && ratio <= 1) return { ratio, followsParent };
  warn('OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG: not supported; all is traced');
  return { ratio: 1, followsParent: true };
}

/** `name=value,name=value`, values percent-encoded. What is no pair is left out. */
function pairs(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const pair of (text ?? '').split(',')) {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) continue;
    try {
      found[name] = decodeURIComponent(value);
    } catch {
      found[name] = value;
    }
  }
  return found;
}
