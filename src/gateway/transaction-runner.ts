import { encodeFields } from '../pgwire/fields.ts';
import { errorResponse } from '../pgwire/messages.ts';
import type { Statement } from '../sql/classify.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import { concerns, type Party, type RowLocks } from '../transactions/conflicts.ts';
import { MAX_AGE } from '../transactions/rules.ts';
import { beginsTooLate, mustBeWrapped, refusedOf } from './admission.ts';
import { type Answer, codeOf, errorOf, replace } from './answers.ts';
import { Block } from './block.ts';
import { Cancelling, type Running } from './cancelling.ts';
import type { ClusterTransactions } from './cluster-transactions.ts';
import { isCatalogRace, isLate, isSerializationFailure } from './conflict-errors.ts';
import { Counting } from './counting.ts';
import { LockedRows } from './locked-rows.ts';
import { MAX_ATTEMPTS, Rewinding } from './rewinding.ts';
import type { Position, Request, RunnerPort } from './runner-port.ts';
import { namesPrepared, PLAIN, type Step } from './steps.ts';

const SAVEPOINT = 'SAVEPOINT postern';
/** Fails in every session, and with it the block that it stands in. */
const FAIL = 'SELECT postern_failed';

const uncounted = () => undefined;

/**
 * Runs what the client asks for under the service's rules of transactions: one DDL statement, limits of rows, size and
 * age, and conflicts that show when a transaction commits, while no statement waits for another transaction.
 */
export class TransactionRunner implements Party {
  readonly processId: number;
  readonly #port: RunnerPort;
  readonly #rewinding: Rewinding;
  readonly #lockedRows: LockedRows;
  readonly #counting: Counting;
  readonly #cancelling: Cancelling;
  readonly #cluster: ClusterTransactions;
  readonly #now: () => number;
  #block: Block | undefined;
  /** A part of the request has failed: the rest of it is left out. */
  #failed = false;
  /** One piece of work after the other. */
  #last: Promise<void> = Promise.resolve();
  #working = false;

  constructor(
    port: RunnerPort,
    { processId, cluster, now }: { processId: number; cluster: ClusterTransactions; now: () => number },
  ) {
    this.#port = port;
    this.#rewinding = new Rewinding(port);
    this.processId = processId;
    this.#cluster = cluster;
    this.#lockedRows = new LockedRows(port, cluster);
    this.#counting = new Counting(port, cluster);
    this.#cancelling = new Cancelling(port);
    this.#now = now;
    cluster.conflicts.join(this);
  }

  get block(): Block | undefined {
    return this.#block;
  }

  /** Whether the rest of the request, up to Sync, is left out. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The session is over. */
  leave(): void {
    this.#block?.end();
    this.#cluster.conflicts.leave(this);
  }

