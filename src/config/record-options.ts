import { isIP } from 'node:net';
import { type OptionRow, oneOf, path, whole, wholeSchema } from './option-row.ts';

/** What is logged, audited and measured, and for whom. */
export interface RecordOptions {
  /** Beside this machine: who may ask for metrics and health without a signature. */
  metricsFrom: readonly Network[];
  /** Base URL of a collector. */
  otelEndpoint: string | undefined;
  logLevel: LogLevel;
  logFile: string | undefined;
  auditLog: 'on' | 'off';
  /** Whether logins and API calls are refused while the audit log cannot be written. */
  auditRequired: 'on' | 'off';
  /** Whether a line counts as written when it is on the disk, not when the system has it. */
  auditSync: 'on' | 'off';
  /** In MiB. */
  auditMaxSize: number;
  /** In files; 0: all. */
  auditKeep: number;
  statementLog: 'on' | 'off';
  /** In MiB. */
  statementLogMaxSize: number;
  /** In files; 0: all. */
  statementLogKeep: number;
}

/** Addresses with the same beginning: the first `prefix` bits of `address`. */
export interface Network {
  address: string;
  prefix: number;
}

export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
function readCollector(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new Error(`${JSON.stringify(text)} is no http or https URL`);
  if (url.username !== '') throw new Error('has a user name in it: give keys in OTEL_EXPORTER_OTLP_HEADERS');
  return text;
}

function readNetwork(text: string): Network {
  const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const most = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : 0;
  const prefix = bits === undefined ? most : Number(bits);
  if (most === 0 || prefix > most) throw new Error(`${JSON.stringify(text)} is no address and no network (10.0.0.0/8)`);
  return { address, prefix };
}

export const RECORD_ROWS: Record<keyof RecordOptions, OptionRow> = {
  metricsFrom: {
    reload: true,
    value: 'ADDR[/BITS]',
    repeatable: true,
    help: 'who, beside this machine, may read /metrics, /healthz and /readyz on the API port, without a signature',
    read: readNetwork,
  },
  otelEndpoint: {
    value: 'URL',
    help: 'an OpenTelemetry collector (OTLP over HTTP) to trace logins and API calls to; else OTEL_EXPORTER_OTLP_ENDPOINT',
    read: readCollector,
  },
  logLevel: {
    reload: true,
    value: LOG_LEVELS.join('|'),
    default: 'info',
    help: 'what is logged',
    schema: { enum: LOG_LEVELS },
    read: oneOf(LOG_LEVELS),
  },
  logFile: { value: 'FILE', help: 'where JSON lines are logged, instead of standard error', read: path },
  auditLog: {
    value: 'on|off',
    default: 'on',
    execDefault: 'off',
    help: 'whether logins, role changes and API calls are written to the data directory, sealed: postern audit verify',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  auditRequired: {
    reload: true,
    value: 'on|off',
    default: 'off',
    help: 'on: while the audit log cannot be written, logins and API calls are refused; off: lines are lost, and counted',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  auditSync: {
    reload: true,
    value: 'on|off',
    default: 'off',
    help: 'on: a line counts as written when it is on the disk (fdatasync), so that it survives a power failure',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  auditMaxSize: {
    reload: true,
    value: 'MIB',
    default: '64',
    help: 'size at which the audit log goes on in a new file, as it does on every new day',
    schema: wholeSchema(1, 1024),
    read: whole(1, 1024),
  },
  auditKeep: {
    reload: true,
    value: 'N',
    default: '100',
    help: 'how many files of the audit log are kept; 0 = all',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  statementLog: {
    reload: true,
    value: 'on|off',
    default: 'off',
    help: 'whether the statements of sessions are written to the data directory, without their constants',
    schema: { enum: ['on', 'off'] },
    read: oneOf(['on', 'off']),
  },
  statementLogMaxSize: {
    reload: true,
    value: 'MIB',
    default: '64',
    help: 'size at which the statement log goes on in a new file, as it does on every new day',
    schema: wholeSchema(1, 1024),
    read: whole(1, 1024),
  },
  statementLogKeep: {
    reload: true,
    value: 'N',
    default: '10',
    help: 'how many files of the statement log are kept; 0 = all',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
};
