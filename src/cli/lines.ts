/**
 * Lines of a byte stream, a chunk's worth at a time: what is read is bounded by one line and one chunk. Ends of line
 * are `\n` or `\r\n`; a last line may lack one. A line longer than the limit is dropped and comes out as `undefined`.
 */

/** Yields the lines that each chunk completes, in order and without their ends. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array | string>,
  maxLength: number,
): AsyncGenerator<readonly (string | undefined)[]> {
  const decoder = new TextDecoder();
  // Pieces of a line that is not complete yet; `undefined` once it is too long.
  let pieces: string[] | undefined = [];
  let length = 0;
  const finish = (): string | undefined => {
    const line = pieces?.join('');
    pieces = [];
    length = 0;
    return line?.endsWith('\r') ? line.slice(0, -1) : line;
  };
  const add = (piece: string): void => {
    length += piece.length;
    if (length > maxLength) pieces = undefined;
    else pieces?.push(piece);
  };
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines: (string | undefined)[] = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      add(text.slice(start, end));
      lines.push(finish());
      start = end + 1;
    }
    if (start < text.length) add(text.slice(start));
    if (lines.length > 0) yield lines;
  }
  add(decoder.decode());
  if (length > 0) yield [finish()];
}
