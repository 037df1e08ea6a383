/** How long and how often `eventually` tries. */
export interface EventuallyOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Pause between two tries; default 50. */
  readonly intervalMs?: number;
  /** What is waited for, in the message of the error. */
  readonly what?: string;
}

/**
 * Tries `check` until it neither throws nor gives false or undefined, and returns what it gave. For tests against
 * real processes; unit tests use `VirtualClock`. When time is up the last failure is the cause of the error.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const endMs = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
      last = new Error(`the check gave ${String(value)}`);
    } catch (error) {
      last = error;
    }
    if (performance.now() >= endMs) {
      const reason = last instanceof Error ? last.message : String(last);
      throw new Error(
        `${options.what ?? 'What was waited for'} did not happen in ${timeoutMs} ms: ${reason}`,
        {
          cause: last,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 50));
  }
}
