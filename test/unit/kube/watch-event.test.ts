import { describe, expect, it } from 'vitest';
import { parseWatchEvent } from '../../../src/kube/watch-event.ts';

const object = { metadata: { name: 'a', resourceVersion: '7' } };
const line = (event: unknown): string => JSON.stringify(event);

describe('a line of a watch', () => {
  it.each([
    { type: 'ADDED', kind: 'changed' },
    { type: 'MODIFIED', kind: 'changed' },
    { type: 'DELETED', kind: 'deleted' },
  ])('$type is $kind', ({ type, kind }) => {
    expect(parseWatchEvent(line({ type, object }), 0)).toEqual({ kind, object, resourceVersion: '7' });
  });

  it('a bookmark has a version and no name', () => {
    const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } };
    expect(parseWatchEvent(line(bookmark), 0)).toEqual({ kind: 'bookmark', resourceVersion: '9' });
  });

  it('a type that later servers may have is passed over', () => {
    expect(parseWatchEvent(line({ type: 'PROGRESS', object: {} }), 0)).toEqual({ kind: 'unknown' });
  });

  it.each([
    { code: 410, reason: 'Expired' },
    { code: 500, reason: 'InternalError' },
    { code: 429, reason: 'TooManyRequests' },
  ])('ERROR $code throws $reason', ({ code, reason }) => {
    const error = { type: 'ERROR', object: { kind: 'Status', code } };
    expect(() => parseWatchEvent(line(error), 0)).toThrow(expect.objectContaining({ reason }));
  });

  it.each([
    { text: '{"type":"ADDED","obj', why: 'cut off' },
    { text: '<html>', why: 'a gateway' },
    { text: 'null', why: 'JSON, but nothing' },
    { text: '[]', why: 'no type' },
    { text: line({ type: 'ADDED' }), why: 'no object' },
    { text: line({ type: 'ADDED', object: null }), why: 'no object either' },
    { text: line({ type: 'ADDED', object: { metadata: { name: 'a' } } }), why: 'no version' },
    { text: line({ type: 'ADDED', object: { metadata: { resourceVersion: '1' } } }), why: 'no name' },
    { text: line({ type: 'BOOKMARK', object: {} }), why: 'a bookmark without version' },
  ])('is malformed: $why', ({ text }) => {
    expect(() => parseWatchEvent(text, 0)).toThrow(expect.objectContaining({ reason: 'MalformedAnswer' }));
  });

  it('keeps the text of a line that cannot be read out of the message', () => {
    expect(() => parseWatchEvent('{"password":"hunter2"', 0)).toThrow(/^(?!.*hunter2)/);
  });
});
