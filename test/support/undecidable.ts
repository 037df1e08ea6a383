/**
 * An event that is made for the slow way of the filter, and its pattern: every combination of the elements of `a` and
 * `c` is tried, and none of `d` is what is asked for. The dotted name sends it that way.
 */
const many = Array.from({ length: 1500 }, () => ({ b: 1 }));

export const undecidable = {
  event: { x: 1, 'a.q': 1, a: many, c: many, d: [{ b: 2 }] },
  pattern: '{"a":{"b":[1],"q":[1]},"c":{"b":[1]},"d":{"b":["none"]}}',
} as const;
