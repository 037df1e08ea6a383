/**
 * A reader of HCL as far as mappings need it: blocks, attributes, and expressions of literals, templates, heredocs,
 * lists, objects, calls and references. Any other expression is kept as its text. It reads what Terraform accepts; for
 * a text that Terraform refuses it promises only to end, with or without an error.
 */
import { SluiceError, never } from '../lib/errors.ts';

/** An expression. */
export type Expression =
  | { readonly kind: 'value'; readonly value: string | number | boolean | null }
  | { readonly kind: 'template'; readonly parts: readonly (string | Expression)[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly args: readonly Expression[];
      readonly text: string;
    }
  /** `aws_sqs_queue.orders.arn`, also with indexes. */
  | { readonly kind: 'reference'; readonly text: string }
  /** Operators, conditions and whatever else is worked out by Terraform alone. */
  | { readonly kind: 'other'; readonly text: string };

export interface Attribute {
  readonly expression: Expression;
  readonly line: number;
}

/** The inside of a block or of a file. */
export interface Body {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
}

export interface Block extends Body {
  readonly type: string;
  readonly labels: readonly string[];
  readonly line: number;
}

/** Deepest nesting that is read. */
const maximumDepth = 100;

/** Reads a file. Throws `InvalidSpec` with the line for a text that is no HCL. */
export function readHcl(text: string): Body {
  const parser = new Parser(text.replaceAll('\r\n', '\n'));
  return parser.body(true, 0);
}

class Parser {
  readonly #text: string;
  #at = 0;
  /** Where the lines were counted up to, so that each is counted once. */
  #counted = { at: 0, line: 1 };

  constructor(text: string) {
    this.#text = text;
  }

  body(isFile: boolean, depth: number): Body {
    if (depth > maximumDepth) throw this.#fault(`it is nested deeper than ${maximumDepth} levels`);
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    for (;;) {
      this.#skipSpace(true);
      if (this.#at >= this.#text.length) {
        if (!isFile) throw this.#fault('a block is not closed');
        return { attributes, blocks };
      }
      if (!isFile && this.#take('}')) return { attributes, blocks };
      const line = this.#line();
      const name = this.#match(/[\p{L}_][\p{L}\p{N}_-]*/uy);
      if (name === undefined) throw this.#fault(`found ${JSON.stringify(this.#text[this.#at])}`);
      this.#skipSpace(false);
      if (this.#text[this.#at] === '=' && this.#text[this.#at + 1] !== '=') {
        this.#at++;
        attributes.set(name, { expression: this.#expression(depth + 1, /[\n}]/y), line });
      } else blocks.push(this.#block(name, line, depth));
    }
  }

  #block(type: string, line: number, depth: number): Block {
    const labels: string[] = [];
    for (;;) {
      this.#skipSpace(false);
      if (this.#take('{')) return { type, labels, line, ...this.body(false, depth + 1) };
      const label = this.#match(/"(?:[^"\\\n]|\\.)*"|[\p{L}_][\p{L}\p{N}_-]*/uy);
      if (label === undefined) throw this.#fault(`\`${type}\` must be followed by \`=\`, a label or \`{\``);
      labels.push(label.replaceAll('"', ''));
    }
  }

  /** An expression up to, and without, what ends it. Within brackets line ends are white space. */
  #expression(depth: number, end: RegExp): Expression {
    if (depth > maximumDepth) throw this.#fault(`it is nested deeper than ${maximumDepth} levels`);
    const inBrackets = !end.source.includes('\\n');
    this.#skipSpace(inBrackets);
    const start = this.#at;
    const primary = this.#primary(depth);
    if (primary !== undefined) {
      this.#skipSpace(inBrackets);
      if (this.#at >= this.#text.length || this.#isAt(end)) return primary;
    }
    this.#at = start;
    this.#skipRest(end);
    return { kind: 'other', text: this.#text.slice(start, this.#at).trim().replaceAll(/\s+/g, ' ') };
  }

  #primary(depth: number): Expression | undefined {
    const start = this.#at;
    const char = this.#text[start];
    if (char === '"') return this.#quoted(depth);
    if (char === '<' && this.#text[start + 1] === '<') return this.#heredoc(depth);
    if (char === '[') return this.#list(depth);
    if (char === '{') return this.#object(depth);
    if (char === '(') {
      this.#at++;
      const inner = this.#expression(depth + 1, /\)/y);
      return this.#take(')') && inner.kind !== 'other' ? inner : undefined;
    }
    const number = this.#match(/-?\d+(?:[.]\d+)?(?:[eE][+-]?\d+)?/y);
    if (number !== undefined) return { kind: 'value', value: Number(number) };
    const path = this.#match(
      /[\p{L}_][\p{L}\p{N}_-]*(?:[.](?:[\p{L}_][\p{L}\p{N}_-]*|\d+|\*)|\[[^\]\n]*\])*/uy,
    );
    if (path === undefined) return undefined;
    if (path === 'true' || path === 'false') return { kind: 'value', value: path === 'true' };
    if (path === 'null') return { kind: 'value', value: null };
    if (this.#take('(')) {
      const args = this.#items(/[,)]/y, ')', depth);
      return {
        kind: 'call',
        name: path,
        args,
        text: this.#text.slice(start, this.#at).replaceAll(/\s+/g, ' '),
      };
    }
    return { kind: 'reference', text: path };
  }

  #list(depth: number): Expression | undefined {
    const start = this.#at;
    this.#at++;
    this.#skipSpace(true);
    // `[for x in y : z]` is worked out by Terraform.
    if (this.#match(/for\b/y) !== undefined) {
      this.#at = start;
      return undefined;
    }
    return { kind: 'list', items: this.#items(/[,\]]/y, ']', depth) };
  }

  #items(end: RegExp, close: string, depth: number): readonly Expression[] {
    const items: Expression[] = [];
    for (;;) {
      this.#skipSpace(true);
      if (this.#take(close)) return items;
      const before = this.#at;
      items.push(this.#expression(depth + 1, end));
      this.#skipSpace(true);
      if (this.#take(',')) continue;
      if (this.#take(close)) return items;
      if (this.#at === before || this.#at >= this.#text.length)
        throw this.#fault(`a \`${close}\` is missing`);
    }
  }

  #object(depth: number): Expression | undefined {
    const start = this.#at;
    this.#at++;
    this.#skipSpace(true);
    if (this.#match(/for\b/y) !== undefined) {
      this.#at = start;
      return undefined;
    }
    const entries: (readonly [Expression, Expression])[] = [];
    for (;;) {
      this.#skipSpace(true);
      if (this.#take('}')) return { kind: 'object', entries };
      if (this.#at >= this.#text.length) throw this.#fault('a `}` is missing');
      const name = this.#match(/[\p{L}_][\p{L}\p{N}_-]*(?=\s*[=:])/uy);
      const key: Expression =
        name === undefined ? this.#expression(depth + 1, /[=:]/y) : { kind: 'value', value: name };
      this.#skipSpace(true);
      if (!this.#take('=') && !this.#take(':')) throw this.#fault('an object must hold `KEY = VALUE`');
      entries.push([key, this.#expression(depth + 1, /[\n,}]/y)]);
      this.#skipSpace(true);
      this.#take(',');
    }
  }

  #quoted(depth: number): Expression {
    this.#at++;
    return this.#template(depth, () => this.#text[this.#at] === '"', true);
  }

  #heredoc(depth: number): Expression {
    const head = /<<(-?)([\p{L}_][\p{L}\p{N}_-]*)[^\n]*\n/uy;
    head.lastIndex = this.#at;
    const found = head.exec(this.#text);
    if (found === null) throw this.#fault('a heredoc must begin with `<<NAME`');
    const [whole, dash, name = ''] = found;
    const end = new RegExp(`^[ \\t]*${name}[ \\t]*$`, 'mu');
    const rest = this.#text.slice(this.#at + whole.length);
    const close = end.exec(rest);
    if (close === null) throw this.#fault(`the heredoc ${name} is not closed`);
    const raw = rest.slice(0, close.index);
    const indents = raw
      .split('\n')
      .flatMap((line) => (line.trim() === '' ? [] : [/^[ \t]*/.exec(line)?.[0].length ?? 0]));
    const indent = dash === '-' ? Math.min(...indents, 1000) : 0;
    const text = raw
      .split('\n')
      .map((line) => line.slice(Math.min(indent, line.length)))
      .join('\n');
    this.#at += whole.length + close.index + close[0].length;
    const inner = new Parser(text);
    return inner.#template(depth, () => inner.#at >= text.length, false);
  }

  /** Text with `${…}` in it, up to its end, which is taken. */
  #template(depth: number, isEnd: () => boolean, isQuoted: boolean): Expression {
    const parts: (string | Expression)[] = [];
    let text = '';
    while (!isEnd()) {
      if (this.#at >= this.#text.length) throw this.#fault('a text is not closed');
      const two = this.#text.slice(this.#at, this.#at + 2);
      const three = this.#text.slice(this.#at, this.#at + 3);
      if (three === '$${' || three === '%%{') {
        text += three.slice(1);
        this.#at += 3;
      } else if (two === '${' || two === '%{') {
        this.#at += 2;
        this.#take('~');
        const expression = this.#expression(depth + 1, /~?\}/y);
        this.#skipSpace(true);
        this.#take('~');
        if (!this.#take('}')) throw this.#fault('a `}` is missing');
        const isPart = two === '${';
        parts.push(text, isPart ? expression : { kind: 'other', text: '%{…}' });
        text = '';
      } else if (isQuoted && two.startsWith('\\')) {
        text += this.#escape();
      } else {
        text += two[0] ?? '';
        this.#at++;
      }
    }
    if (isQuoted) this.#at++;
    if (parts.length === 0) return { kind: 'value', value: text };
    return { kind: 'template', parts: [...parts, text].filter((part) => part !== '') };
  }

  #escape(): string {
    const found = this.#match(/\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/y) ?? '\\';
    const simple: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
    if (found === '\\') this.#at++;
    const code = found[1] ?? '';
    if (code === 'u' || code === 'U') {
      const point = Number.parseInt(found.slice(2), 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : '';
    }
    return simple[code] ?? code;
  }

  /** Goes on to what ends an expression, over texts and brackets in it. */
  #skipRest(end: RegExp): void {
    let open = 0;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] ?? '';
      if (open === 0 && this.#isAt(end)) return;
      if (char === '"') {
        this.#skipQuoted();
        continue;
      }
      if (this.#skipComment()) continue;
      if ('([{'.includes(char)) open++;
      if (')]}'.includes(char)) open--;
      if (open < 0) return;
      this.#at++;
    }
  }

  /** Goes over a text with all that is in it; without reading it, which would be done twice at each level. */
  #skipQuoted(): void {
    const inside: ('text' | 'braces')[] = [];
    do {
      const char = this.#text[this.#at];
      if (inside.at(-1) === 'text') {
        if (char === '\\') this.#at++;
        else if (char === '"') inside.pop();
        else if ((char === '$' || char === '%') && this.#text[this.#at + 1] === '{') {
          inside.push('braces');
          this.#at++;
        }
      } else if (char === '"') inside.push('text');
      else if (char === '{') inside.push('braces');
      else if (char === '}') inside.pop();
      this.#at++;
    } while (inside.length > 0 && this.#at < this.#text.length);
  }

  #skipSpace(withLines: boolean): void {
    for (;;) {
      const before = this.#at;
      this.#match(withLines ? /\s+/y : /[^\S\n]+/y);
      this.#skipComment();
      if (this.#at === before) return;
    }
  }

  #skipComment(): boolean {
    return this.#match(/#[^\n]*|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)/y) !== undefined;
  }

  #isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #line(): number {
    const from = this.#at < this.#counted.at ? { at: 0, line: 1 } : this.#counted;
    const passed = this.#text.slice(from.at, this.#at).split('\n').length - 1;
    this.#counted = { at: this.#at, line: from.line + passed };
    return this.#counted.line;
  }

  #fault(why: string): SluiceError {
    return new SluiceError('InvalidSpec', `line ${this.#line()}: the text must be HCL: ${why}`, never);
  }
}
