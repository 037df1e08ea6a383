/**
 * AWS's runtime interface emulator for Lambda, the one in Lambda's base images: built once with Go from its module.
 */
import path from 'node:path';
import process from 'node:process';
import { ask, installed, MissingTool, progress, run, ticker } from './prepared.mjs';

const MODULE = 'github.com/aws/aws-lambda-runtime-interface-emulator';
const VERSION = 'v0.0.0-20261030222936-bef5c4ba774d';

/** Gives the folder that holds `aws-lambda-rie`. */
export function prepareRie() {
  const folder = path.join('aws-lambda-rie', `${VERSION}-${process.platform}-${process.arch}`);
  return installed(folder, async (draft) => {
    if ((await ask('go', ['version'])) === undefined) {
      throw new MissingTool(
        'The runtime interface emulator of AWS Lambda must be built with Go, and `go` was not found',
        'Install Go 1.26 or newer (https://go.dev/dl).',
      );
    }
    progress('building the runtime interface emulator of AWS Lambda with Go, once: half a minute');
    const stop = ticker(() => 'building the runtime interface emulator');
    try {
      const args = ['install', '-trimpath', '-ldflags', '-s -w', `${MODULE}/cmd/aws-lambda-rie@${VERSION}`];
      await run('go', args, { cwd: draft, env: { CGO_ENABLED: '0', GOFLAGS: '-modcacherw', GOBIN: draft } });
    } finally {
      stop();
    }
  });
}
