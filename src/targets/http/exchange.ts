/**
 * One request and its answer on one connection. Says exactly how far it came, since the meaning of a failure depends
 * on whether a byte was sent: `unsent` is certain, everything later may have been processed.
 *
 * The time-out runs from the moment of sending to the last byte of the answer. At most the allowed bytes are held,
 * whatever the target sends.
 */
import type { Dispatcher } from 'undici';
import { AbortHook } from '../../lib/abort-hook.ts';
import type { Clock } from '../../lib/clock.ts';
import type { DeadlineWatch, Watched } from '../../lib/deadline-watch.ts';
import { deferred, type Deferred } from '../../lib/lifecycle.ts';
import { BodyBuffer, maxAnswerBytes, maxDroppedBytes, noBytes, readHead, type AnswerHead } from './answer.ts';
import type { Connection } from './connection.ts';

export interface CallRequest {
  readonly path: string;
  /** Name, value, name, value. */
  readonly headers: string[];
  readonly body: Buffer;
  /** Whether the body of an answer with this head matters. */
  readonly needsBody: (head: AnswerHead) => boolean;
}

/** What becomes of a call that is not waited for any longer: it is heard out for at most `maxMs` instead of cut. */
export interface HearingOut {
  readonly clock: Clock;
  readonly maxMs: number;
  /** Called once, after a call whose time-out came before its end has really ended and its connection is closed. */
  readonly onEnd: () => void;
}

export type Exchange =
  /** The answer is complete, or its head tells all and the rest was dropped. */
  | { readonly kind: 'answered'; readonly head: AnswerHead; readonly body: Uint8Array }
  /** Not one byte was handed to the connection. */
  | { readonly kind: 'unsent'; readonly error: Error }
  /** The connection ended, or spoke no HTTP, after sending and before the answer was complete. */
  | { readonly kind: 'broken'; readonly error: Error; readonly head: AnswerHead | undefined }
  | { readonly kind: 'oversize'; readonly head: AnswerHead }
  | { readonly kind: 'timed-out'; readonly head: AnswerHead | undefined }
  /** The caller's signal; nobody knows what the target did. */
  | { readonly kind: 'aborted' };

/**
 * Sends `request` and resolves with what `onEnd` makes of its fate; rejects only with what that throws. The connection
 * is unusable unless `answered`. With `hearing`, a call that timed out is told as such and goes on in the background,
 * as `isHeardOut` says; its connection is closed when it ends.
 *
 * `onEnd` and not a promise to wait for: the steps of a call that is answered are so few that each wait between them
 * counts.
 */
export function exchange<T>(
  deadlines: CallDeadlines,
  connection: Connection,
  request: CallRequest,
  signal: AbortSignal,
  onEnd: (ended: Exchange, isHeardOut: boolean) => T,
  hearing?: HearingOut,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (ended: Exchange, isHeardOut: boolean): void => {
      try {
        resolve(onEnd(ended, isHeardOut));
      } catch (error) {
        reject(error);
      }
    };
    const hook = AbortHook.of(signal);
    const call = new Call(connection, request.needsBody, deadlines, hook, settle, hearing);
    if (signal.aborted) call.onAbort();
    else {
      const { path, headers, body } = request;
      connection.client.dispatch({ method: 'POST', path, headers, body }, call);
    }
  });
}

async function hearOut(
  connection: Connection,
  ended: Promise<void>,
  { clock, maxMs, onEnd }: HearingOut,
): Promise<void> {
  const over = new AbortController();
  const limit = clock.sleep(maxMs, over.signal);
  await Promise.race([ended, limit]);
  over.abort('ended');
  await limit;
  await connection.destroy();
  onEnd();
}

/** The time-outs of the calls of one target. */
export type CallDeadlines = DeadlineWatch<Call>;

