/**
 * The process between a network of pods and the machine: started in the network namespace that the pods' bridge is in,
 * it passes connections between there and sockets in the file system, which know no network namespace. It does what it
 * is told on standard input, a JSON line each, answers each with a line, and ends with its input.
 */
import net from 'node:net';
import { createInterface } from 'node:readline';

/** Connections that arrive at the one place go to the other; of two orders for one place the later one holds. */
export interface GatewayOrder {
  readonly from: GatewayPlace;
  readonly to: GatewayPlace;
}
export type GatewayPlace =
  /** Within the network of the pods. */
  | { readonly host: string; readonly port: number }
  /** A socket in the file system. */
  | { readonly path: string };

/** Joins two connections: what comes by the one goes out by the other, and both end together. */
export function join(one: net.Socket, other: net.Socket): void {
  for (const [source, sink] of [
    [one, other],
    [other, one],
  ] as const) {
    source.on('error', () => sink.destroy());
    source.on('close', () => sink.destroy());
    source.pipe(sink);
  }
}

function follow({ from, to }: GatewayOrder, targets: Map<string, GatewayPlace>): Promise<void> {
  const key = JSON.stringify(from);
  const known = targets.has(key);
  targets.set(key, to);
  if (known) return Promise.resolve();
  const server = net.createServer((client) => join(client, net.connect(targets.get(key) ?? to)));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(from, resolve);
  });
}

if (process.argv[1] === import.meta.filename) {
  const targets = new Map<string, GatewayPlace>();
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await follow(JSON.parse(line) as GatewayOrder, targets).then(
      () => 'ok',
      (error: unknown) => `failed: ${String(error)}`,
    );
    process.stdout.write(`${answer}\n`);
  }
  process.exit(0);
}
