/** Lines out of a stream of bytes. Keeps at most one line in memory, in time linear in its length. */
import { KubeError } from './kube-error.ts';

const NEWLINE = 0x0a;

/**
 * Gives the lines of `body` without their ends, empty ones left out; what follows the last newline counts as a line,
 * so that a cut-off one is seen. Throws `KubeError` `MalformedAnswer` when a line is longer than `maxBytes`.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const keep = (part: Uint8Array): void => {
    size += part.length;
    if (size > maxBytes) {
      throw new KubeError(`A line of the watch is longer than ${maxBytes} bytes`, {
        status: 0,
        reason: 'MalformedAnswer',
      });
    }
    if (part.length > 0) parts.push(part);
  };
  const take = (): string => {
    const line = Buffer.concat(parts, size).toString('utf8');
    parts = [];
    size = 0;
    return line.trim();
  };
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line !== '') yield line;
    }
    keep(chunk.subarray(start));
  }
  const rest = take();
  if (rest !== '') yield rest;
}
