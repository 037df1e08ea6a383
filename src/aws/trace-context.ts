/**
 * X-Ray's trace header (`Root=1-…;Parent=…;Sampled=…`) and its W3C form. Pure. Producers write these texts, so they may
 * be anything; what is not well formed gives undefined.
 */

/** A `traceparent` of version 00 that names a trace and a span. */
export const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A `tracestate`, as far as its characters go. */
export const tracestateForm = /^[ -~]{1,512}$/;

/** The trace id of an X-Ray header in W3C's form: 32 hexadecimal digits. */
export function traceIdOf(xray: string): string | undefined {
  const root = /(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)/.exec(xray);
  return root === null ? undefined : `${root[1]}${root[2]}`;
}

/**
 * The `traceparent` of an X-Ray header: its trace and sampling, with `span` where it names no parent. An undecided
 * sampling counts as sampled: with the flag off, consumers that follow their caller would record nothing at all.
 */
export function traceparentOf(xray: string, span: () => string): string | undefined {
  const traceId = traceIdOf(xray);
  if (traceId === undefined) return undefined;
  const parent = /(?:^|;)\s*Parent=([0-9a-f]{16})(?:;|$)/.exec(xray)?.[1] ?? span();
  const sampled = /(?:^|;)\s*Sampled=0(?:;|$)/.test(xray) ? '00' : '01';
  return `00-${traceId}-${parent}-${sampled}`;
}
