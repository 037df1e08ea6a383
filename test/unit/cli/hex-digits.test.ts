import { describe, expect, test } from 'vitest';
import { hexDigits, uuids } from '../../../src/cli/hex-digits.ts';

describe('random ids', () => {
  test('are as long as asked, and none comes twice, also when more is drawn', () => {
    const next = hexDigits(16);
    const drawn = Array.from({ length: 1000 }, next);
    expect(drawn.filter((text) => !/^[0-9a-f]{32}$/.test(text))).toEqual([]);
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  test('are UUIDs of version 4', () => {
    const next = uuids();
    const drawn = Array.from({ length: 1000 }, next);
    const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    expect(drawn.filter((text) => !form.test(text))).toEqual([]);
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(new Set(drawn.map((text) => text[19])).size).toBe(4);
  });
});