/** undici's handler of one request. The first end counts; what comes later finds nobody. */
class Call implements Dispatcher.DispatchHandler, Watched<Call> {
  before: Call | undefined;
  behind: Call | undefined;
  list: object | undefined;
  deadlineMs = 0;
  head: AnswerHead | undefined;
  readonly #connection: Connection;
  readonly #needsBody: (head: AnswerHead) => boolean;
  readonly #body = new BodyBuffer();
  readonly #settle: (ended: Exchange, isHeardOut: boolean) => void;
  readonly #deadlines: CallDeadlines;
  readonly #hook: AbortHook;
  readonly #hearing: HearingOut | undefined;
  /** Its result is out, and it goes on to its end; resolved then. */
  #heardOut: Deferred<void> | undefined;
  #ended = false;
  #sent = false;
  #received = 0;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(
    connection: Connection,
    needsBody: (head: AnswerHead) => boolean,
    deadlines: CallDeadlines,
    hook: AbortHook,
    settle: (ended: Exchange, isHeardOut: boolean) => void,
    hearing: HearingOut | undefined,
  ) {
    this.#connection = connection;
    this.#needsBody = needsBody;
    this.#deadlines = deadlines;
    this.#hook = hook;
    this.#settle = settle;
    this.#hearing = hearing;
    hook.add(this);
  }

  onAbort(): void {
    this.end({ kind: 'aborted' });
  }

  expire(): void {
    const result: Exchange = { kind: 'timed-out', head: this.head };
    if (this.#hearing === undefined) this.end(result);
    else if (!this.#ended) {
      this.#heardOut = deferred();
      this.#finish(result);
      void hearOut(this.#connection, this.#heardOut.promise, this.#hearing);
    }
  }

  end(result: Exchange): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#heardOut?.resolve();
    if (result.kind !== 'answered') {
      this.#controller?.abort(new Error('The call has ended'));
      // Nothing may go out on it again; a request that still waits in it is cancelled before its first byte. What
      // is heard out closes it at its own end.
      if (this.#heardOut === undefined) this.#connection.giveUp();
    }
    if (this.#heardOut === undefined) this.#finish(result);
  }

  #finish(result: Exchange): void {
    this.#hook.delete(this);
    this.#deadlines.delete(this);
    this.#connection.reused = true;
    this.#settle(this.#told(result) ?? result, this.#heardOut !== undefined);
  }

  /** A head that tells all stands, however its body ended. */
  #told(result: Exchange): Exchange | undefined {
    if (!('head' in result) || result.head === undefined || this.#needsBody(result.head)) return undefined;
    return { kind: 'answered', head: result.head, body: noBytes };
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) {
      controller.abort(new Error('The call has ended'));
      return;
    }
    this.#sent = true;
    this.#deadlines.add(this);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // Interim answers (103 Early Hints and the like) say nothing about the batch.
    if (this.#ended || statusCode < 200) return;
    const head = readHead(statusCode, headers);
    this.head = head;
    if ((head.declaredBytes ?? 0) > this.#limit(head)) this.end({ kind: 'oversize', head });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const head = this.head;
    if (this.#ended || head === undefined) return;
    this.#received += chunk.length;
    if (this.#received > this.#limit(head)) this.end({ kind: 'oversize', head });
    else if (this.#needsBody(head) && this.#heardOut === undefined) this.#body.append(chunk);
  }

  onResponseEnd(): void {
    const head = this.head;
    if (head === undefined) return;
    // A reset may look like the end of a body that nothing else delimits.
    if (!head.delimited && this.#connection.firstError !== undefined) {
      this.end({ kind: 'broken', head, error: new Error('the connection was reset within the body') });
      return;
    }
    this.end({ kind: 'answered', head, body: this.#body.view() });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (!this.#sent) this.end({ kind: 'unsent', error });
    // What undici found wrong with the answer says more than how the socket then ended; its "closed" says less.
    else if (error.name !== 'SocketError') this.end({ kind: 'broken', error, head: this.head });
    else this.end({ kind: 'broken', error: this.#connection.firstError ?? error, head: this.head });
  }

  #limit(head: AnswerHead): number {
    return this.#needsBody(head) ? maxAnswerBytes : maxDroppedBytes;
  }
}
