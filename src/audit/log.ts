import type { Logger } from 'pino';

/** The server's log: JSON lines. Where a thing is handled it is logged; where it is passed on it is not. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
