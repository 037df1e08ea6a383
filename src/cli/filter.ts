/**
 * `sluice filter`: whether an event passes a mapping's filters, and why, key by key. Reads files and standard input
 * only; needs neither a cluster nor AWS.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { readYaml } from '../api/yaml.ts';
import { explainPattern, explanationLines, type PatternExplanation } from '../filter/explain.ts';
import { compileFilterCriteria } from '../filter/filter-criteria.ts';
import { messageOf } from '../lib/errors.ts';
import { UsageError, exitCodes, type Command, type Io } from './command.ts';
import { optionsHelp, parseOptions, type Options } from './config.ts';
import { choiceType, switchType, textsType } from './option-types.ts';
import { runFilterBatch } from './filter-batch.ts';
import {
  dataKeyOf,
  filterSources,
  parseFilterSource,
  readFilterEvent,
  type FilterSource,
} from './filter-event.ts';

const options = {
  pattern: {
    type: textsType,
    value: 'PATTERN',
    multiple: true,
    help: 'A filter pattern: JSON text, a file that holds it, or - for standard input. Repeat it for more filters.',
  },
  filename: {
    type: z.string().optional(),
    value: 'FILE',
    short: 'f',
    help: 'Take the patterns of `spec.filterCriteria` from the EventSourceMapping in this YAML file.',
  },
  event: { type: z.string().optional(), value: 'FILE', help: 'The event: a file, or - for standard input.' },
  source: {
    type: z.string().optional(),
    value: 'SOURCE',
    help: `What the event is: ${filterSources.join(' or ')}. Default raw, or sqs for a mapping of an SQS queue.`,
  },
  output: {
    type: choiceType(['text', 'json'], 'text'),
    value: 'FORMAT',
    short: 'o',
    help: 'text or json. Default text.',
  },
  batch: { type: switchType, help: 'Answer JSON lines from standard input instead; see below.' },
} as const satisfies Options;

export const filterCommand: Command = {
  name: 'filter',
  summary: 'Explain why an event matches a filter pattern or not.',
  help: `Usage: sluice filter --pattern PATTERN --event FILE [--source raw|sqs] [-o text|json]
       sluice filter -f mapping.yaml --event FILE
       sluice filter --batch

Tells whether an event passes a mapping's filters, and why, key by key.

With --source raw the event is matched as it is. With --source sqs it is one record of the Lambda event for SQS,
whose body is decoded before matching, as a mapping does.

Options:
${optionsHelp(options)}
With --batch, each line of standard input is {"id", "source", "patterns": [text, ...], "event": "<JSON text>"} and is
answered by one line {"id", "result": "match"|"nomatch"|"invalid", "error"}, in order.

Exit status: 0 match, 1 no match, 2 wrong command line, pattern or event. With --batch: 0.

Examples:
  sluice filter --pattern '{"body":{"kind":["order"]}}' --source sqs --event record.json
  sluice filter -f mapping.yaml --event record.json -o json
  sluice filter --batch < questions.jsonl
`,
  options,
  async run(argv, io) {
    const { values } = await parseOptions(options, argv, io.env);
    if (values.batch) {
      if (values.pattern.length > 0 || values.filename !== undefined || values.event !== undefined) {
        throw new UsageError('`--batch` must stand without --pattern, --filename and --event');
      }
      return runFilterBatch(io);
    }
    if (values.event === undefined)
      throw new UsageError('`--event` is required: a file, or - for standard input');
    if (values.pattern.length > 0 === (values.filename !== undefined)) {
      throw new UsageError('the patterns must come either from `--pattern` or from `--filename`');
    }
    if ([...values.pattern, values.event].filter((name) => name === '-').length > 1) {
      throw new UsageError('standard input (-) must be named only once');
    }
    const mapping = values.filename === undefined ? undefined : await readMapping(values.filename, io);
    const patterns =
      mapping?.patterns ?? (await Promise.all(values.pattern.map((text) => readInput(text, io))));
    const named = parseFilterSource(values.source ?? mapping?.source ?? 'raw');
    if ('problem' in named) throw new UsageError(named.problem.replace('`source`', '`--source`'));
    return explain(patterns, named.source, await readInput(values.event, io), values.output, io);
  },
};

async function explain(
  patterns: readonly string[],
  source: FilterSource,
  eventText: string,
  output: 'text' | 'json',
  io: Io,
): Promise<number> {
  const invalid = async (error: string): Promise<number> => {
    if (output === 'json') await io.out(`${JSON.stringify({ result: 'invalid', error })}\n`);
    else await io.err(`${error}\n`);
    return exitCodes.usage;
  };
  const result = compileFilterCriteria(patterns, dataKeyOf(source));
  if (!result.ok) {
    return invalid(
      result.problems.map(({ index, error }) => `pattern ${index + 1}: ${error.message}`).join('\n'),
    );
  }
  const read = readFilterEvent(source, eventText);
  if ('problem' in read) return invalid(read.problem);

  const { criteria } = result;
  const matched = criteria.decide(read.event) !== false;
  const explanations = criteria.patterns.map((pattern) =>
    explainPattern(pattern, read.event, dataKeyOf(source)),
  );
  if (output === 'json') {
    const filters = explanations.map((explanation, index) => ({ pattern: patterns[index], ...explanation }));
    await io.out(`${JSON.stringify({ result: matched ? 'match' : 'nomatch', source, filters })}\n`);
  } else await io.out(explanationText(matched, explanations));
  return matched ? exitCodes.ok : exitCodes.failed;
}

function explanationText(matched: boolean, explanations: readonly PatternExplanation[]): string {
  if (explanations.length === 0) return 'match: there are no filters, so every event passes\n';
  const lines = explanations.flatMap((explanation, index) => [
    `pattern ${index + 1}: ${explanation.matched ? 'match' : 'no match'}`,
    ...explanationLines(explanation),
  ]);
  return `${matched ? 'match' : 'no match'}\n${lines.join('\n')}\n`;
}

/** A file's text, standard input for `-`, or the argument itself when it is JSON text. */
async function readInput(argument: string, io: Io): Promise<string> {
  if (argument === '-') {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of io.stdin)
      text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    return text + decoder.decode();
  }
  if (/^\s*[{["]/.test(argument)) return argument;
  try {
    return await readFile(argument, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${argument}: ${messageOf(error)}`);
  }
}

const mappingType = z.object({
  kind: z.literal('EventSourceMapping'),
  spec: z.object({
    eventSourceARN: z.string().optional(),
    filterCriteria: z
      .object({ filters: z.array(z.object({ pattern: z.string().optional() })).optional() })
      .optional(),
  }),
});

/** The patterns of the one mapping in a YAML file, and the source that its ARN names. */
async function readMapping(
  file: string,
  io: Io,
): Promise<{ readonly patterns: readonly string[]; readonly source: string | undefined }> {
  const mappings = readYaml(await readInput(file, io)).flatMap((document) => {
    if (document.kind === 'unreadable') {
      const [fault] = document.faults;
      throw new UsageError(`${file}:${fault?.line ?? 1}: ${fault?.message ?? 'must be YAML'}`);
    }
    const parsed = mappingType.safeParse(document.value);
    return parsed.success ? [parsed.data] : [];
  });
  const [mapping, ...others] = mappings;
  if (mapping === undefined || others.length > 0) {
    throw new UsageError(`${file} must hold exactly one EventSourceMapping, found ${mappings.length}`);
  }
  const { eventSourceARN, filterCriteria } = mapping.spec;
  const patterns = (filterCriteria?.filters ?? []).flatMap(({ pattern }) =>
    pattern === undefined ? [] : [pattern],
  );
  return { patterns, source: eventSourceARN?.split(':')[2] === 'sqs' ? 'sqs' : undefined };
}
