import { type OptionRow, WEEK, whole, wholeSchema } from './option-row.ts';

/** How much of it anybody gets. */
export interface LimitOptions {
  /** The quotas of one cluster; 0: none. Rate and burst in connections (a second), the time in s. */
  maxConnections: number;
  connectionRate: number;
  connectionBurst: number;
  maxConnectionTime: number;
  /** Of one source address and of one principal: open connections, and new ones a second; 0: unlimited. */
  connectionsPerAddress: number;
  connectionRatePerAddress: number;
  connectionsPerPrincipal: number;
  connectionRatePerPrincipal: number;
  /** Logins of one source address that may fail: a second (0: any number), and at once. */
  failedLoginRate: number;
  failedLoginBurst: number;
  /** In s: what open transactions get when the server is asked to stop. */
  shutdownTimeout: number;
}

export const LIMIT_ROWS: Record<keyof LimitOptions, OptionRow> = {
  maxConnections: {
    reload: true,
    value: 'N',
    default: '10000',
    help: 'connections to one cluster, at most 10000; 0 = as many as its PostgreSQL takes (--postgres-connections)',
    schema: wholeSchema(0, 10_000),
    read: whole(0, 10_000),
  },
  connectionRate: {
    reload: true,
    value: 'N',
    default: '100',
    help: 'new connections a second to one cluster; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  connectionBurst: {
    reload: true,
    value: 'N',
    default: '1000',
    help: 'of these, how many may come at once after a quiet time',
    schema: wholeSchema(1, 1_000_000),
    read: whole(1, 1_000_000),
  },
  maxConnectionTime: {
    reload: true,
    value: 'SECONDS',
    default: '3600',
    help: 'how long a connection may last; a transaction in progress gets 300 more; 0 = for ever',
    schema: wholeSchema(0, WEEK),
    read: whole(0, WEEK),
  },
  connectionsPerAddress: {
    reload: true,
    value: 'N',
    default: '0',
    help: 'connections of one source address (of one /64 network for IPv6); 0 = unlimited',
    schema: wholeSchema(0, 10_000),
    read: whole(0, 10_000),
  },
  connectionRatePerAddress: {
    reload: true,
    value: 'N',
    default: '0',
    help: 'its new connections a second, ten times as many at once after a quiet time; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  connectionsPerPrincipal: {
    reload: true,
    value: 'N',
    default: '0',
    help: 'connections of one IAM user or role; 0 = unlimited',
    schema: wholeSchema(0, 10_000),
    read: whole(0, 10_000),
  },
  connectionRatePerPrincipal: {
    reload: true,
    value: 'N',
    default: '0',
    help: 'its new connections a second, ten times as many at once after a quiet time; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  failedLoginRate: {
    reload: true,
    value: 'N',
    default: '10',
    help: 'failed logins a second of one source address, half as many with one access key; this machine’s are not counted; 0 = unlimited',
    schema: wholeSchema(0, 1_000_000),
    read: whole(0, 1_000_000),
  },
  failedLoginBurst: {
    reload: true,
    value: 'N',
    default: '100',
    help: 'of these, how many may fail at once after a quiet time',
    schema: wholeSchema(1, 1_000_000),
    read: whole(1, 1_000_000),
  },
  shutdownTimeout: {
    reload: true,
    value: 'SECONDS',
    default: '5',
    help: 'what open transactions get to end when the server is asked to stop',
    schema: wholeSchema(0, WEEK),
    read: whole(0, WEEK),
  },
};
