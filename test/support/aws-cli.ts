import { chmodSync } from 'node:fs';
import path from 'node:path';
import { tempFolder, type TempFolder } from './temp-folder.ts';

/** A folder for PATH with a command `aws`: as much of the AWS CLI as the documentation uses (aws-cli-main.ts). */
export function awsCli(): TempFolder {
  const folder = tempFolder();
  const main = path.join(import.meta.dirname, 'aws-cli-main.ts');
  chmodSync(folder.write('aws', `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`), 0o755);
  return folder;
}
