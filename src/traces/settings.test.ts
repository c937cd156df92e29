import { describe, expect, it } from 'vitest';
import { traceSettings } from './settings.ts';

const ALL = { ratio: 1, followsParent: true };
const read = (endpoint: string | undefined, env: NodeJS.ProcessEnv) => {
  const warnings: string[] = [];
  return { settings: traceSettings(endpoint, env, (text) => warnings.push(text)), warnings };
};

describe('where traces go', () => {
  it.each<[string, string | undefined, NodeJS.ProcessEnv, string | undefined]>([
    ['nowhere by default', undefined, {}, undefined],
    ['the option', 'http://c:4318', {}, 'http://c:4318/v1/traces'],
    ['the variable', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp/' }, 'https://c/otlp/v1/traces'],
    [
      'the option before the variables',
      'http://c',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://d', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://e' },
      'http://c/v1/traces',
    ],
    ['the variable for traces as it is', undefined, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://e/x' }, 'http://e/x'],
    ['off', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://d', OTEL_SDK_DISABLED: 'true' }, undefined],
    ['no traces', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://d', OTEL_TRACES_EXPORTER: 'none' }, undefined],
  ])('%s', (_, endpoint, env, url) => {
    expect(read(endpoint, env)).toMatchObject({ settings: url === undefined ? undefined : { url }, warnings: [] });
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' }, /no http or https URL/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:secret@c' }, /no http or https URL/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /grpc is not supported/],
  ])('refuses %j by name, and traces nothing', (env, warning) => {
    const { settings, warnings } = read(undefined, env);
    expect(settings).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(warning)]);
    expect(warnings.join()).not.toContain('secret');
  });

  it('takes headers, the name of the service and its resource', () => {
    const { settings } = read('http://c', {
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, x = y,nonsense',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test,service.name=other',
      OTEL_SERVICE_NAME: 'door',
    });
    expect(settings).toMatchObject({
      headers: { 'api-key': 'a b', x: 'y' },
      resource: { 'service.name': 'door', 'deployment.environment': 'test' },
      ...ALL,
    });
  });

  it.each<[NodeJS.ProcessEnv, object, number]>([
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, { ratio: 0, followsParent: false }, 0],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { ratio: 0.25, followsParent: true },
      0,
    ],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, ALL, 1],
    [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, ALL, 1],
    [{ OTEL_TRACES_SAMPLER: 'constructor' }, ALL, 1],
  ])('samples by %j', (env, sampling, warnings) => {
    const found = read('http://c', env);
    expect(found.settings).toMatchObject(sampling);
    expect(found.warnings.length).toBe(warnings);
  });
});
