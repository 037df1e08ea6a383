/**
 * What readers of other tools' files produce: mappings in the shape of our `spec`, and notes about everything that did
 * not become one. Values that only a deployed stack knows are `Unknown` until `fields.ts` writes them as placeholders.
 */

/** One part of a text that is not known from the file. */
export interface Hole {
  /** Name of the placeholder, as `OrdersQueue.Arn`; letters, digits, `_`, `.` and `-`. */
  readonly name: string;
  /** The expression as its file has it. */
  readonly text: string;
  /** Service of the ARN that it stands for, where the file tells. */
  readonly service?: string | undefined;
  /** The queue is a FIFO one, so that its rules apply. */
  readonly fifo?: boolean | undefined;
}

/** A text with parts that are not known from the file. */
export class Unknown {
  readonly parts: readonly (string | Hole)[];

  constructor(parts: readonly (string | Hole)[]) {
    this.parts = parts;
  }

  /** The one hole that the whole value is, or undefined. */
  get only(): Hole | undefined {
    const [first, ...rest] = this.parts;
    return rest.length === 0 && typeof first === 'object' ? first : undefined;
  }
}

/**
 * What a note is about. `info` and `placeholder` tell what a reader must know, `not-polled` names an event source that
 * is none of Lambda's mappings, `owned` and `orphan` are about live mappings, and `refused` names something that could not
 * be taken over.
 */
export type NoteKind = 'info' | 'placeholder' | 'not-polled' | 'owned' | 'orphan' | 'refused';

/** One thing that is told on standard error. */
export interface Note {
  readonly kind: NoteKind;
  /** What it is about, in the words of the file: `OrdersFunction.OrderEvents`. */
  readonly subject: string;
  readonly message: string;
  /** Line in the file, from 1; absent where the reader keeps none. */
  readonly line?: number | undefined;
}

/** A mapping that a reader found. */
export interface FoundMapping {
  readonly subject: string;
  readonly line?: number | undefined;
  /** Members of our `spec`, as far as the file gives them. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** What the object is to be called; the subject, where it is absent. */
  readonly name?: string | undefined;
  /** Namespace that the file gives it; the user's choice wins. */
  readonly namespace?: string | undefined;
  /** UUID of the live mapping, where the file tells. */
  readonly uuid?: string | undefined;
  /** Why it must not be applied, though it would be valid; the manifest is then written as a comment. */
  readonly withheld?: readonly string[] | undefined;
  /** What to say in a comment above the manifest. */
  readonly comments?: readonly string[] | undefined;
}

/** What a reader made of a file. */
export interface Reading {
  readonly mappings: readonly FoundMapping[];
  readonly notes: readonly Note[];
}

/** Values that the user gave for names that the file leaves open. */
export type Settings = ReadonlyMap<string, string>;

/** The name of a placeholder for any text: only what every field of ours takes. */
export function placeholderName(text: string): string {
  return (
    text
      .replaceAll('::', '.')
      .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
      .replaceAll(/^[.-]+|[.-]+$/g, '')
      .slice(0, 100) || 'value'
  );
}

/** A value that is one hole, or what the user set for it. */
export function holeOr(hole: Hole, settings: Settings): string | Unknown {
  return settings.get(hole.name) ?? settings.get(hole.text) ?? new Unknown([hole]);
}

/** Texts one after the other; undefined where one of them is no text. */
export function concat(values: readonly unknown[], separator = ''): string | Unknown | undefined {
  const parts: (string | Hole)[] = [];
  for (const [index, value] of values.entries()) {
    if (index > 0 && separator !== '') parts.push(separator);
    if (value instanceof Unknown) parts.push(...value.parts);
    else if (['string', 'number', 'boolean'].includes(typeof value)) parts.push(String(value));
    else return undefined;
  }
  const merged: (string | Hole)[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (typeof part === 'string' && typeof last === 'string') merged.splice(-1, 1, last + part);
    else merged.push(part);
  }
  const texts = merged.filter((part) => typeof part === 'string');
  const isKnown = texts.length === merged.length;
  return isKnown ? texts.join('') : new Unknown(merged.filter((part) => part !== ''));
}

/** Whether any part of a value is not known. */
export function hasUnknown(value: unknown): boolean {
  if (value instanceof Unknown) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasUnknown);
}
