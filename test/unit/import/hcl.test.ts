import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHcl, type Expression } from '../../../src/import/hcl.ts';
import { SluiceError } from '../../../src/lib/errors.ts';

const value = (it: string | number | boolean | null): Expression => ({ kind: 'value', value: it });
const reference = (text: string): Expression => ({ kind: 'reference', text });

describe('an expression', () => {
  it.each<{ text: string; expression: Expression }>([
    { text: '12', expression: value(12) },
    { text: '-1.5e3', expression: value(-1500) },
    { text: 'true # so it is', expression: value(true) },
    { text: 'null // nothing', expression: value(null) },
    { text: '/* why */ "a \\"b\\" \\n \\u00e9 $${c}"', expression: value('a "b" \n é ${c}') },
    { text: '""', expression: value('') },
    { text: 'aws_sqs_queue.a.arn', expression: reference('aws_sqs_queue.a.arn') },
    { text: 'module.a["x y"].arn', expression: reference('module.a["x y"].arn') },
    { text: 'aws_sqs_queue.a[*].arn', expression: reference('aws_sqs_queue.a[*].arn') },
    {
      text: '"arn:${ var.a }:x-${~ local.b ~}"',
      expression: {
        kind: 'template',
        parts: ['arn:', reference('var.a'), ':x-', reference('local.b')],
      },
    },
    {
      text: '"${join("-", ["}", "b"])}"',
      expression: {
        kind: 'template',
        parts: [
          {
            kind: 'call',
            name: 'join',
            args: [value('-'), { kind: 'list', items: [value('}'), value('b')] }],
            text: 'join("-", ["}", "b"])',
          },
        ],
      },
    },
    { text: '[]', expression: { kind: 'list', items: [] } },
    { text: '[\n 1, # one\n 2,\n]', expression: { kind: 'list', items: [value(1), value(2)] } },
    {
      text: '{ a = 1, "b c" : 2\n (var.k) = 3 }',
      expression: {
        kind: 'object',
        entries: [
          [value('a'), value(1)],
          [value('b c'), value(2)],
          [reference('var.k'), value(3)],
        ],
      },
    },
    { text: 'var.a ? "x" : "y}"', expression: { kind: 'other', text: 'var.a ? "x" : "y}"' } },
    { text: '1 + (2 *\n 3)', expression: { kind: 'other', text: '1 + (2 * 3)' } },
    { text: '[for x in var.y : "${x}"]', expression: { kind: 'other', text: '[for x in var.y : "${x}"]' } },
    {
      text: '{ for k, v in var.y : k => v }',
      expression: { kind: 'other', text: '{ for k, v in var.y : k => v }' },
    },
    { text: '!var.a', expression: { kind: 'other', text: '!var.a' } },
    {
      text: '<<EOT\n  a\n b ${var.c}\nEOT',
      expression: { kind: 'template', parts: ['  a\n b ', reference('var.c'), '\n'] },
    },
    { text: '<<-EOT\n    a\n      b\n    EOT', expression: value('a\n  b\n') },
  ])('$text', ({ text, expression }) => {
    const { attributes } = readHcl(`x = ${text}\nafter = 1\n`);
    expect(attributes.get('x')?.expression).toEqual(expression);
    expect(attributes.get('after')).toEqual({ expression: value(1), line: text.split('\n').length + 1 });
  });
});

describe('a file', () => {
  it('has blocks with labels, attributes and blocks in them, each with its line', () => {
    const body = readHcl(`# a comment
resource "aws_sqs_queue" "a" {
  name = "x" /* over
  two lines */
  one_line { a = 1 }
  nested {
    deep "l" {}
  }
}\r
locals { b = 2 }`);
    expect(body.blocks.map(({ type, labels, line }) => [type, ...labels, line])).toEqual([
      ['resource', 'aws_sqs_queue', 'a', 2],
      ['locals', 10],
    ]);
    const [resource] = body.blocks;
    expect([...(resource?.attributes.keys() ?? [])]).toEqual(['name']);
    expect(resource?.blocks.map(({ type, line }) => [type, line])).toEqual([
      ['one_line', 5],
      ['nested', 6],
    ]);
  });

  it.each<{ text: string; message: RegExp }>([
    { text: 'a {', message: /line 1: .*block is not closed/ },
    { text: '\n\na = "b', message: /line 3: .*text is not closed/ },
    { text: 'a = [1, 2', message: /`]` is missing/ },
    { text: 'a = {b', message: /object must hold/ },
    { text: 'a = <<X\nb', message: /heredoc X is not closed/ },
    { text: '= 1', message: /found "="/ },
    { text: 'a 1', message: /must be followed by/ },
  ])('$text is an error that names the line', ({ text, message }) => {
    expect(() => readHcl(text)).toThrow(message);
  });

  it('ends for any text, nested however deep', () => {
    const deep = '"${'.repeat(300) + '}"'.repeat(300);
    for (const text of [
      `a = ${deep}`,
      `a = ${'['.repeat(5000)}`,
      `a = ${'f('.repeat(5000)}`,
      'a {\n'.repeat(5000),
    ])
      expect(() => readHcl(text)).toThrow(SluiceError);
    const token = fc.constantFrom(...'a|"|${|}|{|[|]|(|)|=|,|<<A\n|1|?| for |\n'.split('|'));
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
        try {
          readHcl(tokens.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(SluiceError);
        }
      }),
    );
  });
});
