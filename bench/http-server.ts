/**
 * As little HTTP as the bench needs, fast: requests with a `Content-Length`, kept connections, answers in one write.
 * The server must cost less than those it measures, which Node's own does not.
 */
import net from 'node:net';

export interface Request {
  readonly method: string;
  readonly path: string;
  /** The head as it came, names in whatever case. */
  readonly head: string;
  readonly body: Buffer;
}

/** Answers now or later; the second answer of a request is nobody's. */
export type Respond = (status: number, body: string, headers?: string) => void;
export type Handler = (request: Request, respond: Respond, connection: net.Socket) => void;

const headEnd = Buffer.from('\r\n\r\n');

/** Listens on a free port of this machine. */
export async function listen(handler: Handler): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    serve(socket, handler);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The value of a header of `request`, or undefined. `name` is in lower case, with the colon. */
export function headerOf(request: Request, name: string): string | undefined {
  const lower = request.head.toLowerCase();
  const at = lower.indexOf(`\r\n${name}`);
  if (at < 0) return undefined;
  const start = at + 2 + name.length;
  const end = request.head.indexOf('\r\n', start);
  return request.head.slice(start, end < 0 ? undefined : end).trim();
}

function serve(socket: net.Socket, handler: Handler): void {
  let pending: Buffer = Buffer.alloc(0);
  let missing = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    if (missing > chunk.length) {
      parts.push(chunk);
      missing -= chunk.length;
      return;
    }
    pending = parts.length > 0 || pending.length > 0 ? Buffer.concat([pending, ...parts, chunk]) : chunk;
    parts.length = 0;
    missing = 0;
    for (;;) {
      const end = pending.indexOf(headEnd);
      if (end < 0) return;
      const head = pending.toString('latin1', 0, end);
      const length = Number(/\r\ncontent-length:\s*(\d+)/i.exec(head)?.[1] ?? 0);
      const total = end + 4 + length;
      if (pending.length < total) {
        missing = total - pending.length;
        parts.push(pending);
        pending = Buffer.alloc(0);
        return;
      }
      const body = pending.subarray(end + 4, total);
      pending = pending.subarray(total);
      const [method = '', path = ''] = head.slice(0, head.indexOf('\r\n')).split(' ');
      let open = true;
      const respond: Respond = (status, text, headers = '') => {
        if (!open || socket.destroyed) return;
        open = false;
        const bytes = Buffer.byteLength(text);
        socket.write(
          `HTTP/1.1 ${status} ${status < 300 ? 'OK' : 'No'}\r\nContent-Length: ${bytes}\r\nContent-Type: application/x-amz-json-1.0\r\n${headers}\r\n${text}`,
        );
      };
      handler({ method, path, head, body }, respond, socket);
    }
  });
  const parts: Buffer[] = [];
}
