import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';
import type { Credentials } from './api-under-test.ts';

/** A request signed by hand, so that tests can sign what no SDK would send. */
export interface RawRequest {
  method?: string;
  target?: string;
  body?: string;
  headers?: Record<string, string>;
  service?: string;
  region?: string;
  /** Sent instead of the body that was signed. */
  sentBody?: string;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

export function sign(
  host: string,
  { accessKeyId, secretAccessKey }: Credentials,
  raw: RawRequest,
): Record<string, string> {
  const { method = 'POST', target = '/', body = '', service = 'iam', region = 'us-east-1' } = raw;
  const [path = '/', query = ''] = target.split('?');
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const canonical = [
    method,
    // What stands in the path is encoded once more.
    path.split('/').map(encodeURIComponent).join('/'),
    query
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
      .sort()
      .join('&'),
    `host:${host}\nx-amz-date:${date}\n`,
    'host;x-amz-date',
    hash(body),
  ].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date.slice(0, 8)), region), service), 'aws4_request');
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash(canonical)}`).toString('hex');
  return {
    'X-Amz-Date': date,
    Authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`,
  };
}

export function send(port: number, credentials: Credentials | undefined, raw: RawRequest): Promise<RawAnswer> {
  const host = `127.0.0.1:${port}`;
  const { method = 'POST', target = '/', body = '', sentBody = body } = raw;
  const headers = {
    ...(method === 'POST' && { 'Content-Type': 'application/x-www-form-urlencoded' }),
    ...(credentials && sign(host, credentials, raw)),
    ...raw.headers,
    ...(sentBody && { 'Content-Length': String(Buffer.byteLength(sentBody)) }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path: target, headers, agent: false }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('end', () => resolve({ status: incoming.statusCode!, headers: incoming.headers, body: text }));
    });
    outgoing.on('error', reject);
    outgoing.end(sentBody);
  });
}
