import { describe, expect, test } from 'vitest';
import { AbortHook } from '../../../src/lib/abort-hook.ts';

describe('the hook of a signal', () => {
  test('is one for each signal, and does what was added last of calls one after another', () => {
    const controller = new AbortController();
    const hook = AbortHook.of(controller.signal);
    expect(AbortHook.of(controller.signal)).toBe(hook);
    expect(AbortHook.of(new AbortController().signal)).not.toBe(hook);
    const done: string[] = [];
    const call = (name: string) => ({ onAbort: () => void done.push(name) });
    const first = call('first');
    hook.add(first);
    hook.delete(first);
    hook.add(call('second'));
    controller.abort();
    controller.abort();
    expect(done).toEqual(['second']);
  });

  test.each([
    { left: 'first', without: 'second' },
    { left: 'second', without: 'first' },
  ])('does what calls at the same time ask for: $left after $without was taken back', ({ left, without }) => {
    const controller = new AbortController();
    const hook = AbortHook.of(controller.signal);
    const done: string[] = [];
    const calls = ['first', 'second', 'third'].map((name) => ({ name, onAbort: () => void done.push(name) }));
    for (const call of calls) hook.add(call);
    for (const call of calls) if (call.name === without) hook.delete(call);
    controller.abort();
    expect(done.toSorted()).toEqual([left, 'third'].toSorted());
  });
});
