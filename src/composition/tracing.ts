import { randomBytes } from 'node:crypto';
import facts from '../../package.json' with { type: 'json' };
import { SpanExporter } from '../traces/exporter.ts';
import { traceSettings } from '../traces/settings.ts';
import { Tracer } from '../traces/tracer.ts';
import { after, now, type ServerSetup } from './setup.ts';
import type { Undo } from './undo.ts';

/** Traces of logins and API calls; undefined where no collector is named. */
export function openTracing(
  { options, durable, env, log }: ServerSetup,
  undo: Undo,
): { tracer: Tracer; exporter: SpanExporter } | undefined {
  // The variables of whoever runs a throw-away server are meant for the programs that are run with it.
  if (!durable && options.otelEndpoint === undefined) return undefined;
  const settings = traceSettings(options.otelEndpoint, env, (text) => log.warn({}, text));
  if (!settings) return undefined;
  const exporter = new SpanExporter({ settings, version: facts.version, log, after });
  undo.push(() => exporter.close());
  const tracer = new Tracer({
    sink: exporter,
    sampling: settings,
    now,
    clock: () => performance.now(),
    random: randomBytes,
  });
  return { tracer, exporter };
}
