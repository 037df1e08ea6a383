/**
 * Comparison without regard to case, as event-ruler does it: each character of the pattern stands for its lower-case
 * and its upper-case form, one character at a time and without any locale. So `ß` also stands for `SS`, but `SS`
 * does not stand for `ß`.
 */

/** The forms of each UTF-16 unit of the pattern: lower case and upper case, often the same. */
export type Folded = readonly (readonly [lower: string, upper: string])[];

export function foldCase(text: string): Folded {
  return text.split('').map((unit) => [unit.toLowerCase(), unit.toUpperCase()] as const);
}

/** Whether `text` starts with the pattern. */
export function startsWithFolded(text: string, folded: Folded): boolean {
  return endOfPrefix(text, folded) !== -1;
}

/** Whether `text` is the pattern. */
export function equalsFolded(text: string, folded: Folded): boolean {
  return endOfPrefix(text, folded) === text.length;
}

/** Whether `text` ends with the pattern. */
export function endsWithFolded(text: string, folded: Folded): boolean {
  let end = text.length;
  for (let index = folded.length - 1; index >= 0; index -= 1) {
    const [lower, upper] = folded[index] ?? ['', ''];
    if (text.startsWith(lower, end - lower.length) && end >= lower.length) end -= lower.length;
    else if (text.startsWith(upper, end - upper.length) && end >= upper.length) end -= upper.length;
    else return false;
  }
  return true;
}

function endOfPrefix(text: string, folded: Folded): number {
  let at = 0;
  for (const [lower, upper] of folded) {
    if (text.startsWith(lower, at)) at += lower.length;
    else if (text.startsWith(upper, at)) at += upper.length;
    else return -1;
  }
  return at;
}
