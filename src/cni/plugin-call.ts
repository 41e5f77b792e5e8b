/** A call as the executable passes it on, and the answer with which the executable ends. */

export interface PluginCall {
  readonly plugin: 'fairlead' | 'loopback';
  /** The variables that start with `CNI_`. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** The caller will say that it has taken the answer. */
  readonly confirms?: boolean;
}

/** A call as the executable and the notes write it, whatever else stands there. */
export function callFrom(text: string): PluginCall {
  const { plugin, env, stdin, confirms } = JSON.parse(text) as Partial<PluginCall>;
  return { plugin: plugin === 'loopback' ? 'loopback' : 'fairlead', env: { ...env }, stdin: stdin ?? '', confirms: confirms === true };
}

/** What the executable ends with. */
export interface PluginAnswer {
  readonly code: 0 | 1;
  readonly stdout: string;
}

export type CallPlugin = (request: PluginCall) => Promise<PluginAnswer>;

/** Takes back what an ADD gave to a caller that had given up: to the runtime it failed, and not every runtime cleans up. */
export async function undoUnheard(request: PluginCall, answer: PluginAnswer, call: CallPlugin): Promise<void> {
  if (request.env.CNI_COMMAND !== 'ADD' || answer.code !== 0) return;
  await call({ ...request, env: { ...request.env, CNI_COMMAND: 'DEL' } });
}
