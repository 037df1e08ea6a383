import path from 'node:path';
import { connect } from 'node:net';
import { freePorts, prepared, ready, startProcess, type ManagedProcess } from '../processes.ts';

/**
 * A Lambda container as a pod runs it: AWS's runtime interface emulator, and in it the function of
 * `lambda-runtime.mjs`. The emulator takes one invocation at a time; a second one ends it.
 */
export interface LambdaPod extends AsyncDisposable {
  readonly port: number;
  readonly process: ManagedProcess;
}

export interface LambdaPodOptions {
  /** The function's time-out (`AWS_LAMBDA_FUNCTION_TIMEOUT`), default 300. */
  readonly timeoutSeconds?: number;
  /** Told of each invocation. */
  readonly ledgerUrl?: string;
  /** A function that does not start. */
  readonly init?: 'exit' | 'error';
  /** Names the pod in the ledger. */
  readonly name?: string;
}

export async function startLambdaPod(options: LambdaPodOptions = {}): Promise<LambdaPod> {
  const [folder, [port = 0, apiPort = 0]] = await Promise.all([prepared('aws-lambda-rie'), freePorts(2)]);
  const server = startProcess({
    name: 'aws-lambda-rie',
    command: path.join(folder, 'aws-lambda-rie'),
    args: [
      '--runtime-interface-emulator-address',
      `127.0.0.1:${port}`,
      '--runtime-api-address',
      `127.0.0.1:${apiPort}`,
      process.execPath,
      path.join(import.meta.dirname, 'lambda-runtime.mjs'),
    ],
    env: {
      AWS_LAMBDA_FUNCTION_TIMEOUT: String(options.timeoutSeconds ?? 300),
      LEDGER_URL: options.ledgerUrl,
      INIT: options.init,
      POD: options.name,
    },
  });
  await ready(server, () => accepts(port));
  return { port, process: server, [Symbol.asyncDispose]: async () => void (await server.kill()) };
}

/** A GET would be an invocation. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
