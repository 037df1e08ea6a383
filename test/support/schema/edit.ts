/** Reads and changes a value deep in a JSON object, without touching the original. */

export type Step = string | number;

/** The first concrete path of a template such as `spec.tags.{}` in an object, or undefined when it is not there. */
export function concretePath(
  value: unknown,
  template: readonly string[],
  reached: readonly Step[] = [],
): readonly Step[] | undefined {
  const [step, ...rest] = template;
  if (value === undefined) return undefined;
  if (step === undefined) return reached;
  if (typeof value !== 'object' || value === null) return undefined;
  if (step === '[]' || step === '{}') {
    for (const [key, child] of Object.entries(value)) {
      const found = concretePath(child, rest, [...reached, Array.isArray(value) ? Number(key) : key]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return concretePath((value as Readonly<Record<string, unknown>>)[step], rest, [...reached, step]);
}

export function read(value: unknown, path: readonly Step[]): unknown {
  return path.reduce<unknown>(
    (one, step) =>
      typeof one === 'object' && one !== null ? (one as Record<Step, unknown>)[step] : undefined,
    value,
  );
}

/** A copy with the value at `path` set; undefined removes it. */
export function put<T>(value: T, path: readonly Step[], replacement: unknown): T {
  const copy = structuredClone(value);
  const last = path.at(-1);
  const parent = read(copy, path.slice(0, -1));
  if (last === undefined || typeof parent !== 'object' || parent === null)
    throw new Error(`no place at ${path.join('.')}`);
  if (replacement === undefined) delete (parent as Record<Step, unknown>)[last];
  else (parent as Record<Step, unknown>)[last] = replacement;
  return copy;
}
