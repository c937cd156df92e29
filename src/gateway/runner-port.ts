import type { ErrorFields, TransactionStatus } from '../pgwire/messages.ts';
import type { Answer } from './answers.ts';
import type { PreparedStatement } from './prepared.ts';
import type { Step, Writing } from './steps.ts';

/** The session in the engine, and the client's ear. */
export interface RunnerPort {
  /** Of the engine, when it last was ready. */
  readonly status: TransactionStatus;
  /** Whether an answer is due. */
  readonly waiting: boolean;
  /** Whether the client has got some of it. */
  readonly streaming: boolean;
  /** Has a step done; `tag` is told of every command tag on its way to the client, and says what is wrong with it. */
  ask(
    step: Step,
    writing: Writing,
    tag: (tag: string | undefined, index: number) => ErrorFields | undefined,
  ): Promise<Answer>;
  /** Whether the name of a prepared statement still means this one. */
  isPrepared(statement: PreparedStatement): boolean;
  /** Has a step done whose answer nobody sees. */
  silently(step: Step, writing: Writing): Promise<Answer>;
  /** Makes the engine forget what a step has prepared. */
  unprepare(names: readonly string[]): Promise<Answer>;
  /** Has a statement of ours done. */
  request(sql: string): Promise<Answer>;
  /** The same for a whole request. */
  requestBytes(request: Buffer): Promise<Answer>;
  /** Tells the client what it has not got of an answer. */
  deliver(answer: Answer): void;
  /** Tells the client more. */
  tell(frame: Buffer): void;
  /** Called before the client learns that a transaction was committed. */
  committed(): Promise<void>;
  /** Ends the statement that the engine is at work on; resolves when it knows. */
  cancel(): Promise<void>;
  /** An error that the client was told and the engine does not know of. */
  conflicted(): void;
}

/** What the client has asked for, up to Sync. */
export interface Request {
  /** Whether Sync has come; a part of it may have to be answered before. */
  final: boolean;
  /** Of the simple query protocol. */
  simple: boolean;
}

/** Where in its request a step stands. */
export interface Position {
  /** Whether the client is told of its success by this step's answer only: the last one of a simple query. */
  isLast: boolean;
  /** Whether it is all that there is, and in no block. */
  isAlone: boolean;
  isFinal: boolean;
}
