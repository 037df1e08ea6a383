/** `Retry-After` of RFC 9110: whole seconds or an HTTP date in any of its three forms. Pure. */

/** The longest delay taken from a target: one that asks for a day must not stop a mapping for a day. */
export const maxRetryAfterMs = 300_000;

const dateForms = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
];
const asctimeForm = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Milliseconds from `nowMs`, between 0 and `maxRetryAfterMs`; undefined for a value that is neither form. */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * 1000, maxRetryAfterMs);
  let atMs = Number.NaN;
  if (dateForms.some((form) => form.test(text))) atMs = Date.parse(text);
  else if (asctimeForm.test(text)) atMs = Date.parse(`${text} GMT`);
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(0, atMs - nowMs), maxRetryAfterMs);
}
