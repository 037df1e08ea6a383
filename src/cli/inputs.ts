/** What commands are given to read: standard input, a file, or the files of a folder. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { maximumTextLength } from '../api/yaml.ts';
import { messageOf } from '../lib/errors.ts';
import { UsageError, type Io } from './command.ts';

export interface Input {
  readonly file: string;
  readonly text: string;
}

export interface InputRules {
  /** What standard input is called. */
  readonly stdin: string;
  /** Which files of a folder are read, and what is said where it has none; without it a folder is refused. */
  readonly ofFolder?: { readonly names: RegExp; readonly none: string } | undefined;
  /** Also the folders in a folder. */
  readonly recursive?: boolean;
  /** Nothing is read that goes far beyond what the validator takes. */
  readonly isBounded?: boolean;
}

/** Names of manifests. */
export const manifestNames = /[.](ya?ml|json)$/;
export const manifestsOfFolder = {
  names: manifestNames,
  none: 'there is no .yaml, .yml or .json file in it',
};

/** Reads what a name stands for: `-`, a file, or a folder. Throws `UsageError` when it cannot be read. */
export async function readInputs(name: string, rules: InputRules, io: Io): Promise<readonly Input[]> {
  if (name === '-') return [{ file: rules.stdin, text: await readStdin(io, rules) }];
  try {
    const files = (await stat(name)).isDirectory() ? await filesIn(name, rules) : [name];
    const read = rules.isBounded === true ? readBounded : readWhole;
    return await Promise.all(files.map(async (file) => ({ file, text: await read(file) })));
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${messageOf(error)}`);
  }
}

/** The text of a file. One far beyond what the validator takes is not read into memory; the validator refuses the rest. */
export async function readBounded(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > maximumTextLength * 4)
    throw new Error(`it has ${size} bytes; at most ${maximumTextLength} characters are read`);
  return readWhole(file);
}

const readWhole = (file: string): Promise<string> => readFile(file, 'utf8');

async function filesIn(folder: string, { ofFolder, recursive = false }: InputRules): Promise<string[]> {
  if (ofFolder === undefined) throw new Error('it is a folder');
  const names = (await readdir(folder, { recursive })).filter((name) => ofFolder.names.test(name));
  if (names.length === 0) throw new Error(ofFolder.none);
  return names.toSorted().map((name) => join(folder, name));
}

async function readStdin(io: Io, { isBounded = false }: InputRules): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of io.stdin) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (isBounded && text.length > maximumTextLength) break;
  }
  return text + decoder.decode();
}
