import path from 'node:path';
import { prepared, startProcess } from './processes.ts';

/** A question to Argo CD's Lua engine or to Flux's CEL (test/argocd-lua) about an object. */
export type EngineRequest =
  | {
      readonly kind: 'health' | 'discovery';
      readonly script: string;
      readonly object: object;
      /** All of Lua's libraries, as for scripts that are built into Argo CD. Default: those of `argocd-cm`. */
      readonly openLibs?: boolean;
    }
  | { readonly kind: 'action'; readonly script: string; readonly object: object }
  | { readonly kind: 'cel'; readonly expression: string; readonly object: object };

/** The members that are there depend on what was asked for; `error` is there when the script failed. */
export interface EngineAnswer {
  readonly error?: string;
  /** Health. */
  readonly status?: string;
  readonly message?: string;
  /** An action: the objects that it gives back, and the merge patch that Argo CD makes of them. */
  readonly impacts?: readonly { readonly operation: string; readonly resource: object }[];
  readonly patch?: object;
  /** A CEL expression. */
  readonly holds?: boolean;
}

/** An action as an object offers it. */
export interface OfferedAction {
  readonly name: string;
  readonly disabled?: boolean;
  readonly iconClass?: string;
  readonly displayName?: string;
}

/** Both engines in one program, which is started for each call and answers all its requests. */
export class ArgoCdEngine {
  readonly #command: string;

  constructor(command: string) {
    this.#command = command;
  }

  /** Asks for health, actions or expressions. */
  async ask(requests: readonly EngineRequest[]): Promise<readonly EngineAnswer[]> {
    return (await this.#answers(requests)) as readonly EngineAnswer[];
  }

  /** Asks which actions an object offers, sorted by name. */
  async offered(script: string, object: object): Promise<readonly OfferedAction[]> {
    const [answer] = await this.#answers([{ kind: 'discovery', script, object }]);
    if (!Array.isArray(answer)) throw new Error(`discovery failed: ${JSON.stringify(answer)}`);
    return (answer as readonly OfferedAction[]).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #answers(requests: readonly EngineRequest[]): Promise<readonly unknown[]> {
    const answers: unknown[] = [];
    await using engine = startProcess({
      name: 'argocd-lua',
      command: this.#command,
      args: [],
      input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
      onLine: (line) => answers.push(JSON.parse(line)),
    });
    const { code } = await engine.ended;
    if (code !== 0 || answers.length !== requests.length) {
      throw new Error(`argocd-lua ended with ${code} after ${answers.length} answers: ${engine.tail()}`);
    }
    return answers;
  }
}

/** The engines, built first if need be. */
export async function argoCdEngine(): Promise<ArgoCdEngine> {
  return new ArgoCdEngine(path.join(await prepared('argocd-lua'), 'argocd-lua'));
}
