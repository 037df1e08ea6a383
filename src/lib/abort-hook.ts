/**
 * What is to be done when a signal aborts, for signals that are used for one call after another: their one listener
 * stays, and a call costs no more than setting what it does. Adding and removing a listener for each call took as long
 * as the rest of its bookkeeping.
 */
export class AbortHook {
  readonly #signal: AbortSignal;
  #action: (() => void) | undefined;

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener(
      'abort',
      () => {
        const action = this.#action;
        this.#action = undefined;
        action?.();
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

  /** Has `action` called once if the signal aborts from now on, until `delete`. A signal may have several. */
  add(action: () => void): void {
    if (this.#action === undefined) this.#action = action;
    else this.#signal.addEventListener('abort', action, { once: true });
  }

  /** Takes an action back. */
  delete(action: () => void): void {
    if (this.#action === action) this.#action = undefined;
    else this.#signal.removeEventListener('abort', action);
  }
}

const hooks = new WeakMap<AbortSignal, AbortHook>();
