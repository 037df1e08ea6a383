import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reportFormatVersion, reportMessageLength } from '../../../src/api/report.ts';
import { FleetIndex } from '../../../src/fleet/fleet-view.ts';
import { buildReport, parseReport, type MappingFacts } from '../../../src/fleet/report.ts';
import { aPollerMapping } from '../../support/mappings.ts';

const member = { member: 'poller-0', pool: 'default', version: '0.1.0' };

function factsOf(name: string, changes: Partial<MappingFacts['standing']> = {}): MappingFacts {
  const mapping = aPollerMapping({ metadata: { name, uid: `uid-${name}`, generation: 3 } });
  return {
    standing: {
      work: {
        mapping,
        place: {},
        identity: { kind: 'Installation' },
        allowedURLs: [],
        allowLoopback: false,
        sharedSource: false,
        paused: false,
      },
      state: 'Running',
      reason: 'Serving',
      message: '',
      sinceMs: Date.UTC(2026, 0, 1),
      ...changes,
    },
    sourceHealthy: { status: 'True', reason: 'ReadSucceeded', message: 'fine' },
  };
}

describe('a report', () => {
  it('is read as it was written', () => {
    const report = buildReport(member, [factsOf('b'), factsOf('a')]);
    const parsed = parseReport(JSON.parse(JSON.stringify(report)));
    expect(parsed).toEqual({ kind: 'report', report, skipped: 0 });
    expect(report.mappings[0]).toMatchObject({
      namespace: 'shop',
      name: 'a',
      uid: 'uid-a',
      generation: 3,
      state: 'Running',
    });
  });

  it('is the same for the same facts in any order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 4 }), (names) => {
        expect(
          buildReport(
            member,
            names.map((name) => factsOf(name)),
          ),
        ).toEqual(
          buildReport(
            member,
            ['a', 'b', 'c', 'd'].map((name) => factsOf(name)),
          ),
        );
      }),
    );
  });

  it('cuts long messages to what the resource takes', () => {
    const long = 'x'.repeat(1000);
    const facts = {
      ...factsOf('a', { message: long }),
      targetHealthy: { status: 'False', reason: 'FunctionError', message: long } as const,
      warnings: Array.from({ length: 20 }, () => ({ reason: 'VisibilityTimeoutTooShort', message: long })),
    };
    const [entry] = buildReport(member, [facts]).mappings;
    const messages = [
      entry?.message,
      entry?.targetHealthy?.message,
      ...(entry?.warnings ?? []).map(({ message }) => message),
    ];
    expect(entry?.warnings).toHaveLength(8);
    for (const message of messages) expect(message).toHaveLength(reportMessageLength);
  });
});

describe('a report of another version', () => {
  const entry = { namespace: 'shop', name: 'a', uid: 'u', generation: 1, state: 'Running' };
  const body = { formatVersion: 1, ...member, mappings: [entry] };

  it.each<{ why: string; report: unknown; mappings: number; skipped: number }>([
    {
      why: 'a field that is not known',
      report: { ...body, lanes: [], mappings: [{ ...entry, epoch: 7 }] },
      mappings: 1,
      skipped: 0,
    },
    { why: 'fields that are not there yet', report: body, mappings: 1, skipped: 0 },
    {
      why: 'a state that is not known',
      report: { ...body, mappings: [entry, { ...entry, state: 'Levitating' }] },
      mappings: 1,
      skipped: 1,
    },
    {
      why: 'an entry that is none',
      report: { ...body, mappings: [null, 3, entry] },
      mappings: 1,
      skipped: 2,
    },
  ])('is read as far as it is understood: $why', ({ report, mappings, skipped }) => {
    const parsed = parseReport(report);
    expect(parsed).toMatchObject({ kind: 'report', skipped });
    expect(parsed.kind === 'report' ? parsed.report.mappings : []).toHaveLength(mappings);
    expect(JSON.stringify(parsed)).not.toMatch(/epoch|lanes/);
  });

  it('with a later format is not read', () => {
    expect(parseReport({ ...body, formatVersion: reportFormatVersion + 1 })).toEqual({
      kind: 'unreadable',
      message: `\`report.formatVersion\` must be at most ${reportFormatVersion}; found ${reportFormatVersion + 1}`,
    });
  });

  it('never throws, whatever is written there', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.record(Object.fromEntries(Object.keys(body).map((key) => [key, fc.anything()]))),
        ),
        (report) => {
          expect(['report', 'unreadable']).toContain(parseReport(report).kind);
        },
      ),
    );
  });
});

describe('the fleet', () => {
  const reportOf = (name: string, ...mappings: readonly string[]) =>
    buildReport(
      { ...member, member: name },
      mappings.map((mapping) => factsOf(mapping)),
    );

  it('counts only what live members report', () => {
    const index = new FleetIndex(() => undefined);
    index.put('poller-0', reportOf('poller-0', 'a'));
    index.put('poller-1', reportOf('poller-1', 'a', 'b'));
    expect(index.entriesOf('uid-a')).toEqual([]);
    index.setMembers([
      { identity: 'poller-1', pool: 'default' },
      { identity: 'poller-2', pool: 'canary' },
    ]);
    expect(index.entriesOf('uid-a').map(({ member: name }) => name)).toEqual(['poller-1']);
    expect(index.liveMembers('default')).toEqual(['poller-1']);
    expect(index.liveMembers('nobody')).toEqual([]);
  });

  it('tells which mappings a report is news for, and none for a report that says the same', () => {
    const told: string[][] = [];
    const index = new FleetIndex((keys) => told.push([...keys].sort()));
    index.put('poller-0', reportOf('poller-0', 'a', 'b'));
    index.put('poller-0', reportOf('poller-0', 'a', 'b'));
    index.put('poller-0', reportOf('poller-0', 'b', 'c'));
    index.put('poller-0', { formatVersion: 99 });
    index.remove('poller-0');
    expect(told).toEqual([
      ['shop/a', 'shop/b'],
      ['shop/a', 'shop/c'],
      ['shop/b', 'shop/c'],
    ]);
    index.setMembers([{ identity: 'poller-0', pool: 'default' }]);
    expect(index.entriesOf('uid-b')).toEqual([]);
  });
});
