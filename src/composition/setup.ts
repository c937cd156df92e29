import type { Log } from '../audit/log.ts';
import type { ServerOptions } from './options-in-force.ts';

/** What a server is built from. */
export interface ServerSetup {
  options: ServerOptions;
  /** False for servers that are thrown away. */
  durable: boolean;
  env: NodeJS.ProcessEnv;
  log: Log;
}

export const now = () => new Date();

/** Calls `work` after `ms`; returns what takes it back. */
export const after = (ms: number, work: () => void) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};
