/** Small pieces of Markdown for generated pages. */

const banner = '<!-- Generated from src/ by `npm run generate`. Do not edit. -->';

/** A page with a title; empty parts are left out. */
export function page(title: string, ...parts: readonly string[]): string {
  return `${[banner, `# ${title}`, ...parts.filter((part) => part !== '')].join('\n\n')}\n`;
}

export function heading(text: string, level = 2): string {
  return `${'#'.repeat(level)} ${text}`;
}

/** A table; cells are Markdown, see `cell` for plain text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text that may stand in a table. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
