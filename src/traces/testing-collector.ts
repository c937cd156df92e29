import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: string } }[];
  status: { code: number; message?: string };
}

export interface Collector {
  endpoint: string;
  /** What came, request by request. */
  requests: { path: string; headers: Record<string, string | string[] | undefined>; body: string }[];
  spans(): ReceivedSpan[];
  /** The status of the next answers; 0: none comes. */
  answer: number;
  close(): Promise<void>;
}

/** Stands in for an OpenTelemetry collector (OTLP over HTTP, JSON). */
export async function startCollector(): Promise<Collector> {
  const requests: Collector['requests'] = [];
  const server = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => {
      body += text;
    });
    incoming.on('end', () => {
      requests.push({ path: incoming.url ?? '', headers: incoming.headers, body });
      if (collector.answer === 0) return;
      response.writeHead(collector.answer, { 'content-type': 'application/json' });
      response.end('{"partialSuccess":{}}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: Collector = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans: () =>
      requests.flatMap(({ body }) =>
        JSON.parse(body).resourceSpans.flatMap(({ scopeSpans }: { scopeSpans: { spans: ReceivedSpan[] }[] }) =>
          scopeSpans.flatMap(({ spans }) => spans),
        ),
      ),
    answer: 200,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return collector;
}

export function attributesOf({ attributes }: ReceivedSpan): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, (value.stringValue ?? value.intValue) as string] as const),
  );
}
