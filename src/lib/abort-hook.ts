/**
 * What is to be done when a signal aborts, for signals that are used for one call after another: their one listener
 * stays, and a call costs no more than setting what it does. Adding and removing a listener for each call took as long
 * as the rest of its bookkeeping.
 */
export interface Abortable {
  /** The signal has aborted. */
  onAbort(): void;
}

export class AbortHook {
  readonly #signal: AbortSignal;
  #call: Abortable | undefined;
  /** Of calls beside the first. */
  #others: Map<Abortable, () => void> | undefined;

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener(
      'abort',
      () => {
        const call = this.#call;
        this.#call = undefined;
        call?.onAbort();
      },
      { once: true },
    );
  }

  /** The hook of a signal; the same for the same signal. */
  static of(signal: AbortSignal): AbortHook {
    let hook = hooks.get(signal);
    if (hook === undefined) {
      hook = new AbortHook(signal);
      hooks.set(signal, hook);
    }
    return hook;
  }

  /** Has `call` told once if the signal aborts from now on, until `delete`. A signal may have several. */
  add(call: Abortable): void {
    if (this.#call === undefined) {
      this.#call = call;
      return;
    }
    const listener = (): void => call.onAbort();
    this.#others ??= new Map();
    this.#others.set(call, listener);
    this.#signal.addEventListener('abort', listener, { once: true });
  }

  /** Takes a call back. */
  delete(call: Abortable): void {
    if (this.#call === call) {
      this.#call = undefined;
      return;
    }
    const listener = this.#others?.get(call);
    if (listener === undefined) return;
    this.#others?.delete(call);
    this.#signal.removeEventListener('abort', listener);
  }
}

const hooks = new WeakMap<AbortSignal, AbortHook>();
