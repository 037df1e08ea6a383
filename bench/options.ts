/** The command line of the bench. */
import { parseArgs } from 'node:util';
import { candidateNames, cases, type CandidateName, type Case } from './cases.ts';

export interface Options {
  readonly json: boolean;
  /** File for the medians, as `docs/performance.md` is made from. */
  readonly record: string | undefined;
  /** Waves of each candidate in a case. */
  readonly runs: number;
  readonly cases: readonly Case[];
  readonly candidates: readonly CandidateName[];
  /** The bundled release file; undefined = it is built. */
  readonly release: string | undefined;
}

export const help = `Measures Sluice beside a bare loop, sqs-consumer and the AWS SDK, against one stub on this machine.

Usage: npm run bench -- [options]

  --quick            the cases that tell most, with two small waves: about half a minute
  --json             the results as JSON on standard output, instead of the tables
  --record FILE      also write the medians as JSON; docs/performance.md is made from such files
  --case TEXT        only cases whose name holds TEXT; may be repeated
  --candidate NAME   only this candidate; may be repeated
  --runs N           waves of each candidate in a case, 1 to 100; default 5, --quick 2
  --messages N       messages of a wave, instead of each case's own number
  --release FILE     the bundled release file to measure; default: it is built from src
  --help             this text

Cases:      ${cases.map(({ name }) => name).join('; ')}
Candidates: ${candidateNames.join(', ')}

Exit code 0: every target that was measured is met. 1: one is missed, messages were lost, doubled, damaged or left, or
the run is void, since the bare loop was not fast enough. 2: wrong usage.

Examples
  npm run bench
  npm run bench -- --quick
  npm run bench -- --case 'batch 1' --candidate sluice --candidate bare --runs 9
  npm run bench -- --json > run.json
  npm run bench -- profile            where the time goes; a case may follow, default 'batch 10'
  npm run bench -- managed            what Managed mode costs; numbers of objects may follow, default 500 1000, and
                                      --limit N (calls a second, or none) instead of both, and --record FILE, as
                                      docs/explanation/managed-cost.md is made from
`;

const quickCases: ReadonlySet<string> = new Set(['batch 10', 'five filters']);

/** What was asked for; a text for people if it makes no sense, `help` if help was asked for. */
export function readOptions(args: readonly string[]): Options | 'help' | { readonly wrong: string } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        record: { type: 'string' },
        runs: { type: 'string' },
        case: { type: 'string', multiple: true, default: [] },
        candidate: { type: 'string', multiple: true, default: [] },
        messages: { type: 'string' },
        release: { type: 'string' },
      },
    }));
  } catch (error) {
    return { wrong: (error as Error).message };
  }
  if (values.help) return 'help';
  const runs = Number(values.runs ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(runs) || runs < 1 || runs > 100)
    return { wrong: `\`--runs\` is ${values.runs}: it must be a whole number from 1 to 100` };
  const messages = values.messages === undefined ? undefined : Number(values.messages);
  if (messages !== undefined && !(Number.isInteger(messages) && messages >= 1 && messages <= 10_000_000))
    return { wrong: `\`--messages\` is ${values.messages}: it must be a whole number from 1 to 10,000,000` };
  const unknown = values.candidate.find((name) => !(candidateNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    return { wrong: `\`--candidate\` is ${unknown}: it must be one of ${candidateNames.join(', ')}` };
  const idle = values.case.find((text) => !cases.some(({ name }) => name.includes(text)));
  if (idle !== undefined)
    return { wrong: `\`--case\` is ${idle}: it must be part of ${cases.map(({ name }) => name).join('; ')}` };
  const names = new Set(cases.map(({ name }) => name));
  // A whole name means that case alone: `batch 10` is not `batch 100`.
  const isWanted = ({ name }: Case): boolean =>
    values.case.length > 0
      ? values.case.some((text) => (names.has(text) ? name === text : name.includes(text)))
      : !values.quick || quickCases.has(name);
  const scaled = (of: Case): Case => {
    const measured = messages ?? (values.quick ? of.measured / 2 : of.measured);
    const isShort = messages !== undefined || values.quick;
    const once = isShort ? { processes: 1, waves: 1 } : {};
    return { ...of, measured, warm: Math.min(of.warm, measured), ...once };
  };
  return {
    json: values.json,
    record: values.record,
    runs,
    cases: cases.filter(isWanted).map(scaled),
    candidates: candidateNames.filter(
      (name) => values.candidate.length === 0 || values.candidate.includes(name),
    ),
    release: values.release,
  };
}
