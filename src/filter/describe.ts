/** Patterns and event values as short JSON text, for explanations. */
import { ExactNumber } from '../lib/json.ts';
import type { Alternative, Bound, Condition } from './pattern.ts';

/** A condition's alternatives the way a pattern writes them. */
export function describeCondition(condition: Condition): string {
  return `[${condition.alternatives.map(describeAlternative).join(', ')}]`;
}

/** A leaf of an event, cut off after 60 characters. */
export function describeLeaf(value: unknown): string {
  return shorten(value instanceof ExactNumber ? value.text : JSON.stringify(value));
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function describeAlternative(alternative: Alternative): string {
  switch (alternative.kind) {
    case 'equals':
      return shorten(JSON.stringify(alternative.value));
    case 'equals-number':
      return alternative.text;
    case 'equals-address':
      return JSON.stringify(alternative.text);
    case 'prefix-ignore-case':
    case 'suffix-ignore-case': {
      const [affix = ''] = alternative.kind.split('-');
      return operator(affix, `{"equals-ignore-case": ${JSON.stringify(alternative.text)}}`);
    }
    case 'equals-ignore-case':
    case 'prefix':
    case 'suffix':
    case 'wildcard':
    case 'cidr':
      return operator(alternative.kind, JSON.stringify(alternative.text));
    case 'numeric':
      return operator('numeric', `[${describeRange(alternative.low, alternative.high)}]`);
    case 'exists':
      return operator('exists', String(alternative.exists));
    case 'anything-but-strings':
    case 'anything-but-numbers':
      return operator('anything-but', list(alternative.values.map((value) => JSON.stringify(value))));
    case 'anything-but':
      break;
  }
  // The excluded alternatives are all of one kind.
  const texts = alternative.of.map((of) => ('text' in of ? JSON.stringify(of.text) : ''));
  return operator('anything-but', operator(alternative.of[0]?.kind ?? '', list(texts)));
}

function operator(name: string, value: string): string {
  return `{"${name}": ${value}}`;
}

function list(texts: readonly string[]): string {
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}

function describeRange(low: Bound | undefined, high: Bound | undefined): string {
  if (low !== undefined && low === high) return `"=", ${low.value}`;
  const ends: string[] = [];
  if (low !== undefined) ends.push(`"${low.inclusive ? '>=' : '>'}", ${low.value}`);
  if (high !== undefined) ends.push(`"${high.inclusive ? '<=' : '<'}", ${high.value}`);
  return ends.join(', ');
}