  /** Does something when everything before it is done. */
  queue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(async () => {
      this.#working = true;
      try {
        await work();
      } finally {
        this.#working = false;
      }
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Rejects with SessionOver. What it returns must be done before the next request, and the client need not wait for it. */
  async run(steps: readonly Step[], request: Request): Promise<readonly Promise<unknown>[]> {
    const rest: Promise<unknown>[] = [];
    for (const [index, step] of steps.entries()) {
      if (this.#failed) break;
      const isLast = request.final && index === steps.length - 1;
      const place = {
        isLast: isLast && request.simple,
        isAlone: isLast && index === 0 && !this.#block,
        isFinal: request.final,
      };
      this.#failed = !(await this.#step(step, place, rest));
      await this.#cancelling.take();
    }
    if (request.final) {
      const failure = await this.#endImplied();
      if (failure) this.#port.tell(failure);
      this.#failed = false;
    }
    return rest;
  }

  /** The client's turn: others may have waited for what this session holds. */
  rests(): void {
    if (this.#block?.explicit) this.#cluster.conflicts.rests();
  }

  /** Says whether the next step may come. */
  async #step(step: Step, place: Position, rest: Promise<unknown>[]): Promise<boolean> {
    const block = this.#block;
    if (block?.isOverdue && step.verb !== 'rollback') return this.#tellAge(block, step);
    if (this.#port.status === 'E' || (step.verb === 'rollback' && block)) {
      const answer = await this.#port.ask(step, PLAIN, uncounted);
      if (answer.status === 'I') this.#endBlock();
      this.#port.deliver(answer);
      return !answer.errorFrame;
    }
    if (step.verb === 'begin') return this.#begin(step, rest);
    if (step.verb === 'commit' && block) return this.#commit(block, step);
    return this.#execute(step, place);
  }

  /** What others wait for and cannot take from it goes when a transaction is as old as one may be. */
  #limitAge(block: Block): void {
    const rest = MAX_AGE - block.rules.ageAt(this.#now());
    block.endsAt(rest, () => {
      this.queue(async () => {
        if (this.#block !== block || this.#port.status !== 'T') return;
        await this.#port.request(FAIL);
        block.isOverdue = true;
      }).catch(() => undefined);
    });
  }

  async #tellAge(block: Block, step: Step): Promise<false> {
    const failure = block.rules.age(this.#now()) ?? TEXTS.ageLimit(MAX_AGE / 1000);
    block.isOverdue = false;
    if (step.verb === 'commit') {
      await this.#port.request('ROLLBACK');
      this.#endBlock();
    }
    this.#port.tell(this.#failure(failure));
    return false;
  }

  async #begin(step: Step, rest: Promise<unknown>[]): Promise<boolean> {
    const before = this.#block;
    if (beginsTooLate(this.#cluster, before, step)) {
      const begin = step.statements.at(-1) as Statement;
      const refused = await this.#port.ask(step, { ...PLAIN, refused: new Map([[begin, TEXTS.lateBegin]]) }, uncounted);
      this.#port.deliver(refused);
      return false;
    }
    if (before && !before.explicit) {
      // The statements before it in the same text belong to the block, as in PostgreSQL.
      const answer = await this.#port.ask(step, PLAIN, uncounted);
      before.becomeExplicit();
      this.#port.deliver(answer);
      return !answer.errorFrame;
    }
    const asked = this.#port.ask(step, PLAIN, uncounted);
    // Sent with it, so that nobody waits for it.
    const saved = before ? undefined : this.#port.request(SAVEPOINT);
    const answer = await asked;
    if (saved && answer.status === 'T') {
      const block = this.#newBlock(true);
      this.#block = block;
      const known = saved.then(({ error }) => {
        block.savepoint = !error;
      });
      known.catch(() => undefined);
      rest.push(known);
    } else if (saved) {
      await saved;
    }
    this.#port.deliver(answer);
    return !answer.errorFrame;
  }

  async #execute(step: Step, position: Position): Promise<boolean> {
    const { isLast, isAlone } = position;
    const block = this.#block ?? this.#beginImplied(step, position);
    const isWrapped = !block.explicit && block.wrapped;
    const refused = refusedOf(this.#cluster, block, step, this.#now());
    if (block.explicit) {
      if (!block.hasSnapshot) {
        await this.#cluster.conflicts.closed();
        this.#cluster.conflicts.seesFrom(block.transaction);
      }
      block.hasSnapshot = true;
      await this.#lockedRows.look(block, [step]);
    }
    const running: Running = {
      canRepeat: () => (block.explicit ? block.canRewind && block.shadowed.size === 0 : isAlone),
      interruptions: 0,
      byClient: false,
    };
    for (let attempt = 1; ; attempt++) {
      const stale = await this.#restore(block, step);
      const [first] = step.statements;
      if (stale && first) refused.set(first, stale);
      const counted = { rows: block.rules.rows, bytes: block.sent };
      const writing = { refused, shadowed: block.shadowed, again: false };
      const answer = await this.#cancelling.during(running, () => this.#counting.run(block, step, writing));
      if ((await this.#judge(block, step, answer, { attempt, running })) === 'again') {
        block.rules.rows = counted.rows;
        block.sent = counted.bytes;
        // The client waits for the word that they are prepared.
        const names = namesPrepared(step);
        if (names.length > 0) await this.#port.unprepare(names);
        continue;
      }
      if (!answer.errorFrame) {
        await this.#note(block, step, answer);
        // A statement by itself has not succeeded before its transaction has.
        if (isWrapped && isLast) replace(answer, await this.#endImplied());
        else if (block.explicit) this.#remember(block, step, answer);
        else if (!isWrapped) await this.#committed(block);
        // A COMMIT or ROLLBACK with nothing before it has ended what was begun for it.
        else if (this.#port.status === 'I') this.#endBlock();
      }
      if (answer.errorFrame) {
        // The engine does not know of an error that is ours.
        if (this.#port.status === 'T' && block.explicit) await this.#port.request(FAIL);
        if (!block.explicit && this.#port.status === 'I') this.#endBlock();
      }
      this.#port.deliver(answer);
      return !answer.errorFrame;
    }
  }

  async #note(block: Block, step: Step, answer: Answer): Promise<void> {
    const locks = step.statements.some((statement) => statement.locks);
    const places = locks ? await this.#lockedRows.places(block, step, answer) : undefined;
    // A question of ours is not to be what the client's transaction fails by.
    if (places === undefined && this.#port.status === 'E' && block.canRewind) await this.#rewinding.rewind(block);
    for (const statement of step.statements) {
      const unknown = this.#cluster.callsOwn(statement);
      block.did(statement, { unknown, parents: this.#cluster.parentsOf(statement), places });
    }
  }

  #remember(block: Block, step: Step, { digest }: Answer): void {
    const { journal } = block;
    // What was copied in has gone by; what is deallocated may have another meaning now; what has no Sync cannot be done again by itself.
    const isOnce = ({ tag, writesRows }: Statement) => (tag === 'CopyStmt' && writesRows) || tag === 'DeallocateStmt';
    if (step.joined || step.statements.some(isOnce)) journal.tear();
    journal.add(step, digest, step.holds);
    if (!journal.whole) this.#limitAge(block);
  }

  /** The transaction that every statement outside of a block is. */
  #beginImplied(step: Step, position: Position): Block {
    const block = this.#newBlock(false);
    this.#block = block;
    block.wrapped = mustBeWrapped(this.#cluster, block, step, position);
    // Nobody waits for its answer: it comes before that of what follows.
    if (block.wrapped) this.#port.request('BEGIN').catch(() => undefined);
    return block;
  }

  /**
   * Brings the engine to where the client thinks that it is. Says what the next statement is refused with where that
   * cannot be.
   */
  async #restore(block: Block, step: Step): Promise<Refusal | undefined> {
    if (!block.explicit) return undefined;
    const { transaction } = block;
    const named = step.statements.flatMap(({ relations }) => relations);
    if (transaction.changes.some((change) => concerns(change, named))) {
      this.#port.conflicted();
      return TEXTS.schemaChanged;
    }
    if (block.rewound && !(await this.#replay(block))) transaction.lost = true;
    if (!transaction.lost || step.statements.length === 0) return undefined;
    if (await this.#rewinding.shadow(block, step)) return undefined;
    this.#port.conflicted();
    return TEXTS.conflict;
  }

  /** Does again what was undone, so that others could go on. */
  async #replay(block: Block): Promise<boolean> {
    await this.#lockedRows.look(
      block,
      block.journal.entries.map(({ step }) => step),
    );
    return !block.transaction.lost && (await this.#rewinding.replay(block));
  }

  /** Whether an answer stands, or its step has to be done again. */
  async #judge(
    block: Block,
    step: Step,
    answer: Answer,
    { attempt, running }: { attempt: number; running: Running },
  ): Promise<'stands' | 'again'> {
    const code = codeOf(answer);
    const why = await this.#cancelling.take();
    const cancelled = code === '57014' && !running.byClient ? why : undefined;
    const isShadowed = block.shadowed.size > 0;
    const comesLate = block.explicit && !isShadowed && isLate(this.#cluster.conflicts, block, step, answer);
    if (isCatalogRace(answer)) {
      replace(answer, this.#failure(TEXTS.schemaChanged));
      return 'stands';
    }
    if (!isSerializationFailure(code) && !comesLate && !cancelled) return 'stands';
    const canRepeat = !answer.streamed && attempt < MAX_ATTEMPTS && cancelled !== 'given up' && !isShadowed;
    if (canRepeat && block.explicit && block.canRewind) {
      await this.#rewinding.rewind(block);
      if (code !== '40P01' && !cancelled) block.transaction.lost = true;
      return 'again';
    }
    // Who has met somebody only because he was cut off has no conflict.
    const isOurs = code === '40P01' || cancelled || running.interruptions > 0;
    if (canRepeat && !block.explicit && isOurs && (await this.#beginAgain(block))) return 'again';
    replace(answer, this.#failure(TEXTS.conflict));
    return 'stands';
  }

  /** Makes room for a statement outside of a block to be done again. Says whether nothing came before it. */
  async #beginAgain(block: Block): Promise<boolean> {
    if (this.#port.status === 'I') return true;
    if (!block.wrapped || block.active) return false;
    await this.#port.request('ROLLBACK');
    await this.#port.request('BEGIN');
    return true;
  }

  // Conflicts.

  get standing(): 'idle' | 'busy' | 'fixed' {
    const block = this.#block;
    if (this.#working || !block) return 'busy';
    return block.canRewind && !block.rewound ? 'idle' : 'fixed';
  }

  async rewind(): Promise<void> {
    await this.queue(async () => {
      const block = this.#block;
      if (block?.canRewind && !block.rewound && this.#port.status === 'T') await this.#rewinding.rewind(block);
    }).catch(() => undefined);
  }

  giveUp(): void {
    if (this.#working) this.#cancelling.giveUp();
  }

  /** The client's own request to cancel is on its way to the engine. */
  clientCancels(): void {
    this.#cancelling.clientCancels();
  }

  interrupt(): 'done' | 'later' | 'never' {
    return this.#working ? this.#cancelling.interrupt() : 'later';
  }

  // The end of a transaction.

  async #commit(block: Block, step: Step): Promise<boolean> {
    const failure = await this.#whyNot(block);
    if (failure) return this.#fail(this.#failure(failure));
    const locks = await this.#lockedRows.held(block);
    if (locks && 'error' in locks) return this.#fail(locks.errorFrame);
    const answer = await this.#closing(block, locks, this.#port.ask(step, PLAIN, uncounted));
    if (await this.#isConflict(codeOf(answer))) replace(answer, this.#failure(TEXTS.conflict));
    if (answer.tags[0] === 'COMMIT') await this.#committed(block, locks);
    else this.#endBlock();
    this.#port.deliver(answer);
    return !answer.errorFrame;
  }

  #closing({ locked }: Block, locks: RowLocks | undefined, commit: Promise<Answer>): Promise<Answer> {
    if (locked.size > 0 && !locks) this.#cluster.conflicts.closes(commit);
    return commit;
  }

  /** A COMMIT that is not one. */
  async #fail(failure: Buffer | undefined): Promise<false> {
    await this.#port.request('ROLLBACK');
    this.#endBlock();
    if (failure) this.#port.tell(failure);
    return false;
  }

  /** Whether a COMMIT has failed, if it has, because of another transaction. */
  async #isConflict(code: string | undefined): Promise<boolean> {
    const why = await this.#cancelling.take();
    return isSerializationFailure(code) || (why !== undefined && code === '57014');
  }

  #failure(refusal: Refusal): Buffer {
    if (refusal.sqlstate === '40001') this.#port.conflicted();
    return errorResponse(errorOf(refusal));
  }

  /** Why a transaction cannot be committed. */
  async #whyNot(block: Block): Promise<Refusal | undefined> {
    const { transaction } = block;
    const tooOld = block.rules.age(this.#now());
    if (tooOld) return tooOld;
    if (transaction.lost) return TEXTS.conflict;
    const isStale = transaction.changes.some((change) => concerns(change, block.touched));
    if (block.active && isStale) return TEXTS.schemaChanged;
    // What looks like reading may have written, through a view.
    if (block.rewound && !(await this.#replay(block))) return isStale ? TEXTS.schemaChanged : TEXTS.conflict;
    if (await this.#lockedRows.taken(block)) return TEXTS.conflict;
    if (block.active && this.#cluster.injects(block.wrote)) return TEXTS.conflict;
    return block.tooLarge();
  }

  /** Ends the transaction that a request implies. Returns the error that the client is to be told. */
  async #endImplied(): Promise<Buffer | undefined> {
    const block = this.#block;
    if (!block || block.explicit) return undefined;
    if (this.#port.status === 'I') {
      this.#endBlock();
      return undefined;
    }
    const failure = this.#failed || this.#port.status === 'E' ? undefined : await this.#commitImplied(block);
    if (this.#block === block) {
      await this.#port.request('ROLLBACK');
      this.#endBlock();
    }
    return failure;
  }

  async #commitImplied(block: Block): Promise<Buffer | undefined> {
    const refusal = block.active && this.#cluster.injects(block.wrote) ? TEXTS.conflict : block.tooLarge();
    if (refusal) return this.#failure(refusal);
    const locks = await this.#lockedRows.held(block);
    if (locks && 'error' in locks) return locks.errorFrame;
    const { error } = await this.#closing(block, locks, this.#port.request('COMMIT'));
    if (!error) {
      await this.#committed(block, locks);
      return undefined;
    }
    return (await this.#isConflict(error.get('C'))) ? this.#failure(TEXTS.conflict) : encodeFields('E', error);
  }

  #newBlock(explicit: boolean): Block {
    return new Block(this.#cluster.conflicts.begin(this, explicit), this.#now(), this.#cluster.spaces.journals);
  }

  async #committed(block: Block, locks?: RowLocks): Promise<void> {
    this.#block = undefined;
    block.end();
    this.#cluster.conflicts.commit(block.transaction, block.wrote, block.changes, locks);
    if (block.changes.length > 0) await this.#cluster.schemaChanged();
    await this.#port.committed();
  }

  #endBlock(): void {
    if (!this.#block) return;
    this.#cluster.conflicts.end(this.#block.transaction);
    this.#block.end();
    this.#block = undefined;
  }
}
