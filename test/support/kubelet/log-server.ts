/**
 * The kubelet's own API as far as `kubectl logs` needs it: the API server passes the question on to the address and port
 * that the Node object names, and what comes back is what the container has written so far, and goes on to write.
 */
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from '../certificates.ts';
import type { ControlPlaneAccess } from '../control-plane.ts';
import type { Kubelet } from './kubelet.ts';

const STEP_MS = 100;

/** Answers for the pods of a kubelet until it is let go. */
export async function startLogServer(
  controlPlane: ControlPlaneAccess,
  kubelet: Kubelet,
): Promise<AsyncDisposable> {
  const { certPem: cert, keyPem: key } = makeCertificate({ name: kubelet.nodeName, names: ['127.0.0.1'] });
  const server = https.createServer({ cert, key }, (request, response) => {
    const url = new URL(request.url ?? '', 'https://kubelet');
    const [, kind, namespace, name] = url.pathname.split('/');
    const running = kubelet.history.findLast(
      ({ pod: { metadata } }) => metadata.namespace === namespace && metadata.name === name,
    );
    if (kind !== 'containerLogs' || running === undefined) {
      response.writeHead(404).end();
      return;
    }
    // At once, since the API server waits 5 s for them and a container may be silent for longer.
    response.flushHeaders();
    const { process } = running.container;
    let written = 0;
    const step = (): void => {
      response.write(process.stdout.slice(written));
      written = process.stdout.length;
      if (url.searchParams.get('follow') !== 'true' || process.end !== undefined) response.end();
    };
    const timer = setInterval(step, STEP_MS);
    response.on('close', () => clearInterval(timer));
    step();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answer = await controlPlane.request(`/api/v1/nodes/${kubelet.nodeName}/status`, {
    method: 'PATCH',
    body: {
      status: {
        addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    },
  });
  if (answer.status !== 200) throw new Error(`no address for the Node: ${JSON.stringify(answer.body)}`);
  return {
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
