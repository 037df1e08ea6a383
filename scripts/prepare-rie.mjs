/**
 * AWS's runtime interface emulator for Lambda, the one in Lambda's base images: built once with Go from its module.
 */
import path from 'node:path';
import process from 'node:process';
import { installed, progress, requireGo, runGo } from './prepared.mjs';

const MODULE = 'github.com/aws/aws-lambda-runtime-interface-emulator';
const VERSION = 'v0.0.0-20261030222936-bef5c4ba774d';

/** Gives the folder that holds `aws-lambda-rie`. */
export function prepareRie() {
  const folder = path.join('aws-lambda-rie', `${VERSION}-${process.platform}-${process.arch}`);
  return installed(folder, async (draft) => {
    await requireGo(
      'The runtime interface emulator of AWS Lambda',
      'Install Go 1.26 or newer (https://go.dev/dl).',
    );
    progress('building the runtime interface emulator of AWS Lambda with Go, once: half a minute');
    await runGo(['install', '-trimpath', '-ldflags', '-s -w', `${MODULE}/cmd/aws-lambda-rie@${VERSION}`], {
      cwd: draft,
      env: { GOBIN: draft },
      said: () => 'building the runtime interface emulator',
    });
  });
}
