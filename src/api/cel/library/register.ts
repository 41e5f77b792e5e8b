import type { Environment } from '@marcbachmann/cel-js';

/** Adds functions, none of which is asynchronous. */
export function register(environment: Environment): (signature: string, handler: (...args: never[]) => unknown) => void {
  return (signature, handler) => {
    environment.registerFunction(signature, handler as never, { async: false } as never);
  };
}
