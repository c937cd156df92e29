/**
 * What Postern needs of a PostgreSQL. The engine enforces privileges; Postern only decides who may open a session as
 * which role.
 */

/** The bootstrap superuser of the instances that Postern makes: its own, and to clients as if it did not exist. */
export const SUPERUSER = 'postern';

/** A running PostgreSQL and how this process reaches it. */
export interface Engine {
  /** Where a session is opened: a unix socket's path. */
  readonly socketPath: string;
  /** The bootstrap superuser: for Postern's own sessions, never for a client's. */
  readonly superuser: string;
  /** The process of the server, for diagnosis. */
  readonly pid: number;
  /** Resolves when the server has ended without being asked to, with a text that says how. */
  readonly ended: Promise<string>;
  /** Ends all sessions and stops the server; its data stay. Idempotent: the first call says how. */
  stop(how?: StopHow): Promise<void>;
}

/**
 * PostgreSQL's shutdown modes: `fast`, the usual one, ends the sessions and writes a checkpoint; `immediate` ends the
 * processes, and what was committed is in the log that the next start replays.
 */
export type StopHow = 'fast' | 'immediate';

export interface EngineOptions {
  /** The instance's own name, such as `control` or a cluster id: [a-z0-9-]+. */
  name: string;
  /** Where its data live; made when missing. */
  folder: string;
  /** Trade durability for speed: for servers that are thrown away. */
  durable: boolean;
  maxConnections: number;
}

export interface EngineHost {
  /**
   * Starts the PostgreSQL of this folder, making its data first where there are none. A server that a killed process
   * left running on the folder is stopped first. Throws an Error that names the cause and the last log lines.
   */
  start(options: EngineOptions): Promise<Engine>;
  /** Stops the server that a killed process left running on this folder, if there is one. */
  stopLeft(folder: string): Promise<void>;
  /**
   * Removes the data of this folder, whose server must not be running in this process; one that a killed process left is
   * stopped first. Idempotent. At no time is there half a folder under its name: what a crash leaves of it has
   * another, for `clear`.
   */
  remove(folder: string): Promise<void>;
  /** Removes this if it is what a killed process left of a folder half made or half removed; anything else it leaves alone. */
  clear(path: string): Promise<void>;
}
