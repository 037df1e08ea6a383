import { describe, expect, it } from 'vitest';
import type { Configuration, MappingApi, Tags } from '../../src/backends/aws/client.ts';
import { KnownMappings } from '../../src/backends/aws/known.ts';
import { runLab, type LabOptions, type Mutant } from './account-lab.ts';

/**
 * One contract for the two ways to read an account: AWS's own answers, and the view that many mappings share. Many
 * seeds; each planted bug is found, so the rules can fail.
 */
const seeds = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

async function runAll(count: number, options: Omit<LabOptions, 'seed'>) {
  const violations: string[] = [];
  const answered: Record<string, number> = {};
  for (const seed of seeds(count)) {
    const result = await runLab({ ...options, seed });
    violations.push(...result.violations);
    for (const [what, times] of Object.entries(result.answered))
      answered[what] = (answered[what] ?? 0) + times;
  }
  return { violations, answered };
}

describe('a reader of an account', () => {
  it.each([
    { name: 'AWS’s own answers', viewed: false, count: 300 },
    { name: 'the view', viewed: true, count: 2500 },
  ])('is told what is true, as new as it asked for, by $name', async ({ viewed, count }) => {
    const { violations, answered } = await runAll(count, { viewed });
    expect(violations.slice(0, 5)).toEqual([]);
    // Each kind of read was answered often enough for the rules to mean something.
    const kinds = ['get', 'list', 'tags'].flatMap((what) =>
      ['now', 'just', 'recent'].map((how) => `${what} ${how}`),
    );
    const seldom = kinds.filter((kind) => (answered[kind] ?? 0) < count / 2);
    expect(seldom).toEqual([]);
  });
});

/** A view with a memory that has one fault. */
function forgetful(change: (known: KnownMappings) => Partial<KnownMappings>): Mutant {
  return {
    known: () => {
      const known = new KnownMappings();
      for (const [name, method] of Object.entries(change(known))) Reflect.set(known, name, method);
      return known;
    },
  };
}

const mutants: readonly (Mutant & { readonly name: string; readonly finds: string })[] = [
  {
    name: 'does not remember its own writes',
    finds: 'an own write is not seen',
    ...forgetful(() => ({ wrote: () => undefined })),
  },
  {
    name: 'takes what a page shows for newer than its own writes',
    finds: 'an own write is not seen',
    ...forgetful((known) => {
      const real = known.listed.bind(known);
      return {
        listed: (shown: Configuration, atMs: number) => {
          known.forget(shown.UUID ?? '');
          return real(shown, atMs);
        },
      };
    }),
  },
  {
    name: 'lets a Get that was sent before a write overwrite its answer',
    finds: 'an own write is not seen',
    ...forgetful((known) => {
      const real = known.got.bind(known);
      return { got: (found: Configuration, atMs: number) => real(found, atMs + 5000) };
    }),
  },
  {
    name: 'overlooks what a sweep does not show any more',
    finds: 'an answer is too old',
    ...forgetful(() => ({ swept: () => [] })),
  },
  {
    name: 'goes on showing what was before a write that ended in doubt',
    finds: 'what was before a write in doubt is shown',
    ...forgetful(() => ({ doubted: () => undefined })),
  },
  {
    name: 'takes what a page shows after AWS has answered NotFound',
    finds: 'what was gone is shown again',
    ...forgetful((known) => ({ gone: (uuid: string) => known.forget(uuid) })),
  },
  {
    name: 'keeps what it knew of tags through its own write',
    finds: 'an own tag is not seen',
    ...forgetful(() => ({ wroteTags: () => undefined })),
  },
  {
    name: 'takes tags for new that it has only added to',
    finds: 'tags are too old',
    ...forgetful((known) => {
      const real = known.wroteTags.bind(known);
      return {
        wroteTags: (arn: string, tags: Tags | undefined, _: number, wroteMs: number) =>
          real(arn, tags, wroteMs, wroteMs),
      };
    }),
  },
  {
    name: 'answers from what it knows where AWS is asked now',
    finds: 'an answer is too old',
    wrap: (api: MappingApi) => ({ ...api, get: (uuid, signal) => api.get(uuid, signal, 'recent') }),
  },
  {
    name: 'shows one who may not list what others have listed',
    finds: 'a list is shown to one who may not list',
    identity: 'all',
  },
];

describe('the contract finds a view that', () => {
  it.each(mutants)('$name', async ({ finds, ...mutant }) => {
    let found: string | undefined;
    for (let seed = 1; found === undefined && seed <= 1500; seed++) {
      const { violations } = await runLab({ seed, viewed: true, mutant });
      found = violations.find((violation) => violation.includes(finds));
    }
    expect(found).toBeDefined();
  });
});
