/**
 * As little HTTP as the bench needs, fast: requests with a `Content-Length`, kept connections, no pipelining, answers in
 * one write. The server must cost less than those it measures, which Node's own does not.
 */
import net from 'node:net';

export interface Request {
  readonly path: string;
  /** The head as it came, names in whatever case. */
  readonly head: string;
  /** Valid until the request is answered. */
  readonly body: Buffer;
}

/** The way back. The second answer of a request is nobody's. */
export interface Reply {
  readonly gone: boolean;
  text(status: number, body: string, headers?: string): void;
  /** Answers 200 with `bytes` that `write` puts into the buffer it is given, at the place it is given. */
  bytes(bytes: number, write: (into: Buffer, at: number) => void): void;
}

export type Handler = (request: Request, reply: Reply) => void;

const headEnd = Buffer.from('\r\n\r\n');
const contentLength = /\r\ncontent-length: *(\d+)/i;
const type = 'Content-Type: application/x-amz-json-1.0\r\n';

/** Listens on a free port of this machine. */
export async function listen(handler: Handler): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    Connection.serve(socket, handler);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** One connection, for as long as its socket lives. */
class Connection implements Reply {
  readonly #socket: net.Socket;
  readonly #handler: Handler;
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes of the request under way; 0 while its head is not whole. */
  #total = 0;
  #open = false;
  /**
   * Answers are written from here. The client sends its next request when it has the whole answer, so the kernel has
   * taken the former one by then.
   */
  #out: Buffer = Buffer.alloc(0);

  constructor(socket: net.Socket, handler: Handler) {
    this.#socket = socket;
    this.#handler = handler;
  }

  static serve(socket: net.Socket, handler: Handler): void {
    const connection = new Connection(socket, handler);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => connection.#take(chunk));
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  text(status: number, body: string, headers = ''): void {
    if (!this.#mayAnswer()) return;
    const reason = status < 300 ? 'OK' : 'No';
    const length = Buffer.byteLength(body);
    this.#socket.write(
      `HTTP/1.1 ${status} ${reason}\r\nContent-Length: ${length}\r\n${type}${headers}\r\n${body}`,
    );
  }

  bytes(bytes: number, write: (into: Buffer, at: number) => void): void {
    if (!this.#mayAnswer()) return;
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n${type}\r\n`;
    const length = head.length + bytes;
    if (this.#out.length < length) this.#out = Buffer.allocUnsafeSlow(Math.ceil(length * 1.2));
    this.#out.write(head, 0, 'latin1');
    write(this.#out, head.length);
    this.#socket.write(this.#out.subarray(0, length));
  }

  #mayAnswer(): boolean {
    const may = this.#open && !this.#socket.destroyed;
    this.#open = false;
    return may;
  }

  #take(chunk: Buffer): void {
    this.#held += chunk.length;
    if (this.#parts.length > 0 || this.#held < this.#total) {
      this.#parts.push(chunk);
      if (this.#held < this.#total) return;
    }
    const whole = this.#parts.length > 0 ? Buffer.concat(this.#parts) : chunk;
    const end = whole.indexOf(headEnd);
    const head = end < 0 ? '' : whole.toString('latin1', 0, end);
    this.#total = end < 0 ? 0 : end + 4 + Number(contentLength.exec(head)?.[1] ?? 0);
    if (end < 0 || whole.length < this.#total) {
      this.#parts = [whole];
      return;
    }
    this.#parts = [];
    this.#held = 0;
    this.#total = 0;
    this.#open = true;
    const from = head.indexOf(' ') + 1;
    const path = head.slice(from, head.indexOf(' ', from));
    this.#handler({ path, head, body: whole.subarray(end + 4) }, this);
  }
}
